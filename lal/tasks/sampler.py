"""Where an environment's tasks come from: samplers over data sets and the synthetic prior."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from lal.data.dataset import Dataset
from lal.data.datasets import BUNDLED, load_dataset
from lal.data.prior import sample_dataset
from lal.errors import LalError, UsageError
from lal.learners import make_learner
from lal.task import Learner, Task
from lal.tasks.splits import make_task

BUNDLED_NAMES = tuple(f"sklearn:{name}" for name in BUNDLED)
"""The data sets that come with scikit-learn, as `lal.load_dataset` calls them."""

MOST_REDRAWS = 1000
"""Draws from the synthetic prior before a hold-out that leaves nothing is reported."""


@dataclass(frozen=True)
class TaskSampler:
    """Draws a data set, a learner and a fresh split; never one of a family held out.

    Attributes:
        datasets: Data sets or names for `lal.load_dataset`; a suite works too. Drawn uniformly.
        learners: Learners or names; drawn uniformly.
        budget: Labels acquired after the start, at most half of the pool.
        hold_out: Families that are never drawn, neither real nor synthetic.
        share_synthetic: Probability that the data set comes from the synthetic prior.
        classes_known: Probability that the strategy is given the number of classes.
        budget_known: Probability that the strategy is given the budget.
        reward_share: Share of the rows that rewards are measured on.
        max_pool: Largest pool; larger ones are cut at random, so that episodes stay quick.
        synthetic: What draws a synthetic data set.
        conditions: Conditions of every pool; see `lal.tasks.conditions`.
    """

    datasets: Sequence[Dataset | str] = BUNDLED_NAMES
    learners: Sequence[Learner | str] = ("logistic_regression",)
    budget: int = 20
    hold_out: Sequence[str] = ()
    share_synthetic: float = 0.5
    classes_known: float = 0.5
    budget_known: float = 0.5
    reward_share: float = 0.4
    max_pool: int = 200
    synthetic: Callable[[np.random.Generator], Dataset] = sample_dataset
    conditions: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse a sampler that cannot draw."""
        for name in ("share_synthetic", "classes_known", "budget_known"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UsageError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        if not self.learners:
            raise UsageError("a task sampler needs at least one learner")
        if isinstance(self.hold_out, str):
            raise UsageError(f"hold_out is a list of families, got the text {self.hold_out!r}")

    def families(self) -> tuple[str, ...]:
        """Return the families of the real data sets that may be drawn, sorted."""
        return tuple(sorted({d.family for d in self._allowed()}))

    def __call__(self, rng: np.random.Generator) -> Task:
        """Return the next task, without test part.

        Raises:
            UsageError: The families held out leave nothing to draw.
        """
        for _ in range(MOST_REDRAWS):
            task = self._draw_task(rng)
            if task is not None:
                return task
        raise UsageError(
            f"{MOST_REDRAWS} draws gave no task that can be played: every pool was too small or "
            "had one class; lower reward_share or raise max_pool"
        )

    def _draw_task(self, rng: np.random.Generator) -> Task | None:
        """Return a task, or None where so few rows differ that nothing is left to ask."""
        dataset = self._draw_dataset(rng)
        learner = make_learner(self.learners[int(rng.integers(len(self.learners)))])
        classes_known, budget_known = rng.random(2) < (self.classes_known, self.budget_known)
        try:
            task = make_task(
                dataset,
                learner,
                seed=int(rng.integers(2**31)),
                budget=1,
                reward_share=self.reward_share,
                test_share=0.0,
                max_pool=self.max_pool,
                classes_known=bool(classes_known),
                budget_known=bool(budget_known),
                conditions=self.conditions,
            )
        except LalError:
            # a real data set that cannot be split is the caller's to know about
            if dataset.source != "prior":
                raise
            return None
        if task.reward is None:
            return None
        return replace(task, budget=max(1, min(self.budget, len(task.pool) // 2))).blind()

    def _draw_dataset(self, rng: np.random.Generator) -> Dataset:
        if rng.random() < self.share_synthetic:
            return self._draw_synthetic(rng)
        allowed = self._allowed()
        if not allowed:
            raise UsageError(
                f"holding out {', '.join(self.hold_out) or 'nothing'} leaves no data set to train "
                "on; hold out fewer families, give more data sets, or set share_synthetic to 1"
            )
        return allowed[int(rng.integers(len(allowed)))]

    def _draw_synthetic(self, rng: np.random.Generator) -> Dataset:
        for _ in range(MOST_REDRAWS):
            dataset = self.synthetic(rng)
            if dataset.family not in self.hold_out:
                return dataset
        raise UsageError(
            f"{MOST_REDRAWS} draws of the synthetic prior all fell into the families held out "
            f"({', '.join(self.hold_out)}); hold out fewer or set share_synthetic to 0"
        )

    def _allowed(self) -> list[Dataset]:
        loaded = [_loaded(d) if isinstance(d, str) else d for d in self.datasets]
        return [d for d in loaded if d.family not in self.hold_out]


@cache
def _loaded(name: str) -> Dataset:
    return load_dataset(name)


def default_tasks() -> TaskSampler:
    """Return what `gymnasium.make("lal/Pool-v0")` runs: bundled and synthetic data, 20 labels."""
    return TaskSampler()
