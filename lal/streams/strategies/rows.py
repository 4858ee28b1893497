"""What rules need that look at the row itself: its numbers, its label, arrays of a memory."""

from typing import Any

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import DataError
from lal.streams.features import StreamEvent, StreamItem, checked_item

REACH = 1e4
"""Numbers of a row beyond this are cut, so that no product of them overflows."""


def item_row(item: StreamItem) -> Floats:
    """Return the row of an item, shape (D,); where it has none, its class probabilities."""
    item = checked_item(item)
    if item.x is not None:
        return np.clip(item.x, -REACH, REACH)
    return item.proba if item.proba.ndim == 1 else item.proba.mean(axis=0)


def with_one(X: Floats) -> Floats:
    """Return rows with a last column of ones, (..., D) to (..., D + 1)."""
    return np.concatenate([X, np.ones((*X.shape[:-1], 1))], axis=-1)


def direction(X: Floats) -> Floats:
    """Return rows with a last column of ones at length 1; no linear rule tells them apart."""
    Z = with_one(X)
    unit: Floats = Z / np.linalg.norm(Z, axis=-1, keepdims=True)
    return unit


def known_label(event: StreamEvent) -> int | None:
    """Return the class code that an event tells, if it does.

    With two classes, an acquired row's `error` says as much as its label.
    """
    proba = event.item.proba
    if not event.asked or event.label is not None:
        return event.label if event.asked else None
    if proba.shape == (2,) and event.error in (0.0, 1.0):
        return int(proba.argmax()) ^ int(event.error)
    return None


def stored(memory: Any, name: str, n_dims: int) -> Floats:
    """Return an array of a memory whose shape depends on the stream.

    Raises:
        DataError: The memory has no such array of finite numbers.
    """
    try:
        array: Floats = np.asarray(memory[name], dtype=np.float64)
    except (TypeError, KeyError, IndexError, ValueError):
        array = np.zeros((0,) * (n_dims + 1))
    if array.ndim != n_dims or not np.isfinite(array).all():
        raise DataError(
            f"the memory must hold finite numbers in {n_dims} dimensions as {name!r}; pass what "
            "start or update of this strategy returned"
        )
    return array


NO_LABELS = {"X": np.zeros((0, 0)), "y": np.zeros(0)}
"""The part of a memory that holds labelled rows, before the first."""


def stored_labels(memory: Any, width: int, n_classes: int) -> tuple[Floats, Ints]:
    """Return the labelled rows of a memory (m, D) and their codes (m,).

    Args:
        memory: With "X" and "y".
        width: Columns D of the present item.
        n_classes: Its number of classes.

    Raises:
        DataError: They do not fit the item.
    """
    X, y = stored(memory, "X", 2), stored(memory, "y", 1)
    if len(y) == 0:
        return np.zeros((0, width)), np.zeros(0, dtype=np.int64)
    check_width((max(n_classes, int(y.max()) + 1), X.shape[1]), (n_classes, width))
    return X, y.astype(np.int64)


def check_width(known: tuple[int, ...], given: tuple[int, ...]) -> None:
    """Refuse an item of another form than those before it.

    Raises:
        DataError: The numbers of classes or columns differ.
    """
    if known != given:
        raise DataError(
            f"the stream began with (classes, columns) = {known}, this item has {given}; a stream "
            "keeps its classes and columns, start a new memory for another one"
        )
