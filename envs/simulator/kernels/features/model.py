"""Features made of the model's probabilities."""

import math
from collections import namedtuple

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.elementary import single_logarithm

ZERO, ONE = np.float32(0.0), np.float32(1.0)
SLACK = np.float32(1.0 + 1e-6)
"""Squared distances within this factor count as equal, as single precision has them."""

Known = namedtuple("Known", "count L proba near shared seen over reference centre width")
"""What features of one episode are made of: labels of every class and in all, probabilities (C, n),
squared distances to the nearest label of every class (C, N), shared quantities (SHARED, N), classes
seen and classes that entropies are taken over, reference rows, mean and deviation of their margins.
"""


@kernel(forceinline=True)
def minus_x_log(p):
    """Return -p log p, 0 for p = 0."""
    return -p * single_logarithm(p)


@kernel
def top_two(proba, N, first, second, uncertainty):
    """Write the two largest probabilities of N rows, and 1 - margin.

    The latter is summed from the small probabilities, so that certain rows differ.
    """
    for i in range(N):
        first[i] = proba[0, i]
        second[i] = -ONE
        uncertainty[i] = ZERO
    for c in range(1, proba.shape[0]):
        for i in range(N):
            p = proba[c, i]
            low = min(first[i], p)
            first[i] = max(first[i], p)
            second[i] = max(second[i], low)
            uncertainty[i] += low
    for i in range(N):
        uncertainty[i] += max(second[i], ZERO)


@kernel
def entropies(proba, N, over, out):
    """Write entropies over ``log over`` of N rows."""
    scale = np.float32(1.0 / math.log(max(over, 2)))
    for i in range(N):
        out[i] = ZERO
    for c in range(proba.shape[0]):
        for i in range(N):
            out[i] += minus_x_log(proba[c, i])
    for i in range(N):
        out[i] *= scale


@kernel
def disagreements(proba, near, least, count, classes, out):
    """Write the probability left to classes other than those of the nearest label of all rows.

    The number of those classes is written to `classes`.
    """
    C, N = near.shape
    for i in range(N):
        out[i] = classes[i] = ZERO
    for c in range(C):
        if count[c] == 0:
            continue
        for i in range(N):
            one = ONE if near[c, i] <= least[i] * SLACK else ZERO
            out[i] += one * proba[c, i]
            classes[i] += one
    for i in range(N):
        out[i] = ONE - out[i] / classes[i]


@kernel
def mean(values, rows):
    """Return the mean of some values: of all when the reference set is the pool."""
    R, summed = len(rows), ZERO
    if len(values) == R:
        for r in range(R):
            summed += values[r]
    else:
        for r in range(R):
            summed += values[rows[r]]
    return summed / np.float32(R)


@kernel
def mean_and_spread(values, rows):
    """Return mean and standard deviation, summed in float64: margins may be all but equal.

    Two passes, because the difference of mean square and squared mean would be rounding then.
    """
    R, mean, spread = len(rows), 0.0, 0.0
    for r in range(R):
        mean += np.float64(values[rows[r]])
    mean /= R
    for r in range(R):
        gap = values[rows[r]] - mean
        spread += gap * gap
    return mean, math.sqrt(spread / R)
