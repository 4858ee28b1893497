"""LalConfig: everything that decides a run of the LAL agent."""

from dataclasses import dataclass, replace
from typing import Literal

from agents.registry import Agent
from agents.training.config import RunConfig, check_above, check_at_least
from lal.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class LalConfig(RunConfig):
    """Trees fitted to the gain of labels; the sizes are those of Konyushkova et al. (2017)."""

    growth: Literal["independent", "iterative"] = "independent"
    """How labelled sets are made: at random, or by the regressors of the smaller sizes."""

    folded: bool = False
    """Ours: see the classes by their margin, so that renaming them changes nothing and the policy
    takes any number of classes (`lal_forest_folded@1` in place of the published features)."""

    source: str = "gaussians"
    """Where simulated tasks come from: "gaussians" (two in the plane), or a binary data set, all
    labels of which are known: halves of it are drawn as pool and as test points (warm start)."""

    first_size: int = 2
    """Smallest number of labels; below two classes there is no forest."""

    last_size: int = 49
    """Largest number of labels."""

    n_tasks: int = 500
    """Fresh tasks for every number of labels."""

    n_candidates: int = 10
    """Candidates tried in a task."""

    n_pool: int = 400
    """Points of a pool; a data set's pool is at most half of it."""

    n_test: int = 4000
    """Points that gains are measured on."""

    n_trees: int = 50
    """Trees of the learner."""

    growth_trees: int = 30
    """Trees of the regressors that grow labelled sets (iterative only)."""

    max_iter: int = 100
    """Boosting rounds of the policy."""

    learning_rate: float = 0.05
    """Learning rate of boosting."""

    max_leaf_nodes: int = 15
    """Largest number of leaves of a boosted tree."""

    min_samples_leaf: int = 200
    """Smallest number of candidates in a leaf of a boosted tree."""

    reference_trees: int = 300
    """Trees of the published regressor, a forest too large to ship, that the policy is compared
    with; 0 leaves it out."""

    reference_rows: int = 20_000
    """Rows that each tree of it is grown on, drawn with replacement; 0: as many as there are."""

    n_dev_tasks: int = 300
    """Fresh tasks whose learning curves say whether the policy learned."""

    validation_share: float = 0.2
    """Share of the tasks that regressors are compared on before the last fit takes all."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(
            self, first_size=2, n_tasks=2, n_candidates=2, n_dev_tasks=2, n_test=1, n_trees=1,
            last_size=self.first_size, growth_trees=1, max_iter=1, max_leaf_nodes=2,
            min_samples_leaf=1, reference_trees=0, reference_rows=0,
            n_pool=self.last_size + self.n_candidates,
        )  # fmt: skip
        check_above(self, 0.0, "learning_rate")
        if not 0.0 < self.validation_share < 1.0:
            raise UsageError(f"validation_share must lie in (0, 1), got {self.validation_share}")


PUBLISHED = LalConfig()

PRESETS = {
    "published": PUBLISHED,
    "published-iterative": replace(PUBLISHED, growth="iterative"),
    "folded": replace(PUBLISHED, growth="iterative", folded=True),
    "quarter": replace(PUBLISHED, n_tasks=125, reference_trees=0),
    "quarter-iterative": replace(
        PUBLISHED, growth="iterative", n_tasks=125, reference_trees=0
    ),
    "demo": replace(PUBLISHED, n_tasks=25, n_test=1000, reference_trees=0, n_dev_tasks=40),
    "smoke": replace(
        PUBLISHED, last_size=4, n_tasks=12, n_pool=40, n_test=100, n_trees=10, growth_trees=3,
        max_iter=3, min_samples_leaf=3, reference_trees=3, n_dev_tasks=2,
    ),
}  # fmt: skip
"""published: 240 000 rows, minutes on one core. demo: under a minute. smoke: seconds."""

AGENT = Agent(
    name="lal",
    summary="LAL: what a label gains a random forest, regressed on simulated tasks",
    config_type=LalConfig,
    presets=PRESETS,
    learner="agents.lal_regression.learner:LalLearner",
    controls=("shuffled_reward", "shuffled_everywhere", "uncertainty_only"),
)
