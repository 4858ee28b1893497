"""FEATURES and what a feature is: an identified, bounded statistic of a state or a candidate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.registry import Registry
from lal.state import QueryState
from lal.task_kind import CLASSIFICATION, TaskKind

Scope = Literal["candidate", "context"]
Need = Literal["proba", "committee", "variance", "prediction", "members", "pixel_proba"]
Reads = Literal["nothing", "counts", "places"]
Compute = Callable[[QueryState, Ints], Floats]


@dataclass(frozen=True)
class Feature:
    """A named statistic.

    Attributes:
        id: Name and version, ``"margin@1"``; a changed meaning takes a new version.
        scope: ``"candidate"`` (one row of values per sample) or ``"context"`` (one per state).
        compute: State and row indices (n,) to values, (n, dim) for candidates, (dim,) for
            contexts (which ignore the indices). Only called when every need is met.
        dim: Number of values.
        low: Smallest possible value.
        high: Largest possible value.
        undefined: Value where a need is not met (no model yet, one class, no committee).
        needs: What must be there.
        class_symmetric: Renaming classes leaves the values as they are.
        kinds: Kinds of task in which it means something.
        of_labels: What it reads of the labelled rows besides the model: ``"nothing"`` (an assumed
            label leaves the values as they are), ``"counts"`` (how many there are, and of which
            class), or ``"places"`` (where they lie, such as distances to them).
        cost: Growth of the work per query, in the letters of the project.
        source: Paper or reason.
    """

    id: str
    scope: Scope
    compute: Compute
    dim: int = 1
    low: float = 0.0
    high: float = 1.0
    undefined: float = 0.0
    needs: tuple[Need, ...] = ()
    class_symmetric: bool = True
    kinds: tuple[TaskKind, ...] = (CLASSIFICATION,)
    of_labels: Reads = "places"
    cost: str = "N"
    source: str = ""

    def values(self, state: QueryState, rows: Ints) -> Floats:
        """Return the values, (n, dim) for a candidate feature, (dim,) for a context feature."""
        shape = (len(rows), self.dim) if self.scope == "candidate" else (self.dim,)
        if any(getattr(state, need) is None for need in self.needs):
            return np.full(shape, self.undefined)
        values: Floats = np.asarray(self.compute(state, rows), dtype=np.float64).reshape(shape)
        return np.clip(values, self.low, self.high)


FEATURES: Registry[Feature] = Registry("feature")


def define(feature_id: str, scope: Scope, **fields: object) -> Callable[[Compute], Compute]:
    """Return a decorator that registers the function as the compute of a feature."""

    def add(compute: Compute) -> Compute:
        FEATURES.add(feature_id, Feature(feature_id, scope, compute, **fields))  # type: ignore[arg-type]
        return compute

    return add


def check_scopes(ids: Sequence[str], scope: Scope) -> None:
    """Refuse unknown ids and ids of the other scope."""
    for name in ids:
        if FEATURES[name].scope != scope:
            raise UsageError(f"feature {name!r} is a {FEATURES[name].scope} feature, not {scope}")


def common_kinds(ids: Sequence[str]) -> tuple[TaskKind, ...]:
    """Return the kinds of task in which all of some features mean something.

    Raises:
        UsageError: There is none; names two features that do not go together.
    """
    kinds: tuple[TaskKind, ...] = get_args(TaskKind)
    for name in ids:
        left = tuple(kind for kind in kinds if kind in FEATURES[name].kinds)
        if not left:
            other = next(n for n in ids if not set(FEATURES[n].kinds) & set(FEATURES[name].kinds))
            raise UsageError(
                f"feature {name!r} is for {' and '.join(FEATURES[name].kinds)} and {other!r} for "
                f"{' and '.join(FEATURES[other].kinds)}; expected features of one kind of task"
            )
        kinds = left
    return kinds


NO_ROWS = np.zeros(0, dtype=np.int64)
"""What context features are given for rows."""


class FeatureTable:
    """Features of the same rows in one state after another.

    The states after the first one must come from it by `QueryState.assume_label`: what does not
    read the labelled rows is computed once.

    Args:
        ids: Features of one scope.
        rows: Row indices (n,), which contexts ignore.
    """

    def __init__(self, ids: Sequence[str], rows: Ints) -> None:
        self.features = [FEATURES[name] for name in ids]
        self.rows = rows
        self.kept: dict[str, Floats] = {}

    def values(self, state: QueryState) -> Floats:
        """Return the values side by side, (n, F) for candidates, (G,) for contexts."""
        parts = [self._part(feature, state) for feature in self.features]
        if parts:
            return np.concatenate(parts, axis=-1)
        return np.zeros((len(self.rows), 0))

    def _part(self, feature: Feature, state: QueryState) -> Floats:
        if feature.id in self.kept:
            return self.kept[feature.id]
        values = feature.values(state, self.rows)
        if feature.of_labels == "nothing":
            self.kept[feature.id] = values
        return values


def candidate_matrix(state: QueryState, ids: Sequence[str], rows: Ints | None = None) -> Floats:
    """Return the candidate features of the given rows (all when None), shape (n, F)."""
    return FeatureTable(ids, np.arange(state.N) if rows is None else rows).values(state)


def context_vector(state: QueryState, ids: Sequence[str]) -> Floats:
    """Return the context features of the state, shape (G,)."""
    return FeatureTable(ids, NO_ROWS).values(state) if ids else np.zeros(0)
