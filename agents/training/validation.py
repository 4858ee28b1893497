"""Validation of pool policies on training-side tasks."""

from typing import Any

from agents.training.config import PoolConfig
from agents.training.slate_check import compare_with_slate
from agents.training.tasks import dev_tasks
from envs.simulator.rankers import policy_ranker
from envs.simulator.rollout import rollout
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
        found = rollout(
            self.tasks,
            [policy_ranker(policy)],
            features=(policy.candidate_features, policy.context_features),
            seed=self.seed,
        )
        return float(found.mixed_areas(0.5).mean())

    def slate_check(self, policy: PoolPolicy) -> dict[str, Any]:
        """Return how ranking whole pools compares with ranking slates, as an entry of a card."""
        found = compare_with_slate(
            policy, self.tasks, self.slate_size, self.slate_rule, seed=self.seed
        )
        return {"slate_check": found}
