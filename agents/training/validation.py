"""Validation of pool policies on training-side tasks."""

from typing import Any

import numpy as np

from agents.training.config import PoolConfig
from agents.training.tasks import dev_tasks
from envs.simulator.rankers import policy_ranker
from envs.simulator.rollout import rollout
from lal.arrays import Floats
from lal.policies.pool_policy import PoolPolicy


class PoolValidation:
    """Scores policies of one run on the same tasks from the same initial labelled sets.

    Args:
        config: Names the training distribution and the seed.
        n_tasks: Tasks drawn from it.
        slate_size: Rows of the slates that the policy is trained on.
        slate_rule: How those are drawn.
    """

    def __init__(
        self, config: PoolConfig, n_tasks: int, *, slate_size: int, slate_rule: str
    ) -> None:
        self.seed, self.slate_size, self.slate_rule = config.seed, slate_size, slate_rule
        self.tasks = dev_tasks(config, n_tasks)

    def score(self, policy: PoolPolicy) -> float:
        """Return the mean AUBC of accuracy and balanced accuracy on the reward parts.

        Whole pools are ranked, in the compiled simulator.
        """
        return float(self._areas(policy).mean())

    def slate_check(self, policy: PoolPolicy) -> dict[str, Any]:
        """Return how ranking whole pools compares with ranking slates, as an entry of a card.

        An arg-max over many more rows than in training may pick what the network never learned to
        tell apart. ``passed`` is False when whole pools are worse by more than two standard
        errors of the paired difference.
        """
        whole, slates = self._areas(policy), self._areas(policy, self.slate_size)
        difference, n = whole - slates, len(self.tasks)
        error = float(difference.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
        return {
            "slate_check": {
                "whole_pool": float(whole.mean()),
                "slate": float(slates.mean()),
                "difference": float(difference.mean()),
                "standard_error": error,
                "passed": bool(difference.mean() >= -2.0 * error),
            }
        }

    def _areas(self, policy: PoolPolicy, slate_size: int | None = None) -> Floats:
        """Return the area of every task, shape (T,)."""
        found = rollout(
            self.tasks,
            [policy_ranker(policy)],
            features=(policy.candidate_features, policy.context_features),
            slate_size=slate_size,
            slate_rule=self.slate_rule if slate_size else "random",
            seed=self.seed,
        )
        areas: Floats = found.mixed_areas(0.5)[0]
        return areas
