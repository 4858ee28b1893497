"""TreesConfig: everything that decides a run of the gain-regression agent."""

from dataclasses import dataclass

from agents.registry import Agent
from agents.training.config import PoolConfig, check_above, check_at_least
from lal.errors import UsageError

GAIN_METRICS = ("accuracy", "balanced_accuracy", "log_likelihood")
"""Metrics whose change can be learned; names of `lal.episode.METRICS`."""


@dataclass(frozen=True, kw_only=True)
class TreesConfig(PoolConfig):
    """Boosted trees fitted to the gain of every candidate of many states."""

    n_dev_tasks: int = 10
    """Tasks of the final check that ranking whole pools is not worse than ranking slates."""

    n_states: int = 480
    """States in which gains are measured."""

    n_candidates: int = 16
    """Candidates tried in a state, half of them the most uncertain."""

    metric: str = "accuracy"
    """What a label gains, on the reward part: accuracy, balanced_accuracy or log_likelihood."""

    n_blocks: int = 12
    """Parts in which states are made; each is on disk when done."""

    n_jobs: int = 2
    """Blocks that are made at once; changes nothing but the time."""

    max_iter: int = 150
    """Boosting rounds."""

    learning_rate: float = 0.05
    """Learning rate of boosting."""

    max_leaf_nodes: int = 15
    """Largest number of leaves of a tree."""

    min_samples_leaf: int = 80
    """Smallest number of candidates in a leaf."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(
            self, n_blocks=1, n_candidates=2, max_iter=1, n_dev_tasks=1, n_jobs=1,
            max_leaf_nodes=2, min_samples_leaf=1, n_states=self.n_blocks,
        )  # fmt: skip
        check_above(self, 0.0, "learning_rate")
        if self.metric not in GAIN_METRICS:
            known = ", ".join(GAIN_METRICS)
            raise UsageError(f"metric must be one of {known}, got {self.metric!r}")


PRESETS = {
    "demo": TreesConfig(),
    "thorough": TreesConfig(n_states=20_000, n_blocks=100, n_candidates=20, max_iter=300),
    "smoke": TreesConfig(
        n_states=6, n_blocks=2, n_candidates=6, max_iter=3, min_samples_leaf=3, n_dev_tasks=1,
        budget=4, max_pool=40, n_jobs=1,
    ),
}  # fmt: skip
"""demo: a minute or so on two cores. thorough: an hour or so. smoke: seconds, learns nothing."""

AGENT = Agent(
    name="gain_regression",
    summary="boosted trees that predict what one more label gains",
    config_type=TreesConfig,
    presets=PRESETS,
    learner="agents.imitation.trees_learner:TreesLearner",
    controls=("shuffled_reward", "uncertainty_only"),
)
