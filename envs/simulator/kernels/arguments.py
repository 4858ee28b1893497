"""Checks of what enters a step; numpy's would take longer than the step of one episode."""

import numpy as np
from numpy.typing import NDArray

from envs.simulator.compile import kernel
from lal.arrays import Ints


@kernel
def all_within(values: Ints, low: int, high: int) -> bool:
    """Return whether all integers are at least `low` and below `high`."""
    within = True
    for value in values:
        within &= low <= value < high
    return within


@kernel
def rows_open(rows: Ints, least: int, sizes: Ints, task: Ints, place: Ints, n_open: Ints) -> bool:
    """Return whether pool rows (E, k) are all open; -1 stands for none where `least` allows it.

    Args:
        rows: Pool rows, shape (E, k).
        least: Smallest number that stands for something, 0 or -1.
        sizes: Pool rows of every task.
        task: Task of every episode, shape (E,).
        place: Where each row lies among the rows of its episode, the open ones first.
        n_open: Open rows of every episode, shape (E,).
    """
    open_ = True
    for e in range(len(rows)):
        for row in rows[e]:
            if row < least or row >= sizes[task[e]]:
                open_ = False
            elif row >= 0:
                open_ &= place[e, row] < n_open[e]
    return open_


@kernel
def all_open(mask: NDArray[np.int8], E: int, pad: int) -> bool:
    """Return whether each of E episodes has a row left: `mask` begins with (E, pad) of 0 and 1."""
    open_ = True
    for e in range(E):
        open_ &= bool(mask[e * pad : (e + 1) * pad].any())
    return open_
