"""What a model is measured by, and predictions that need no model."""

import math

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.simd import (
    exponent,
    greater_mask,
    iota,
    load,
    mantissa,
    maximum,
    reduce_product,
    reduce_sum,
    splat,
)

ONE, HALF = np.float32(1.0), np.float32(0.5)
LN2 = math.log(2.0)


@kernel(fastmath=False)
def _ratio(a, b):
    """Return a / b, rounded as numpy does, so that equal counts give equal numbers."""
    return a / b


@kernel
def measure(proba, ends, p, metrics):
    """Write accuracy, balanced accuracy and log-likelihood, as `lal.episode.METRICS` has them.

    Of equal probabilities, that of the first class is the predicted one. One logarithm is taken of
    a product of float32 numbers, and not one a row: its exponents are put aside after every factor,
    so that it neither overflows nor vanishes.

    Args:
        proba: Probabilities of the points from ``p.lo`` on, flat (C, n - lo) float32 or longer.
        ends: Where the classes begin among the reward rows, and how many there are, shape (C + 1,).
        p: Sizes.
        metrics: Shape (3,), overwritten.
    """
    stride, begin = p.n - p.lo, p.P - p.lo
    # 1e-15 as in `lal.episode`; -1 is below any probability.
    one, least, never = splat(ONE), splat(np.float32(1e-15)), splat(np.float32(-1.0))
    factors = one
    exponents = splat(np.float32(0.0))
    hits, balanced, present = 0.0, 0.0, 0
    for c in range(p.C):
        a, b = ends[c], ends[c + 1]
        if a == b:
            continue
        right = splat(np.float32(0.0))
        for i in range(a // 16 * 16, b, 16):
            at = begin + i
            before = never
            for k in range(c):
                before = maximum(before, load(proba, k * stride + at))
            mine = load(proba, c * stride + at)
            after = never
            for k in range(c + 1, p.C):
                after = maximum(after, load(proba, k * stride + at))
            place = iota(np.float32(i) + HALF)
            inside = greater_mask(place, splat(np.float32(a))) * greater_mask(
                splat(np.float32(b)), place
            )
            right = right + inside * (
                greater_mask(mine, before) * (one - greater_mask(after, mine))
            )
            factors = factors * (inside * maximum(mine, least) + (one - inside))
            exponents = exponents + exponent(factors)
            factors = mantissa(factors)
        total = reduce_sum(right)
        hits += float(total)
        balanced += total / (b - a)
        present += 1
    metrics[0] = _ratio(hits, float(ends[p.C]))
    metrics[1] = balanced / present
    logarithm = math.log(reduce_product(factors)) + LN2 * float(reduce_sum(exponents))
    metrics[2] = logarithm / ends[p.C]


@kernel
def classes_seen(count, C, compact, seen, proba, n):
    """Number the seen classes and return how many; with fewer than two, predict without a fit.

    Args:
        count: Labels of every class, shape (C or more,).
        C: Classes.
        compact: Number of every seen class, shape (C,), overwritten.
        seen: Seen classes, shape (C,), overwritten from the front.
        proba: Shape (C, n). One seen class is certain; without any, all are equally likely.
        n: Points.
    """
    S = 0
    for c in range(C):
        compact[c] = S
        if count[c] > 0:
            seen[S] = c
            S += 1
    if S < 2:
        for c in range(C):
            share = 1.0 / C if S == 0 else (1.0 if count[c] > 0 else 0.0)
            for i in range(n):
                proba[c, i] = share
    return S
