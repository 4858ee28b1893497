"""Tasks of the synthetic prior, for agents whose policies see no real data set in training."""

from dataclasses import dataclass, replace
from functools import partial

from agents.training.config import PoolConfig, check_within
from agents.training.tasks import PlayableTasks, training_tasks
from lal.data.prior import PriorConfig, sample_dataset


@dataclass(frozen=True, kw_only=True)
class PriorPoolConfig(PoolConfig):
    """Agents that learn in the compiled simulator on the synthetic prior."""

    datasets: tuple[str, ...] = ()
    """Real data sets to train on; none: the synthetic prior alone, so every real set is unseen."""

    hold_out: tuple[str, ...] = ()
    """Families that are never trained or validated on, real or synthetic."""

    share_synthetic: float = 1.0
    """Probability that a training task comes from the synthetic prior."""

    learners: tuple[str, ...] = (
        "logistic_regression",
        "logistic_regression",
        "random_forest",
        "gaussian_nb",
        "knn",
        "ridge",
    )
    """Learners that the policy is trained with, drawn uniformly; one named twice counts twice."""

    rows: tuple[int, int] = (400, 1500)
    """Smallest and largest number of rows of a synthetic data set."""

    columns: tuple[int, int] = (2, 100)
    """Smallest and largest number of columns of a synthetic data set."""

    clean: float = 0.75
    """Chance that a synthetic data set has no wrong labels."""

    informative: tuple[float, float] = (0.2, 1.0)
    """Smallest and largest share of informative columns of a synthetic data set."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_within(self, "clean", 0.0, 1.0)


def prior_tasks(config: PriorPoolConfig, budget: int) -> PlayableTasks:
    """Return what draws the training tasks, with the prior of the config.

    Args:
        config: The tasks.
        budget: Labels that the pool of every task can pay for twice.
    """
    prior = PriorConfig(
        rows=config.rows,
        columns=config.columns,
        clean=config.clean,
        informative=config.informative,
    )
    sampler = replace(
        training_tasks(config).sampler,
        synthetic=partial(sample_dataset, config=prior),
        reward_share=0.5,
    )
    return PlayableTasks(sampler, budget)
