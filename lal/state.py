"""QueryState: all that a strategy, a feature or a policy may look at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lal.arrays import Floats, Ints, Labels, Rows
from lal.task import Model
from lal.task_kind import CLASSIFICATION, REGRESSION, TaskKind

T = TypeVar("T")


class View(Protocol):
    """Encoded rows of a pool, made when they are asked for; see `lal.data.view`."""

    @property
    def n_rows(self) -> int:
        """Rows of the pool."""
        ...

    @property
    def Z(self) -> Floats:
        """All encoded rows, shape (N, d)."""
        ...

    @property
    def reference(self) -> Ints:
        """Indices of the reference set, shape (R,)."""
        ...

    def rows(self, rows: Ints) -> Floats:
        """Return some encoded rows, shape (n, d)."""
        ...

    def hashes(self) -> NDArray[np.uint64]:
        """Return a hash of the content of every row, shape (N,)."""
        ...

    def encode(self, X: Rows) -> Floats:
        """Return further rows, encoded exactly as the pool's, (n, D) to (n, d)."""
        ...


@dataclass(frozen=True, eq=False)
class Geometry:
    """The one view of a pool: encoded rows Z and the reference set R.

    Made by `lal.data.view.make_geometry` and nowhere else. It does not depend on labels, so one
    instance serves a whole episode; `memo` keeps what is derived from it. Nothing is encoded
    before it is asked for, and a large pool is never encoded as a whole by `rows`.

    Attributes:
        view: Encodes the pool.
        more: Encoded rows behind those of the pool that are no pool rows; see `extended`.
    """

    view: View = field(repr=False)
    more: Floats | None = field(default=None, repr=False)
    _memo: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def n_more(self) -> int:
        """Rows behind the pool that are no pool rows."""
        return 0 if self.more is None else len(self.more)

    @property
    def n_rows(self) -> int:
        """Rows of the pool and those behind it."""
        return self.view.n_rows + self.n_more

    @cached_property
    def Z(self) -> Floats:
        """Encoded rows, shape (N, d), about unit scale; prefer `rows` in large pools."""
        return self.view.Z if self.more is None else np.concatenate([self.view.Z, self.more])

    def rows(self, rows: Ints) -> Floats:
        """Return some encoded rows, shape (n, d)."""
        if self.more is None:
            return self.view.rows(rows)
        outside = rows >= self.view.n_rows
        Z = np.empty((len(rows), self.more.shape[1]))
        Z[~outside] = self.view.rows(rows[~outside])
        Z[outside] = self.more[rows[outside] - self.view.n_rows]
        return Z

    @property
    def reference(self) -> Ints:
        """Indices of at most 1 024 rows, chosen by a hash of their content, shape (R,)."""
        return self.view.reference

    @cached_property
    def Z_reference(self) -> Floats:
        """Encoded rows of the reference set, shape (R, d)."""
        return self.view.rows(self.reference)

    def encode(self, X: Rows) -> Floats:
        """Return further rows, encoded exactly as the pool's, (n, D) to (n, d)."""
        return self.view.encode(X)

    def memo(self, key: str, make: Callable[[], T]) -> T:
        """Return the label-free quantity called `key`, made at most once per pool."""
        if key not in self._memo:
            self._memo[key] = make()
        value: T = self._memo[key]
        return value

    def extended(self, X_more: Rows) -> "Geometry":
        """Return a geometry with further rows to score; the reference set stays as it is."""
        more = self.encode(X_more)
        return Geometry(self.view, more if self.more is None else np.concatenate([self.more, more]))


@dataclass(frozen=True, eq=False)
class Assumption:
    """A label that nobody gave.

    Attributes:
        row: The row.
        code: The code of its assumed class; in regression, the number assumed.
        before: What the state before it kept; see `QueryState.memo`.
    """

    row: int
    code: float
    before: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, eq=False)
class QueryState:
    """A pool as it stands before a query.

    Attributes:
        X: All N samples as the learner takes them.
        geometry: The encoded view of the same rows.
        labelled: Indices of labelled samples in row order, shape (L,).
        labels: Their labels as codes, or as numbers in regression, shape (L,).
        n_classes: C: the declared number of classes, or the number seen so far when unknown; 0 in
            regression.
        classes_known: Whether `n_classes` was declared.
        proba: Class probabilities of all rows, shape (N, C); None before two classes are
            seen, and in regression.
        model: The fitted model behind `proba` or `prediction`; None without one.
        budget: Labels that may be acquired in all, start included; None when unknown.
        sample_weight: Weights of the labelled samples, shape (L,), or None.
        learner: What fitted `model`, for strategies that refit it; None without one.
        assumption: The last label that was assumed; None where every label was given.
        kind: What a label is; see `lal.task_kind`.
        prediction: In regression, the model's prediction of all rows, shape (N,); None before a
            label is there, and in classification.
        refused: Indices of rows that were asked and are of no class of the task.
    """

    X: Rows
    geometry: Geometry
    labelled: Ints
    labels: Labels
    n_classes: int
    classes_known: bool
    proba: Floats | None
    model: Model | None = None
    budget: int | None = None
    sample_weight: Floats | None = None
    learner: Any = None
    assumption: Assumption | None = None
    kind: TaskKind = CLASSIFICATION
    prediction: Floats | None = None
    refused: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def N(self) -> int:
        """Number of rows."""
        return self.geometry.n_rows

    @property
    def Z(self) -> Floats:
        """Encoded rows, shape (N, d)."""
        return self.geometry.Z

    @property
    def reference(self) -> Ints:
        """Indices of the reference set, shape (R,)."""
        return self.geometry.reference

    @cached_property
    def open(self) -> Ints:
        """Indices of the rows that may be asked: without a label, and not refused."""
        mask = np.ones(self.N, dtype=bool)
        mask[self.labelled] = False
        mask[self.refused] = False
        return np.flatnonzero(mask)

    @cached_property
    def Z_labelled(self) -> Floats:
        """Encoded labelled rows, shape (L, d)."""
        return self.geometry.rows(self.labelled)

    @cached_property
    def committee(self) -> Floats | None:
        """Probabilities of the model's members, shape (M, N, C), where it has members."""
        return None if self.model is None else self.model.committee_proba(self.X)

    @cached_property
    def variance(self) -> Floats | None:
        """Predictive variance or leverage of all rows, shape (N,), where the model has one."""
        return None if self.model is None else self.model.variance(self.X)

    @cached_property
    def members(self) -> Floats | None:
        """Predictions of a regression model's members, shape (M, N), where it has members."""
        found = None if self.kind != REGRESSION else getattr(self.model, "predict_members", None)
        members: Floats | None = None if found is None else found(self.X)
        return members

    @cached_property
    def pixel_proba(self) -> Floats | None:
        """Probabilities of every pixel of all regions, (N, P, C), where the model has pixels."""
        found = getattr(self.model, "pixel_proba", None)
        proba: Floats | None = None if found is None else found(self.X)
        return proba

    @cached_property
    def memo_store(self) -> dict[str, Any]:
        """What several features of one state share; see `memo`."""
        return {}

    def memo(self, key: str, make: Callable[[], T], update: Callable[[T], T] | None = None) -> T:
        """Return the quantity called `key`, made at most once per state.

        Args:
            key: Its name.
            make: Computes it from nothing.
            update: Turns its value before the last assumed label into the present one, where that
                costs less.
        """
        if key not in self.memo_store:
            before = {} if update is None or self.assumption is None else self.assumption.before
            known = update is not None and key in before
            self.memo_store[key] = update(before[key]) if known and update else make()
        value: T = self.memo_store[key]
        return value

    def predicted_label(self, row: int) -> float:
        """Return the code of the likeliest class of a row, the first of equally likely ones.

        Before there is a model, it is the class that has most labels so far. In regression it is
        the predicted number, and the mean of the labels before there is a model.
        """
        if self.kind == REGRESSION:
            mean = float(self.labels.mean()) if len(self.labels) else 0.0
            return mean if self.prediction is None else float(self.prediction[row])
        if self.proba is not None:
            return int(np.argmax(self.proba[row]))
        return int(np.argmax(np.bincount(self.labels, minlength=1)))

    def assume_label(self, row: int, code: float) -> "QueryState":
        """Return the state in which a row has a label; nothing is refitted.

        Probabilities and model stay as they are. A row that has a label keeps it.
        """
        place = int(np.searchsorted(self.labelled, row))
        if place < len(self.labelled) and self.labelled[place] == row:
            return self
        weights = self.sample_weight
        after = replace(
            self,
            labelled=np.insert(self.labelled, place, row),
            labels=np.insert(self.labels, place, code),
            n_classes=0 if self.kind == REGRESSION else max(self.n_classes, int(code) + 1),
            sample_weight=None if weights is None else np.insert(weights, place, 1.0),
            assumption=Assumption(row, code, self.memo_store),
        )
        for name in ("committee", "variance", "members", "pixel_proba"):
            if name in self.__dict__:
                after.__dict__[name] = self.__dict__[name]
        return after


@runtime_checkable
class Strategy(Protocol):
    """Ranks the rows of a pool.

    `utilities` returns one finite number per row, shape (N,), higher is asked first. It is a
    function of the state and of `rng` alone; it never depends on which rows may be asked.
    """

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the utility of every row, shape (N,)."""
        ...
