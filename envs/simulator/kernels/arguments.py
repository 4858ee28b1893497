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
def all_open(mask: NDArray[np.int8], E: int, pad: int) -> bool:
    """Return whether each of E episodes has a row left: `mask` begins with (E, pad) of 0 and 1."""
    open_ = True
    for e in range(E):
        open_ &= bool(mask[e * pad : (e + 1) * pad].any())
    return open_
