"""Inputs counted in standard deviations, so that they mean the same in few and in many columns."""

import math

import numpy as np

from envs.simulator.compile import kernel

CLIP = 3.0
"""Deviations beyond which an input says no more."""

FLAT = 1e-6
"""A deviation of a column of cosines that is smaller is rounding."""


@kernel
def standardise(values, mask, n):
    """Count n numbers in standard deviations from the mean of the open candidates, within 3.

    Summed in float64: what is left of a mean of equal numbers would be standardised, too.
    """
    count = 0
    mean = 0.0
    for i in range(n):
        if mask[i] != 0:
            count += 1
            mean += values[i]
    mean /= max(count, 1)
    square = 0.0
    for i in range(n):
        if mask[i] != 0:
            square += (values[i] - mean) ** 2
    spread = math.sqrt(square / max(count, 1))
    for i in range(n):
        value = 0.0
        if spread > FLAT:
            value = min(max((values[i] - mean) / spread, -CLIP), CLIP)
        values[i] = np.float32(value)
