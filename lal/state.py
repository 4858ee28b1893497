"""QueryState: all that a strategy, a feature or a policy may look at."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.task import Model

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Geometry:
    """The one view of a pool: encoded rows Z and the reference set R.

    Made by `lal.data.view.make_geometry` and nowhere else. It does not depend on labels, so one
    instance serves a whole episode; `memo` keeps what is derived from it.

    Attributes:
        Z: Encoded rows, shape (N, d), about unit scale.
        reference: Indices of at most 1 024 rows, chosen by a hash of their content, shape (R,).
        encode: Encodes further rows exactly as Z was made, (n, D) to (n, d).
        n_more: Rows at the end of Z that are no pool rows; see `extended`.
    """

    Z: Floats
    reference: Ints
    encode: Callable[[Rows], Floats] = field(repr=False)
    n_more: int = 0
    _memo: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def Z_reference(self) -> Floats:
        """Encoded rows of the reference set, shape (R, d)."""
        return self.Z[self.reference]

    def memo(self, key: str, make: Callable[[], T]) -> T:
        """Return the label-free quantity called `key`, made at most once per pool."""
        if key not in self._memo:
            self._memo[key] = make()
        value: T = self._memo[key]
        return value

    def extended(self, X_more: Rows) -> "Geometry":
        """Return a geometry with further rows to score; the reference set stays as it is."""
        more = self.encode(X_more)
        Z = np.concatenate([self.Z, more])
        n_more = self.n_more + len(more)
        return Geometry(Z=Z, reference=self.reference, encode=self.encode, n_more=n_more)


@dataclass(frozen=True, eq=False)
class QueryState:
    """A pool as it stands before a query.

    Attributes:
        X: All N samples as the learner takes them.
        geometry: The encoded view of the same rows.
        labelled: Indices of labelled samples in row order, shape (L,).
        labels: Their labels as codes, shape (L,).
        n_classes: C: the declared number of classes, or the number seen so far when unknown.
        classes_known: Whether `n_classes` was declared.
        proba: Class probabilities of all rows, shape (N, C); None before two classes are seen.
        model: The fitted model behind `proba`; None without one.
        budget: Labels that may be bought in all, start included; None when unknown.
        sample_weight: Weights of the labelled samples, shape (L,), or None.
        learner: What fitted `model`, for strategies that refit it; None without one.
    """

    X: Rows
    geometry: Geometry
    labelled: Ints
    labels: Ints
    n_classes: int
    classes_known: bool
    proba: Floats | None
    model: Model | None = None
    budget: int | None = None
    sample_weight: Floats | None = None
    learner: Any = None

    @property
    def N(self) -> int:
        """Number of rows."""
        return len(self.geometry.Z)

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
        """Indices of the rows without a label."""
        mask = np.ones(self.N, dtype=bool)
        mask[self.labelled] = False
        return np.flatnonzero(mask)

    @cached_property
    def Z_labelled(self) -> Floats:
        """Encoded labelled rows, shape (L, d)."""
        return self.geometry.Z[self.labelled]

    @cached_property
    def committee(self) -> Floats | None:
        """Probabilities of the model's members, shape (M, N, C), where it has members."""
        return None if self.model is None else self.model.committee_proba(self.X)

    @cached_property
    def variance(self) -> Floats | None:
        """Predictive variance or leverage of all rows, shape (N,), where the model has one."""
        return None if self.model is None else self.model.variance(self.X)

    @cached_property
    def memo_store(self) -> dict[str, Any]:
        """What several features of one state share; see `memo`."""
        return {}

    def memo(self, key: str, make: Callable[[], T]) -> T:
        """Return the quantity called `key`, made at most once per state."""
        if key not in self.memo_store:
            self.memo_store[key] = make()
        value: T = self.memo_store[key]
        return value


@runtime_checkable
class Strategy(Protocol):
    """Ranks the rows of a pool.

    `utilities` returns one finite number per row, shape (N,), higher is asked first. It is a
    function of the state and of `rng` alone; it never depends on which rows may be asked.
    """

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the utility of every row, shape (N,)."""
        ...
