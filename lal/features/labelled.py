"""Quantities of a state that several features share: distances to labelled rows, probabilities."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from lal.arrays import Bools, Floats, Ints
from lal.errors import UsageError
from lal.features.geometry import (
    CHUNK,
    WHOLE,
    Surroundings,
    get_reference,
    squared_distances,
    surroundings,
)
from lal.state import Assumption, QueryState
from lal.task_kind import REGRESSION

T = TypeVar("T")

KEPT = 4
"""Arrays for which `for_rows` keeps a quantity: candidates, reference, its open rows, labels."""

TIE = 1e-9
"""Probabilities and distances nearer than this count as equal."""


def for_rows(
    state: QueryState,
    key: str,
    rows: Ints,
    make: Callable[[], T],
    update: Callable[[T], T] | None = None,
) -> T:
    """Return what several features need of the same rows, kept until others are asked for.

    Args:
        state: The state that keeps it.
        key: Name of the quantity.
        rows: Known again by being the same array, not by content.
        make: Computes it from nothing.
        update: Turns its value before the last assumed label into the present one.
    """
    slot = f"features.{key}"
    entries: list[tuple[Ints, T]] = state.memo_store.setdefault(slot, [])
    for held, value in entries:
        if held is rows:
            return value
    value = _made(state, slot, rows, (make, update))
    entries.insert(0, (rows, value))
    del entries[KEPT:]
    return value


def _made(
    state: QueryState,
    slot: str,
    rows: Ints,
    ways: tuple[Callable[[], T], Callable[[T], T] | None],
) -> T:
    make, update = ways
    if update is not None and state.assumption is not None:
        for held, value in state.assumption.before.get(slot, ()):
            if held is rows:
                return update(value)
    return make()


def unchanged(value: T) -> T:
    """Return the value: the update of what does not depend on the labelled rows."""
    return value


def around(state: QueryState, rows: Ints) -> Surroundings:
    """Return what lies around the given rows; see `lal.features.geometry.surroundings`."""
    if state.N <= WHOLE:  # kept with the pool
        return surroundings(state.geometry, rows)
    return for_rows(state, "around", rows, lambda: surroundings(state.geometry, rows), unchanged)


def encoded(state: QueryState, rows: Ints) -> Floats:
    """Return rows of Z, kept as long as labels are assumed, shape (n, d)."""
    return for_rows(state, "encoded", rows, lambda: state.geometry.rows(rows), unchanged)


def label_codes(state: QueryState) -> Ints:
    """Return the class of every labelled row, shape (L,); all are of one class in regression."""
    if state.kind == REGRESSION:
        return np.zeros(len(state.labels), dtype=np.int64)
    return state.labels


def class_counts(state: QueryState) -> Ints:
    """Return the labels acquired of every class, shape (C,)."""
    codes = label_codes(state)
    size = max(state.n_classes, 1, int(codes.max()) + 1 if len(codes) else 1)
    counts: Ints = np.bincount(codes, minlength=size)
    return counts


def seen_classes(state: QueryState) -> Ints:
    """Return the codes of the classes that have a label, shape (S,)."""
    return np.flatnonzero(class_counts(state))


def class_distances(state: QueryState, rows: Ints) -> Floats:
    """Return distances over the scale to the nearest labelled row of each seen class, (n, S)."""
    return _labelled(state, rows)[0]


def mean_distances(state: QueryState, rows: Ints) -> Floats:
    """Return mean distances over the scale to all labelled rows, shape (n,)."""
    return _labelled(state, rows)[1]


def _labelled(state: QueryState, rows: Ints) -> tuple[Floats, Floats]:
    return for_rows(
        state,
        "labelled",
        rows,
        lambda: _measure(state, rows),
        lambda before: _measure_one_more(state, rows, *before),
    )


def _measure(state: QueryState, rows: Ints) -> tuple[Floats, Floats]:
    scale = get_reference(state.geometry).scale
    seen = seen_classes(state)
    nearest, mean = np.empty((len(rows), len(seen))), np.empty(len(rows))
    codes = label_codes(state)
    members = [np.flatnonzero(codes == code) for code in seen]
    for first in range(0, len(rows), CHUNK):
        part = slice(first, first + CHUNK)
        squares = squared_distances(state.geometry.rows(rows[part]), state.Z_labelled)
        for column, member in enumerate(members):
            nearest[part, column] = squares[:, member].min(axis=1)
        mean[part] = np.sqrt(squares).mean(axis=1)
    return np.sqrt(nearest) / scale, mean / scale


def get_assumption(state: QueryState) -> Assumption:
    """Return the last assumed label, which whoever updates a quantity knows to be there."""
    if state.assumption is None:
        raise UsageError("the state assumes no label; make it with QueryState.assume_label")
    return state.assumption


def _measure_one_more(
    state: QueryState, rows: Ints, nearest: Floats, mean: Floats
) -> tuple[Floats, Floats]:
    """Return what `_measure` does from its values before the last assumed label."""
    assumed = get_assumption(state)
    new = state.geometry.rows(np.array([assumed.row]))
    squares = squared_distances(encoded(state, rows), new)[:, 0]
    away = np.sqrt(squares) / get_reference(state.geometry).scale
    seen = seen_classes(state)
    code = 0 if state.kind == REGRESSION else assumed.code
    column = int(np.searchsorted(seen, code))
    if nearest.shape[1] < len(seen):
        nearest = np.insert(nearest, column, away, axis=1)
    else:
        nearest = nearest.copy()
        np.minimum(nearest[:, column], away, out=nearest[:, column])
    return nearest, mean + (away - mean) / len(state.labelled)


def min_distances(state: QueryState, rows: Ints) -> Floats:
    """Return distances over the scale to the nearest labelled row, shape (n,); L must not be 0."""
    return for_rows(state, "nearest", rows, lambda: smallest(class_distances(state, rows)))


FEW = 16
"""Columns up to which their minimum is taken one by one: numpy is slow on short rows."""


def smallest(table: Floats) -> Floats:
    """Return the smallest entry of each row, (n, m) to (n,)."""
    if table.shape[1] > FEW:
        least: Floats = table.min(axis=1)
        return least
    least = table[:, 0].copy()
    for column in table.T[1:]:
        np.minimum(least, column, out=least)
    return least


def nearest_classes(state: QueryState, rows: Ints) -> Bools:
    """Return whether each seen class holds the nearest labelled row, shape (n, S)."""
    table = class_distances(state, rows)
    nearest: Bools = table <= min_distances(state, rows)[:, None] + TIE
    return nearest


def get_proba(state: QueryState, rows: Ints) -> Floats:
    """Return the model's probabilities of some rows, shape (n, C)."""
    proba = given(state.proba, "proba")
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return proba[rows[0] : rows[-1] + 1]  # neighbouring rows need no copy
    picked: Floats = proba[rows]
    return picked


def given(value: Floats | None, need: str) -> Floats:
    """Return what a feature declared among its needs; only a missing declaration gets here."""
    if value is None:
        raise UsageError(f"the state has no {need}; declare needs=({need!r},) on the feature")
    return value


def predicted_classes(state: QueryState, rows: Ints) -> Bools:
    """Return whether each class is (one of) the likeliest, shape (n, C)."""

    def compare() -> Bools:
        likeliest: Bools = get_proba(state, rows) >= top_two(state, rows)[0][:, None] - TIE
        return likeliest

    return for_rows(state, "predicted", rows, compare, unchanged)


def top_two(state: QueryState, rows: Ints) -> tuple[Floats, Floats]:
    """Return the largest and second largest probability of some rows, each of shape (n,)."""
    return for_rows(state, "top_two", rows, lambda: _top_two(get_proba(state, rows)), unchanged)


def _top_two(proba: Floats) -> tuple[Floats, Floats]:
    if proba.shape[1] < 2:
        return proba[:, 0], np.zeros(len(proba))
    if proba.shape[1] == 2:
        one, other = np.ascontiguousarray(proba.T)  # numpy is quick on neighbours in memory
        return np.maximum(one, other), np.minimum(one, other)
    two = np.partition(proba, proba.shape[1] - 2, axis=1)[:, -2:]
    return two[:, 1], two[:, 0]


def entropy(proba: Floats) -> Floats:
    """Return entropies over log C of distributions along the last axis; 0 with one class."""
    safe = np.where(proba > 0.0, proba, 1.0)
    total: Floats = -(proba * np.log(safe)).sum(axis=-1)
    over: Floats = total / np.log(max(proba.shape[-1], 2))
    return over
