"""Gain regression for regression: the trees of `trees_learner`, fitted to the fall of the RMSE."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from agents.imitation.number_states import make_samples
from agents.imitation.trees_config import TreesConfig
from agents.imitation.trees_learner import TreesLearner
from agents.imitation.trees_states import Samples
from lal.arrays import Floats
from lal.policies.pool_policy import PoolPolicy
from lal.policies.regression_policy import RegressionPolicy


class NumberTreesLearner(TreesLearner):
    """Samples in blocks by the reference loop, then one fit of boosted trees."""

    name: ClassVar[str] = "rmse_regression"
    make_samples: ClassVar[Callable[..., Samples]] = staticmethod(make_samples)

    def data(self) -> Mapping[str, Any]:
        """Return no data set: tasks are synthetic functions."""
        return {}

    def check(self, policy: PoolPolicy) -> Mapping[str, Any]:
        """Return no check: candidates are drawn from whole pools already."""
        return {}

    @classmethod
    def make_policy(
        cls, config: TreesConfig, inputs: Floats, targets: Floats, *, card: Mapping[str, Any]
    ) -> PoolPolicy:
        """Fit trees to the targets and return them as a policy."""
        told = {
            **card,
            "summary": "For regression: ranks rows by what their labels should take off the RMSE.",
            "trained_on": "synthetic functions alone",
            "ranges": {"n_columns": [1, 30], "n_labelled": [0, 80]},
        }
        made = super().make_policy(config, inputs, targets, card=card)
        return RegressionPolicy.from_pool_policy(replace(made, card=told))
