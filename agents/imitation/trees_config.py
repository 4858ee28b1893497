"""TreesConfig: everything that decides a run of the gain-regression agent."""

from dataclasses import dataclass
from typing import ClassVar

from agents.registry import Agent
from agents.training.config import PoolConfig, check_above, check_at_least
from lal.errors import UsageError
from lal.features import REGRESSION_CANDIDATE_FEATURES, REGRESSION_CONTEXT_FEATURES
from lal.metrics import REGRESSION_METRICS
from lal.task_kind import CLASSIFICATION, REGRESSION, TaskKind

GAIN_METRICS = ("accuracy", "balanced_accuracy", "log_likelihood")
"""Metrics whose change can be learned; names of `lal.episode.METRICS`."""


@dataclass(frozen=True, kw_only=True)
class TreesConfig(PoolConfig):
    """Boosted trees fitted to the gain of every candidate of many states."""

    kind: ClassVar[TaskKind] = CLASSIFICATION
    gain_metrics: ClassVar[tuple[str, ...]] = GAIN_METRICS

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
        if self.metric not in self.gain_metrics:
            known = ", ".join(self.gain_metrics)
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


@dataclass(frozen=True, kw_only=True)
class NumberTreesConfig(TreesConfig):
    """The same for regression: gains of RMSE on synthetic functions alone."""

    kind: ClassVar[TaskKind] = REGRESSION
    gain_metrics: ClassVar[tuple[str, ...]] = tuple(REGRESSION_METRICS)

    datasets: tuple[str, ...] = ()
    """None: regression policies learn from synthetic functions alone."""

    hold_out: tuple[str, ...] = ()
    """None: no real data set is trained on."""

    share_synthetic: float = 1.0
    """All training tasks are synthetic."""

    learners: tuple[str, ...] = ("ridge", "gp")
    """Learners for regression that the policy is trained with; drawn uniformly."""

    budget: int = 40
    """Labels that an episode may acquire after its initial labelled set."""

    max_pool: int = 200
    """Largest pool; larger ones are cut at random."""

    metric: str = "rmse_skill"
    """What a label gains, on the reward part: rmse_skill, neg_rmse or r2."""

    candidate_features: tuple[str, ...] = REGRESSION_CANDIDATE_FEATURES
    """Candidate features that the policy sees."""

    context_features: tuple[str, ...] = REGRESSION_CONTEXT_FEATURES
    """Context features that the policy sees."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        if self.datasets or self.share_synthetic < 1.0:
            raise UsageError("regression policies learn from synthetic functions; drop datasets")
        if self.control == "uncertainty_only":
            raise UsageError("control 'uncertainty_only' is for classification; leave it out")


NUMBER_PRESETS = {
    "demo": NumberTreesConfig(n_states=420, n_blocks=6, max_iter=100, n_candidates=20),
    "thorough": NumberTreesConfig(n_states=4200, n_blocks=60, n_candidates=20, max_iter=200),
    "smoke": NumberTreesConfig(
        n_states=6, n_blocks=2, n_candidates=6, max_iter=3, min_samples_leaf=3, budget=4,
        max_pool=40, n_jobs=1,
    ),
}  # fmt: skip
"""demo: 15 CPU seconds. thorough: two minutes; it ships. smoke: seconds, learns nothing."""

NUMBERS = Agent(
    name="rmse_regression",
    summary="boosted trees that predict what one more label takes off a regression's error",
    config_type=NumberTreesConfig,
    presets=NUMBER_PRESETS,
    learner="agents.imitation.number_trees:NumberTreesLearner",
    controls=("shuffled_reward",),
)
