"""Gain regression for regression: trees beside the rank of iGS's product.

The trees are those of `agents.imitation.trees_learner`, fitted to the fall of the RMSE. As margin
does in the default policy, a known rule keeps a part in the utility: the gain of one label is
mostly noise, and the rule is right on average.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from agents.imitation.number_states import make_samples
from agents.imitation.trees_config import NumberTreesConfig, TreesConfig
from agents.imitation.trees_learner import TreesLearner
from agents.imitation.trees_states import Samples
from lal.arrays import Floats
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy

PRODUCT = "greedy_product_rank@1"
"""The feature that the known part of the utility is made of."""


class NumberTreesLearner(TreesLearner):
    """Samples in blocks by the reference environment, then one fit of boosted trees."""

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
        """Return trees plus the weighted rank of iGS's product."""
        plain = super().make_policy(config, inputs, targets, card=card)
        told = {
            **plain.card,
            "summary": "For regression: ranks rows by what their labels should take off the RMSE.",
            "trained_on": "synthetic functions alone",
            "ranges": {"n_columns": [1, 30], "n_labelled": [0, 80]},
        }
        return _beside_product(replace(plain, card=told), config)


def _beside_product(policy: PoolPolicy, config: TreesConfig) -> PoolPolicy:
    """Return the policy whose utility is the trees' plus the weighted rank."""
    if not isinstance(config, NumberTreesConfig):
        raise UsageError(f"expected a NumberTreesConfig, got {type(config).__name__}")
    if config.prior_weight == 0:
        return policy
    if PRODUCT not in policy.candidate_features:
        raise UsageError(f"prior_weight needs the feature {PRODUCT}; add it or set it to 0")
    column = list(policy.candidate_features).index(PRODUCT)
    weight = np.array([[1.0, config.prior_weight]])
    ops = [
        *policy.program["ops"],
        {"op": "select", "in": ["candidates"], "out": ["product"], "columns": [column]},
        {"op": "concat", "in": [policy.program["output"], "product"], "out": ["both"]},
        {"op": "affine", "in": ["both"], "out": ["sum"], "weight": "beside"},
    ]
    return replace(
        policy,
        program={"ops": ops, "output": "sum"},
        tensors={**policy.tensors, "beside": weight.astype(np.float32)},
    )
