"""Multinomial logistic regression in float32 vectors, refitted after every label.

Limited-memory BFGS that remembers: its pairs and its first inverse Hessian live on from label to
label. The inverse Hessian of one class block takes every new row by Sherman and Morrison, and each
pair ``(s, y)`` gets the exact curvature of the new row added to ``y``. In vectors of 16 float32
numbers; a refit that float32 cannot bring to the tolerance says so, and the caller finishes it in
float64.

One fit is one flat float32 array `F` cut by `offsets`: weights W (C rows of `stride`), the first
inverse Hessian H of a class block, the pairs S and Y (memory x C rows), rho, the labelled rows R
(one a row) and T (one a column, rows of `cap`), and the curvature that H has of every row. Rows are
kept both ways because scores read them by column and gradients by row, both in order of memory.
Coordinate 0 of a row is a constant one. H is kept near the present model: a row whose curvature
doubled or halved is taken into it anew, which saves iterations.
"""

import math
from collections import namedtuple

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import combine_rows, fill
from envs.simulator.kernels.logistic.multinomial_steps import (
    STILL,
    add_rows,
    direction,
    get_scratch,
    gradient,
    inner,
    inner_rows,
    line,
    link,
    remember,
)
from envs.simulator.kernels.simd import load, maximum, reduce_sum, splat, store

MOST_ITERATIONS = 60
"""Iterations before a refit is given up to float64."""

CURVATURE_FLOOR = np.float32(0.003)
"""Least curvature of a row in the first inverse Hessian: that of rows the model is sure of tends to
zero, and a direction that no row bends would get steps of any length."""

CERTAIN = np.float32(0.999)
"""Where all labelled rows are more probable, which takes weak penalties, a fit is given up to
float64: the gradient is made of what they lack to one."""

LEAST_PRODUCT = np.float32(1e-30)
"""Least s'y of a pair whose curvature has grown by a row: its inverse must not overflow."""

FREE_INTERCEPT = np.float32(100.0)
"""First inverse curvature of an intercept, which no penalty holds: so large that it is free."""

ZERO, ONE = np.float32(0.0), np.float32(1.0)

Offsets = namedtuple("Offsets", "C d stride cap memory H S Y rho R T curvature end")
"""Sizes of a fit and where it keeps its parts; W begins at 0, `end` is how much room it takes."""


@kernel(forceinline=True)
def offsets(C, d, stride, cap, memory):
    """Return where a fit keeps its parts.

    Args:
        C: Classes there is room for.
        d: Coordinates there is room for, the constant included.
        stride: `d` rounded up to whole vectors.
        cap: Rows there is room for, rounded up to whole vectors.
        memory: Pairs kept.
    """
    H = C * stride
    S = H + d * stride
    Y = S + memory * C * stride
    rho = Y + memory * C * stride
    R = rho + (memory + 15) // 16 * 16
    T = R + cap * stride
    curvature = T + d * cap
    return Offsets(C, d, stride, cap, memory, H, S, Y, rho, R, T, curvature, curvature + cap)


@kernel
def start(F, at, header, penalty):
    """Forget all rows; `header` holds the number of pairs and the place of the next."""
    fill(F, 0, at.end, ZERO)
    forget_curvature(F, at, header, penalty)


@kernel
def forget_curvature(F, at, header, penalty):
    """Forget the pairs and the inverse Hessian; the next `refit` makes it anew from all rows."""
    H, stride = at.H, at.stride
    fill(F, H, at.S - H, ZERO)
    for j in range(1, at.d):
        F[H + j * stride + j] = np.float32(1.0 / penalty)
    F[H] = FREE_INTERCEPT
    fill(F, at.curvature, at.cap, ZERO)
    header[0] = 0
    header[1] = 0


@kernel
def add_row(F, at, header, row, K, used):
    """Take row `row` of R into T and into every kept pair; `refit` takes it into the rest.

    Args:
        F: The fit; row `row` of R is written already.
        at: Its `Offsets`.
        header: Number of pairs and place of the next.
        row: Place among the labelled rows.
        K: Columns of weights in use.
        used: Coordinates in use.
    """
    C, stride, S, Y, rho = at.C, at.stride, at.S, at.Y, at.rho
    nv = (used + 15) // 16
    x = at.R + row * stride
    for j in range(used):
        F[at.T + j * at.cap + row] = F[x + j]
    p, v = np.empty(K, np.float32), np.empty(K, np.float32)
    top = np.float32(-1e30)
    for k in range(K):
        p[k] = inner(F, k * stride, x, nv)
        top = max(top, p[k])
    total = ZERO
    for k in range(K):
        p[k] = np.float32(math.exp(p[k] - top))
        total += p[k]
    for k in range(K):
        p[k] /= total
    for m in range(header[0]):
        s, y = S + m * C * stride, Y + m * C * stride
        mean = ZERO
        for k in range(K):
            v[k] = inner(F, s + k * stride, x, nv)
            mean += p[k] * v[k]
        product = splat(ZERO)
        for k in range(K):
            q = splat(p[k] * (v[k] - mean))
            for i in range(nv):
                o = y + k * stride + i * 16
                moved = load(F, o) + q * load(F, x + i * 16)
                store(F, o, moved)
                product = product + moved * load(F, s + k * stride + i * 16)
        F[rho + m] = ONE / max(reduce_sum(product), LEAST_PRODUCT)


@kernel
def refit(F, at, header, codes, L, K, used, penalty, tolerance):
    """Move the weights to the optimum of the first L labelled rows.

    Args:
        F: The fit.
        at: Its `Offsets`.
        header: Number of pairs and place of the next.
        codes: Column of weights of every labelled row, shape (L or more,).
        L: Labelled rows.
        K: Columns of weights.
        used: Coordinates in use, the constant included.
        penalty: One over scikit-learn's C, float32.
        tolerance: Largest absolute gradient entry to stop at, float32.

    Returns:
        Iterations done; -1 where float32 did not get there.
    """
    stride, cap = at.stride, at.cap
    s = get_scratch(K, L, used, stride, cap)
    B = np.empty(s.end, np.float32)
    fill(B, 0, s.end, ZERO)
    alpha = np.empty(at.memory, np.float32)
    for k in range(K):
        combine_rows(F, at.T, cap, used, F, k * stride, s.nl, B, s.Z + k * cap)
    link(B, s, s.Z, cap)
    _refresh(F, at, B, s)
    top = gradient(F, at, B, s, codes, penalty, s.G)
    for iteration in range(MOST_ITERATIONS):
        if top <= tolerance:
            return -1 if _all_certain(B, s.P, cap, codes, L) else iteration
        direction(F, at, header, B, s, alpha)
        slope = inner_rows(B, s.G, stride, B, s.D, stride, K, s.nv)
        if not slope < ZERO:
            if header[0] == 0:
                return -1
            header[0] = 0
            continue
        for k in range(K):
            combine_rows(F, at.T, cap, used, B, s.D + k * stride, s.nl, B, s.U + k * cap)
        linear = inner_rows(F, 0, stride, B, s.D, stride, K, s.nv)
        square = inner_rows(B, s.D, stride, B, s.D, stride, K, s.nv)
        for k in range(K):  # no penalty on the intercepts
            linear -= F[k * stride] * B[s.D + k * stride]
            square -= B[s.D + k * stride] * B[s.D + k * stride]
        t, change = line(B, s, cap, codes, slope, penalty * linear, penalty * square)
        if t == ZERO:
            return -1
        add_rows(F, 0, stride, K, s.nv, t, B, s.D, stride)
        if change < STILL:
            return -1 if _all_certain(B, s.P, cap, codes, L) else iteration + 1
        add_rows(B, s.Z, cap, K, s.nl, t, B, s.U, cap)
        top = gradient(F, at, B, s, codes, penalty, s.G1)
        remember(F, at, header, B, s, t)
    return -1


@kernel(forceinline=True)
def _refresh(F, at, B, s):
    """Take the rows whose curvature at P changed twofold into the inverse Hessian; N is scratch."""
    P, N, K, L, cap, stride, curvature = s.P, s.N, s.K, s.L, at.cap, at.stride, at.curvature
    one, share = splat(ONE), splat(ONE / np.float32(K - 1))
    for i in range(0, L, 16):
        squares = splat(ZERO)
        for k in range(K):
            p = load(B, P + k * cap + i)
            squares = squares + p * p
        store(B, N + i, maximum(share * (one - squares), splat(CURVATURE_FLOOR)))
    for a in range(L):
        new, old = B[N + a], F[curvature + a]
        # Twofold: less often costs iterations, more often updates cost more than they save.
        if new > old + old or new + new < old:
            least = min(new / old, ONE)  # true of exact numbers
            _sherman_morrison(F, at.H, stride, at.R + a * stride, s.used, s.nv, new - old, least)
            F[curvature + a] = new


@kernel(forceinline=True)
def _sherman_morrison(F, H, stride, x, used, nv, weight, least):
    """Add weight times a row's square to what H inverts; `least` bounds the share that stays."""
    u = np.empty(stride, np.float32)
    combine_rows(F, H, stride, used, F, x, nv, u, 0)
    s = splat(ZERO)
    for i in range(nv):
        s = s + load(u, i * 16) * load(F, x + i * 16)
    scale = weight / max(ONE + weight * reduce_sum(s), least)
    for j in range(used):
        a = splat(scale * u[j])
        for i in range(nv):
            o = H + j * stride + i * 16
            store(F, o, load(F, o) - a * load(u, i * 16))


@kernel(forceinline=True)
def _all_certain(B, P, cap, codes, L):
    """Whether every row is so certain that float32 has but a few digits of what it lacks."""
    least = ONE
    for a in range(L):
        least = min(least, B[P + codes[a] * cap + a])
    return least > CERTAIN
