"""Task: data set, learner, split and budget; the contracts of learners and models."""

from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from lal.arrays import Bools, Floats, Ints, Labels, Rows
from lal.errors import DataError, FirewallError, UsageError
from lal.pool import take
from lal.task_kind import CLASSIFICATION, REGRESSION, TaskKind

Start = Literal["two_classes"] | int

INVALID = -1
"""Code of pool rows whose label is none of the task's classes: the oracle answers so, at a cost."""


class Model(Protocol):
    """A fitted learner that speaks of all classes of the task."""

    n_classes: int

    def predict_proba(self, X: Rows) -> Floats:
        """Return probabilities of all classes, shape (n, C), rows sum to one."""
        ...

    def predict(self, X: Rows) -> Labels:
        """Return class codes, or numbers in regression, shape (n,)."""
        ...

    def committee_proba(self, X: Rows) -> Floats | None:
        """Return the members' probabilities, shape (M, n, C), or None without members."""
        ...

    def variance(self, X: Rows) -> Floats | None:
        """Return the predictive variance or leverage, shape (n,), or None."""
        ...


class Learner(Protocol):
    """Fits a model to labelled samples; 0 labels and one class are legal.

    A learner for regression has the attribute ``kind = "regression"``; it is given numbers for y
    and 0 for `n_classes`, and returns a `lal.learners.regression.RegressionModel`.
    """

    name: str

    def fit(
        self,
        X: Rows,
        y: Labels,
        *,
        n_classes: int,
        sample_weight: Floats | None = None,
        seed: int = 0,
    ) -> Model:
        """Return a model fitted to X (L, D) with labels y (L,)."""
        ...


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of a data set that play one role.

    Attributes:
        X: Samples, n of them.
        y: Class codes, or numbers in regression, shape (n,).
        groups: Groups that results are compared over, shape (n,), or None. They are measured with
            and never reach a strategy.
        pixels: Where rows are regions of images, the class of each of their pixels, shape (n, P);
            y is then the commonest class of each region. See `lal.tasks.regions`.
    """

    X: Rows
    y: Labels
    groups: Ints | None = None
    pixels: Ints | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.y)

    @property
    def targets(self) -> Labels:
        """What a learner is fitted to: y, or the classes of the pixels where there are any."""
        return self.y if self.pixels is None else self.pixels

    def at(self, rows: Ints) -> "Part":
        """Return some rows, with their groups and pixels."""
        groups, pixels = (None if v is None else v[rows] for v in (self.groups, self.pixels))
        return Part(take(self.X, rows), self.y[rows], groups, pixels)


@dataclass(frozen=True, eq=False)
class Task:
    """One active-learning problem: disjoint parts of a data set, a learner and a budget.

    Attributes:
        name: Data set and learner, for tables.
        family: Relatives share it; they never stand on both sides of a split.
        learner: The task model, which is also the query model.
        n_classes: Classes of the data set, C; 0 in regression.
        pool: Rows that may be asked; their labels are the oracle's. `INVALID` marks rows of no
            class of the task.
        test: Rows that only evaluation sees; None for environments (`blind`).
        reward: Rows that rewards are measured on, or None.
        state_X: Held-aside rows whose labels are never used, or None.
        budget: Labels that are acquired after the start.
        start: ``"two_classes"`` (random labels until a second class is seen, or a second value in
            regression) or a number.
        balanced_start: Whether the classes take turns in the start, so that C labels hold one of
            each; otherwise its rows are random.
        classes_known: Whether the strategy is given C.
        budget_known: Whether the strategy is given the budget.
        info: Where the task came from (source, hash, seed), kept with results.
        kind: What a label is; see `lal.task_kind`.
    """

    name: str
    family: str
    learner: Learner
    n_classes: int
    pool: Part
    test: Part | None
    reward: Part | None = None
    state_X: Rows | None = None
    budget: int = 50
    start: Start = "two_classes"
    balanced_start: bool = False
    classes_known: bool = False
    budget_known: bool = False
    info: tuple[tuple[str, str], ...] = ()
    kind: TaskKind = CLASSIFICATION

    def __post_init__(self) -> None:
        """Refuse a task that cannot be run."""
        if len(self.pool) == 0:
            raise DataError(f"task {self.name!r} has an empty pool; expected labelled rows")
        if len(np.unique(self.answered().targets)) < 2:
            only = "number" if self.kind == REGRESSION else "class"
            raise DataError(
                f"the pool of task {self.name!r} holds one {only} only; active learning needs two"
            )
        if (mine := getattr(self.learner, "kind", CLASSIFICATION)) != self.kind:
            raise UsageError(
                f"task {self.name!r} is a {self.kind} task and its learner is for {mine}; make the "
                f"learner with lal.make_learner(..., task={self.kind!r})"
            )
        pixels = self.pool.pixels
        parts = [part for part in (self.pool, self.test, self.reward) if part is not None]
        if len({None if part.pixels is None else part.pixels.shape[1] for part in parts}) > 1:
            raise UsageError(
                f"pool, test and reward part of task {self.name!r} do not all have regions of the "
                "same number of pixels"
            )
        if pixels is not None and getattr(self.learner, "n_pixels", 0) != pixels.shape[1]:
            raise UsageError(
                f"the rows of task {self.name!r} are regions of {pixels.shape[1]} pixels, and its "
                'learner is not for them; make it with lal.make_learner("segmentation", base=..., '
                f"n_pixels={pixels.shape[1]})"
            )
        start = 2 if self.start == "two_classes" else int(self.start)
        if self.budget < 1:
            raise UsageError(f"budget must be at least 1, got {self.budget}")
        if start + self.budget > len(self.pool):
            raise UsageError(
                f"a budget of {self.budget} labels after a start of {start} is more than the pool "
                f"of {len(self.pool)} rows of task {self.name!r}; lower the budget"
            )

    @property
    def is_answered(self) -> Bools:
        """Whether the oracle has a label for each row of the pool, shape (N,)."""
        answered: Bools = (self.pool.y != INVALID) | (self.kind != CLASSIFICATION)
        return answered

    @property
    def has_invalid(self) -> bool:
        """Whether the pool has rows of no class of the task."""
        return not bool(self.is_answered.all())

    def answered(self) -> Part:
        """Return the pool without rows of no class: what a learner of all labels is fitted to."""
        if not self.has_invalid:
            return self.pool
        return self.pool.at(np.flatnonzero(self.is_answered))

    def blind(self) -> "Task":
        """Return the task without its test part: what environments and agents are given."""
        return replace(self, test=None)

    def test_part(self) -> Part:
        """Return the test part; only evaluation asks for it."""
        if self.test is None:
            raise FirewallError(f"task {self.name!r} is blind: its test rows are not here")
        return self.test

    def reward_part(self) -> Part:
        """Return the part that rewards are measured on."""
        if self.reward is None:
            raise UsageError(
                f"task {self.name!r} has no reward part; make it with reward_share above 0"
            )
        return self.reward
