"""What enters a compiled environment: actions, rows, tasks and counts, checked before a kernel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.simulator.kernels.arguments import all_within
from lal.arrays import Bools, Ints
from lal.errors import UsageError, shown

MAX_SLATE = 100_000
"""Rows that may be offered at once, K."""


def checked_action(action: Any, size: int) -> int:
    """Return one action as an int.

    Args:
        action: An integer from 0 to `size` - 1, of Python or of numpy, or a float that is whole.
        size: Actions there are.

    Raises:
        UsageError: Anything else; the message says what was expected.
    """
    if type(action) in (int, np.int64) and 0 <= action < size:
        return int(action)  # what steps are taken with: no arrays are made
    values = _numbers(action, "an action")
    if values.ndim != 0:
        raise UsageError(
            f"an action is one integer from 0 to {size - 1}, got an array of shape "
            f"{values.shape}; pass its element, for example action.item()"
        )
    return int(_in_range(_whole(values, "an action"), size, "action"))


def checked_actions(actions: Any, n: int, size: int, *, least: int = 0) -> Ints:
    """Return one action an episode as a new array, shape (n,).

    Args:
        actions: Integers from `least` to `size` - 1, or floats that are whole, shape (n,).
        n: Episodes.
        size: Actions there are.
        least: Smallest number that stands for something.

    Raises:
        UsageError: Anything else; the message says what was expected.
    """
    if type(actions) is np.ndarray and actions.dtype == np.int64 and actions.shape == (n,):
        copied: Ints = actions.copy()
        if all_within(copied, least, size):  # one call, where numpy's checks take four
            return copied
    values = _numbers(actions, "actions")
    if values.shape != (n,):
        raise UsageError(
            f"actions must have shape ({n},), one integer from {least} to {size - 1} an episode; "
            f"got shape {values.shape}"
        )
    return _in_range(_whole(values, "actions"), size, "action", least)


def checked_rows(rows: Any, n: int, *, ndim: int) -> Ints:
    """Return pool rows of every episode as a new contiguous array, shape (n,) or (n, k)."""
    values = _numbers(rows, "rows")
    if values.ndim != ndim or len(values) != n:
        shape = f"({n},)" if ndim == 1 else f"({n}, k)"
        raise UsageError(
            f"rows must name pool rows of {n} episodes, shape {shape}; got shape {values.shape}"
        )
    return _whole(values, "rows")


def checked_tasks(tasks: Any, n: int, n_tasks: int) -> Ints:
    """Return the position of every episode's task, shape (n,)."""
    values = _numbers(tasks, "tasks")
    if values.shape != (n,):
        raise UsageError(
            f"tasks must give the position of a task for each of {n} episodes, shape ({n},); "
            f"got shape {values.shape}"
        )
    return _in_range(_whole(values, "tasks"), n_tasks, "task")


def checked_indices(indices: Any, n: int) -> list[int]:
    """Return which of `n` environments are meant: one number, or several."""
    values = np.atleast_1d(_numbers(indices, "indices"))
    if values.ndim != 1:
        raise UsageError(f"indices must be a list of integers, got shape {values.shape}")
    chosen: list[int] = _in_range(_whole(values, "indices"), n, "environment").tolist()
    return chosen


def checked_mask(mask: Any, n: int) -> Bools:
    """Return which episodes are meant, shape (n,), at least one of them."""
    values = np.asarray(mask)
    if values.dtype != np.bool_ or values.shape != (n,):
        raise UsageError(
            f"a reset mask must be {n} booleans, shape ({n},); got {values.dtype}, "
            f"shape {values.shape}"
        )
    if not values.any():
        raise UsageError("a reset mask must choose at least one episode, got none")
    chosen: Bools = values.copy()
    return chosen


def checked_starts(starts: Any, n: int) -> list[Ints]:
    """Return the pool rows that every episode starts with, one array an episode."""
    if not isinstance(starts, Sequence | np.ndarray) or isinstance(starts, str | bytes):
        raise UsageError(f"starts must be one list of pool rows an episode, got {starts!r:.40}")
    if len(starts) != n:
        raise UsageError(
            f"starts must be {n} lists of pool rows, one an episode; got {len(starts)}"
        )
    lists = []
    for e, start in enumerate(starts):
        rows = _numbers(start, "starts") if len(np.atleast_1d(start)) else np.zeros(0, np.int64)
        if rows.ndim != 1:
            raise UsageError(
                f"the start of episode {e} must be a list of pool rows, got {shown(start)}"
            )
        lists.append(_whole(rows, "starts"))
    return lists


def checked_count(name: str, value: Any, least: int = 1) -> int:
    """Return an argument that counts something as an int; whole floats and numpy's are taken."""
    values = _numbers(value, name)
    if values.ndim != 0 or int(_whole(values, name)) < least:
        raise UsageError(f"{name} must be an integer of at least {least}, got {shown(value)}")
    return int(values)


def checked_slate_size(value: Any) -> int:
    """Return the number of rows offered, K; arrays of K rows are allocated before any is offered.

    Raises:
        UsageError: It is not a whole number of 1 to `MAX_SLATE`.
    """
    size = checked_count("slate_size", value)
    if size > MAX_SLATE:
        raise UsageError(
            f"slate_size must be at most {MAX_SLATE}, got {shown(value)}; the rows of the largest "
            "pool are enough, places beyond them stay closed"
        )
    return size


def checked_flag(name: str, value: Any) -> bool:
    """Return an argument that is True or False; texts like "no" would all count as True."""
    if not isinstance(value, bool | np.bool_):
        raise UsageError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def _numbers(value: Any, what: str) -> NDArray[Any]:
    try:
        values = np.asarray(value)
    except ValueError as error:
        raise UsageError(f"{what} must be integers, got a ragged list") from error
    if values.dtype.kind not in "iuf":
        said = repr(value) if values.ndim == 0 else f"an array of {values.dtype}"
        raise UsageError(f"{what} must be {_kind(values)}, got {said}")
    return values


def _kind(values: NDArray[Any]) -> str:
    return "an integer" if values.ndim == 0 else "integers"


def _whole(values: NDArray[Any], what: str) -> Ints:
    """Return a new int64 array; refuse numbers that are not whole or do not fit."""
    if values.dtype.kind == "f" and not (np.isfinite(values) & (values == np.floor(values))).all():
        said = values.item() if values.ndim == 0 else values.ravel()[:4].tolist()
        raise UsageError(f"{what} must be {_kind(values)}, got {said}")
    if values.dtype.kind in "fu" and values.size and not float(np.abs(values).max()) < 2.0**62:
        raise UsageError(f"{what} must be {_kind(values)} of at most 62 bits, got {values.max()}")
    whole: Ints = np.array(values, dtype=np.int64, order="C")
    return whole


def _in_range(values: Ints, size: int, what: str, least: int = 0) -> Ints:
    if values.size and (values.min() < least or values.max() >= size):
        wrong = values[(values < least) | (values >= size)].ravel()[0]
        raise UsageError(f"{what} {wrong} is not in {least} to {size - 1}")
    return values
