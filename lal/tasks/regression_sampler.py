"""Where the tasks of lal/PoolRegression-v0 come from: synthetic functions and a learner."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lal.data.dataset import Dataset
from lal.data.regression_prior import sample_regression
from lal.errors import UsageError
from lal.learners import make_learner
from lal.task import Learner, Task
from lal.task_kind import REGRESSION
from lal.tasks.splits import make_task


@dataclass(frozen=True)
class RegressionSampler:
    """Draws a synthetic function, a learner and a fresh split.

    Attributes:
        learners: Learners for regression or names; drawn uniformly.
        budget: Labels acquired after the start.
        budget_known: Probability that the strategy is given the budget.
        reward_share: Share of the rows that rewards are measured on.
        max_pool: Largest pool.
        synthetic: What draws a data set.
    """

    learners: Sequence[Learner | str] = ("ridge", "gp")
    budget: int = 20
    budget_known: float = 0.5
    reward_share: float = 0.6
    max_pool: int = 200
    synthetic: Callable[[np.random.Generator], Dataset] = sample_regression

    def __post_init__(self) -> None:
        """Refuse a sampler that cannot draw."""
        if not self.learners:
            raise UsageError("a task sampler needs at least one learner")

    def __call__(self, rng: np.random.Generator) -> Task:
        """Return the next task, without test part."""
        dataset = self.synthetic(rng)
        learner = self.learners[int(rng.integers(len(self.learners)))]
        return make_task(
            dataset,
            make_learner(learner, task=REGRESSION),
            seed=int(rng.integers(2**31)),
            budget=self.budget,
            reward_share=self.reward_share,
            test_share=0.0,
            max_pool=self.max_pool,
            budget_known=bool(rng.random() < self.budget_known),
        )
