"""Tasks of the synthetic prior, for agents whose policies see no real data set in training."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from agents.training.config import PoolConfig, check_within
from agents.training.tasks import PlayableTasks, training_tasks
from lal.data.prior import PriorConfig, sample_dataset
from lal.errors import UsageError
from lal.task import Task

DrawTask = Callable[[np.random.Generator], Task]


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

    rare: float = 0.0
    """Chance that a synthetic data set has two to five classes, some of them rare (2 to 15 %)."""

    blurred: float = 0.0
    """Chance that the classes of a synthetic data set overlap at their borders."""

    warm: float = 0.0
    """Chance that a task begins with `warm_labels` random labels; the others begin with one label
    each of two classes."""

    warm_labels: tuple[int, int] = (10, 30)
    """Fewest and most random labels of a warm start."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        for name in ("clean", "rare", "blurred", "warm"):
            check_within(self, name, 0.0, 1.0)
        low, high = self.warm_labels
        if not 1 <= low <= high:
            raise UsageError(f"warm_labels must be a range from 1 up, got {self.warm_labels}")


def prior_tasks(config: PriorPoolConfig, budget: int) -> DrawTask:
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
        rare=config.rare,
        blurred=config.blurred,
    )
    sampler = replace(
        training_tasks(config).sampler,
        synthetic=partial(sample_dataset, config=prior),
        reward_share=0.5,
    )
    tasks = PlayableTasks(sampler, budget)
    return _WarmTasks(tasks, config.warm, config.warm_labels) if config.warm else tasks


@dataclass(frozen=True)
class _WarmTasks:
    """Tasks of which some begin with random labels."""

    tasks: PlayableTasks
    share: float
    labels: tuple[int, int]

    def __call__(self, rng: np.random.Generator) -> Task:
        task = self.tasks(rng)
        chance, start = rng.random(), int(rng.integers(self.labels[0], self.labels[1] + 1))
        return replace(task, start=start) if chance < self.share else task
