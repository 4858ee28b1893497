"""Leave-one-out accuracy of the nearest label among the labelled rows."""

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.simd import absolute, load, minimum, same_sign_mask, splat, store

ZERO, ONE, HALF = np.float32(0.0), np.float32(1.0), np.float32(0.5)
INFINITE = np.float32(np.inf)

TIE = 1e-9
"""Squared distances nearer than this count as equal."""


@kernel
def leave_one_out(squares, labels, L, most):
    """Return the share of labels that agree with their nearest other label, ties shared.

    The squared distance of a label to itself stands as infinity. Sixteen labels at once; what
    `squares` holds beyond column L is read and ignored.
    """
    if L < 2:
        return 0.5
    vectors = (L + 15) // 16
    codes, limits = np.empty(16 * vectors, np.float32), np.empty(16 * vectors, np.float32)
    same, ties = np.empty(16 * vectors, np.float32), np.empty(16 * vectors, np.float32)
    for a in range(16 * vectors):
        codes[a] = np.float32(labels[a]) if a < L else ZERO
    half, one, zero, minus = splat(HALF), splat(ONE), splat(ZERO), splat(-ONE)
    for v in range(0, 16 * vectors, 16):
        nearest = splat(INFINITE)
        for b in range(L):
            nearest = minimum(nearest, load(squares, b * most + v))
        store(limits, v, nearest)
        for a in range(v, v + 16):
            limits[a] = _rounded_down(np.float64(limits[a]) * (1.0 + 1e-6) + TIE)
        mine, limit, alike, number = load(codes, v), load(limits, v), zero, zero
        for b in range(L):
            tie = same_sign_mask(load(squares, b * most + v) - limit, minus)
            alike = alike + tie * same_sign_mask(half - absolute(mine - splat(codes[b])), one)
            number = number + tie
        store(same, v, alike)
        store(ties, v, number)
    agreed = 0.0
    for a in range(L):
        agreed += np.float64(same[a]) / np.float64(ties[a])
    return agreed / L


@kernel(forceinline=True)
def _rounded_down(x):
    """Return the largest float32 not above a positive number."""
    near = np.float32(x)
    return np.int32(near.view(np.int32) - np.int32(near > x)).view(np.float32)
