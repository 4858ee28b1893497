"""Linear scores of many points in float32 vectors, and the probabilities made of them.

Points lie in tiles of 16: tile v of a task begins at ``at + 16 D v`` and holds D rows of 16
numbers, one a column of the data. Probability tables have one row of whole tiles a class.
"""

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.simd import exponential, load, logistic, maximum, splat, store

ZERO, ONE = np.float32(0.0), np.float32(1.0)
LEAST = np.float32(1e-12)
"""Least logistic of a score before shares are taken: points far from all classes are then uniform,
and no share is 0 / 0."""


@kernel(forceinline=True)
def _scores_of_four(X, at, D, V, k, bias, tile, out, o, stride):
    """Write the scores of four weight vectors, rows k to k + 3 of V, on one tile."""
    p = at + tile * 16 * D
    w = k * D
    a = splat(bias[k])
    b = splat(bias[k + 1])
    c = splat(bias[k + 2])
    e = splat(bias[k + 3])
    for j in range(D):
        x = load(X, p)
        a = a + splat(V[w + j]) * x
        b = b + splat(V[w + D + j]) * x
        c = c + splat(V[w + 2 * D + j]) * x
        e = e + splat(V[w + 3 * D + j]) * x
        p += 16
    store(out, o, a)
    store(out, o + stride, b)
    store(out, o + 2 * stride, c)
    store(out, o + 3 * stride, e)


@kernel(forceinline=True)
def _scores_of_one(X, at, D, V, k, bias, tile, out, o):
    """Write the scores of one weight vector on one tile."""
    p = at + tile * 16 * D
    w = k * D
    a = splat(bias[k])
    b = splat(ZERO)
    j = 0
    while j + 2 <= D:
        a = a + splat(V[w + j]) * load(X, p)
        b = b + splat(V[w + j + 1]) * load(X, p + 16)
        p += 32
        j += 2
    if j < D:
        a = a + splat(V[w + j]) * load(X, p)
    store(out, o, a + b)


@kernel(forceinline=True)
def _scores_on_four(X, at, D, V, k, bias, tile, out, o):
    """Write the scores of one weight vector on four tiles."""
    step = 16 * D
    p = at + tile * step
    w = k * D
    a = splat(bias[k])
    b = a
    c = a
    e = a
    for j in range(D):
        v = splat(V[w + j])
        a = a + v * load(X, p)
        b = b + v * load(X, p + step)
        c = c + v * load(X, p + 2 * step)
        e = e + v * load(X, p + 3 * step)
        p += 16
    store(out, o, a)
    store(out, o + 16, b)
    store(out, o + 32, c)
    store(out, o + 48, e)


@kernel
def linear_scores(X, at, D, V, bias, K, first, tiles, out):
    """Write the scores of K weight vectors on whole tiles of points.

    Args:
        X: Points in tiles, flat float32.
        at: Where the task's first tile begins.
        D: Columns.
        V: Weights, flat (K, D) float32.
        bias: Shape (K or more,) float32.
        K: Weight vectors.
        first: First tile.
        tiles: Number of tiles.
        out: Flat (K, 16 tiles) float32, overwritten.
    """
    stride = 16 * tiles
    k = 0
    while k + 4 <= K:
        for t in range(tiles):
            _scores_of_four(X, at, D, V, k, bias, first + t, out, k * stride + 16 * t, stride)
        k += 4
    while k < K:
        t = 0
        while t + 4 <= tiles:
            _scores_on_four(X, at, D, V, k, bias, first + t, out, k * stride + 16 * t)
            t += 4
        while t < tiles:
            _scores_of_one(X, at, D, V, k, bias, first + t, out, k * stride + 16 * t)
            t += 1
        k += 1


@kernel
def sigmoid_pair(Z, slope, proba, low, high, tiles):
    """Write the logistic of ``slope`` times one score to row `high`, its complement to `low`."""
    minus = splat(-slope)
    one = splat(ONE)
    for t in range(tiles):
        odds = exponential(minus * load(Z, 16 * t))  # within e**80 and e**-80
        share = one / (one + odds)
        store(proba, (high * tiles + t) * 16, share)
        store(proba, (low * tiles + t) * 16, odds * share)


@kernel
def softmax_rows(Z, K, proba, rows, tiles):
    """Write the softmax of K scores to the given rows of `proba`."""
    stride = 16 * tiles
    one = splat(ONE)
    for t in range(tiles):
        i = 16 * t
        top = load(Z, i)
        for k in range(1, K):
            top = maximum(top, load(Z, k * stride + i))
        total = splat(ZERO)
        for k in range(K):
            e = exponential(load(Z, k * stride + i) - top)
            store(Z, k * stride + i, e)
            total = total + e
        share = one / total
        for k in range(K):
            store(proba, rows[k] * stride + i, share * load(Z, k * stride + i))


@kernel
def sigmoid_shares(Z, K, slope, proba, rows, tiles):
    """Write the logistics of K scores, normalised to one, to the given rows of `proba`."""
    stride = 16 * tiles
    one = splat(ONE)
    scale, least = splat(slope), splat(LEAST)
    for t in range(tiles):
        i = 16 * t
        total = splat(ZERO)
        for k in range(K):
            e = maximum(logistic(scale * load(Z, k * stride + i)), least)
            store(Z, k * stride + i, e)
            total = total + e
        share = one / total
        for k in range(K):
            store(proba, rows[k] * stride + i, share * load(Z, k * stride + i))
