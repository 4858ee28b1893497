"""Binary L2 logistic regression, refitted after every label at the cost of a few vectors.

Minimises ``1/2 |w|^2 + sum_l log(1 + exp(-y_l (x_l w + b)))``, which is scikit-learn's objective
at C = 1 with the intercept free. The approximate inverse Hessian H is kept across labels: a new
point enters by Sherman-Morrison, every iteration adds a BFGS pair. The step along ``-H g`` is the
exact one-dimensional Newton step, shortened to ``ln(1 + r) / r`` of itself, r the largest change
of a score: by generalised self-concordance it never overshoots. A fit that does not reach the
tolerance within `CAP` iterations is finished by damped Newton steps in float64.

Float32 in vectors of 16, because a fit of a few hundred numbers is all in the nearest cache and
its cost is arithmetic. What float32 loses (`CERTAIN`), the finish in float64 makes good.

One fit works on one flat float32 array `F`, in which `offsets` places: H (stride, D + 1 rows), Q
(labelled samples as columns, D + 1 rows of `cap`), w, the gradient and scratch (of `stride`), t,
z and scratch (of `cap`). The intercept is the last coordinate (a constant column of ones).
"""

import math
from collections import namedtuple

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.cholesky import solve_factored
from envs.simulator.kernels.dense import (
    add_outer,
    add_outer_pair,
    combine_listed_rows,
    combine_rows,
    dot,
    fill,
    largest_absolute,
    set_all,
)
from envs.simulator.kernels.logistic.newton import newton_weights
from envs.simulator.kernels.simd import load, logistic, reduce_sum, splat, store

CAP = 40
"""Iterations before the fit is handed to Newton; fits of standardised columns take two to eight."""

CERTAIN = np.float32(3e-4)
"""Where no sample lacks more to its label, which takes weak penalties, Newton finishes the fit:
the gradient is made of what is lacking, and float32 has but a few digits of it."""

FREE_INTERCEPT = 100.0
"""Prior inverse curvature of the intercept, large enough to leave it free."""

ZERO = np.float32(0.0)
HALF = np.float32(0.5)
ONE = np.float32(1.0)


LEAST_CURVATURE = np.float32(1e-30)
"""Least s'y of a BFGS pair: below it the step was rounding, and its inverse would overflow."""

NO_DAMPING = np.float32(1e-3)
"""Largest change of a score up to which a step is taken whole: ``ln(1 + r) / r`` is 1 in three
digits there, fewer than the line's second derivative is exact to."""

Offsets = namedtuple("Offsets", "H Q w t stride cap D")
"""Where one fit keeps its parts in `F`. After w lie g, q = H g and five scratch vectors; after t
lie z, r = p - t, c = p (1 - p), u. `stride` is D + 1, `cap` the samples that fit, both padded."""


@kernel(forceinline=True)
def workspace_size(stride, cap):
    """Return how many numbers of `F` one fit takes."""
    return stride * stride + stride * cap + 8 * stride + 5 * cap


@kernel(forceinline=True)
def offsets(base, stride, cap, D):
    """Return where a fit in D columns that begins at `base` keeps its parts."""
    Q = base + stride * stride
    w = Q + stride * cap
    return Offsets(base, Q, w, w + 8 * stride, stride, cap, D)


@kernel
def start_fit(F, at):
    """Empty the model: no samples, zero weights, H the inverse of the prior curvature."""
    H, Q, w, t, stride, cap, D = at
    fill(F, H, stride * (D + 1), np.float32(0.0))
    for j in range(D):
        F[H + j * stride + j] = ONE
    F[H + D * stride + D] = np.float32(FREE_INTERCEPT)
    fill(F, Q, cap * (D + 1), np.float32(0.0))
    fill(F, w, 8 * stride, np.float32(0.0))
    fill(F, t, cap, HALF)
    fill(F, t + cap, 4 * cap, np.float32(0.0))


@kernel
def add_sample(F, at, L, R, row_at, label):
    """Append sample L (a padded row of R, its constant 1 included) and update H for it."""
    H, Q, w, t, stride, cap, D = at
    scratch = w + 3 * stride
    for j in range(D + 1):
        F[Q + j * cap + L] = R[row_at + j]
    F[t + L] = label
    nv = stride // 16
    z = dot(F, w, R, row_at, nv)
    p = ONE / (ONE + np.float32(math.exp(-z)))
    curvature = p * (ONE - p)
    combine_rows(F, H, stride, D + 1, R, row_at, nv, F, scratch)
    k = -curvature / (ONE + curvature * dot(F, scratch, R, row_at, nv))
    add_outer(F, H, stride, D + 1, k, F, scratch, nv)


@kernel(forceinline=True)
def _residuals(F, t, cap, nvl, step):
    """Move z by -step u, then write r = p - t and c = p (1 - p)."""
    z, r, c, u = t + cap, t + 2 * cap, t + 3 * cap, t + 4 * cap
    k = splat(-step)
    one = splat(ONE)
    for v in range(nvl):
        i = v * 16
        moved = load(F, z + i) + k * load(F, u + i)
        p = logistic(moved)
        store(F, z + i, moved)
        store(F, r + i, p - load(F, t + i))
        store(F, c + i, p * (one - p))


@kernel(forceinline=True)
def _gradient(F, w, out, r, R, rows_at, stride, rows, L, D):
    """Write w + sum_l r_l x_l, without w for the intercept."""
    nv = stride // 16
    combine_listed_rows(R, rows_at, stride, rows, L, F, r, nv, F, out)
    free = F[out + D]
    for v in range(nv):
        store(F, out + v * 16, load(F, out + v * 16) + load(F, w + v * 16))
    F[out + D] = free


@kernel
def fit(F, at, L, R, rows_at, rows, tolerance, still):
    """Refit to the L samples; returns the number of iterations (over `CAP`: Newton finished it).

    Args:
        F: The flat array of the fit.
        at: Its `Offsets`.
        L: Samples.
        R: Samples as padded rows, each of `stride` numbers, constant 1 in place D.
        rows_at: Where row 0 begins in `R`.
        rows: Row numbers of the L samples in the order in which they were added.
        tolerance: Largest component of the gradient when done.
        still: A step that changes no score of a sample by more than this is the last.
    """
    H, Q, w, t, stride, cap, D = at
    g, q, new = w + stride, w + 2 * stride, w + 4 * stride
    z, r, c, u = t + cap, t + 2 * cap, t + 3 * cap, t + 4 * cap
    nv, d1, nvl = stride // 16, D + 1, (L + 15) // 16
    step, iteration, done = ZERO, 0, False
    fill(F, u, nvl * 16, ZERO)
    for iteration in range(CAP):
        first = iteration == 0
        combine_rows(F, Q, cap, d1, F, w if first else q, nvl, F, z if first else u)
        if not first:
            slope = dot(F, g, F, q, nv)
            bend = splat(ZERO)
            for v in range(nvl):
                ul = load(F, u + v * 16)
                bend = bend + load(F, c + v * 16) * ul * ul
            curvature = reduce_sum(bend) + dot(F, q, F, q, nv) - F[q + D] * F[q + D]
            if not (slope > ZERO and curvature > ZERO):
                break
            step = slope / curvature
            change = step * largest_absolute(F, u, nvl)
            if change > NO_DAMPING:
                step *= np.float32(math.log1p(change)) / change
            for v in range(nv):
                i = v * 16
                store(F, w + i, load(F, w + i) - splat(step) * load(F, q + i))
            if change < still:
                done = True
                break
        _residuals(F, t, cap, nvl, step)
        _gradient(F, w, new, r, R, rows_at, stride, rows, L, D)
        done = largest_absolute(F, new, nv) < tolerance
        if done:
            break
        _update(F, H, g, stride, d1, step, first)
    if done and largest_absolute(F, r, nvl) > CERTAIN:
        return iteration
    newton(F, at, L, R, rows_at, rows)
    return CAP + 1


@kernel(forceinline=True)
def _update(F, H, g, stride, d1, step, first):
    """Add the BFGS pair to H (none at `first`), put the new gradient into g and H g into q.

    On entry `new` holds the new gradient and q = H g; the step taken is s = -step q. H times the
    new gradient costs one product; the pair's share in it is added from inner products.
    """
    q, h, new, s, A, B = (
        g + stride,
        g + 2 * stride,
        g + 3 * stride,
        g + 4 * stride,
        g + 5 * stride,
        g + 6 * stride,
    )
    nv = stride // 16
    combine_rows(F, H, stride, d1, F, new, nv, F, h)
    if first:
        for v in range(nv):
            store(F, g + v * 16, load(F, new + v * 16))
            store(F, q + v * 16, load(F, h + v * 16))
        return
    sum_sy = splat(ZERO)
    sum_yHy = sum_sy
    sum_sg = sum_sy
    sum_hg = sum_sy
    for v in range(nv):
        i = v * 16
        moved = splat(-step) * load(F, q + i)
        gradient = load(F, new + i)
        difference = gradient - load(F, g + i)
        hessian_difference = load(F, h + i) - load(F, q + i)
        sum_sy = sum_sy + moved * difference
        sum_yHy = sum_yHy + difference * hessian_difference
        sum_sg = sum_sg + moved * gradient
        sum_hg = sum_hg + hessian_difference * gradient
        store(F, g + i, gradient)
        store(F, s + i, moved)
        store(F, q + i, load(F, h + i))
        store(F, h + i, hessian_difference)
    sy = reduce_sum(sum_sy)
    if not sy > LEAST_CURVATURE:
        return
    inverse = ONE / sy
    both = (ONE + reduce_sum(sum_yHy) * inverse) * inverse
    sg = reduce_sum(sum_sg)
    along = both * sg - reduce_sum(sum_hg) * inverse
    across = -inverse * sg
    for v in range(nv):
        i = v * 16
        moved = load(F, s + i)
        hy = load(F, h + i)
        store(F, A + i, splat(both) * moved - splat(inverse) * hy)
        store(F, B + i, splat(-inverse) * moved)
        store(F, q + i, load(F, q + i) + splat(along) * moved + splat(across) * hy)
    add_outer_pair(F, H, stride, d1, F, s, A, h, B, nv)


@kernel
def newton(F, at, L, R, rows_at, rows):
    """Finish a fit by damped Newton steps in float64 and replace H by the exact inverse."""
    H, _, w, t, stride, _, D = at
    d1 = D + 1
    X = np.empty((L, d1))
    target = np.empty(L)
    weights = np.empty(d1)
    for i in range(L):
        target[i] = F[t + i]
        for j in range(d1):
            X[i, j] = R[rows_at + rows[i] * stride + j]
    for j in range(d1):
        weights[j] = F[w + j] if math.isfinite(F[w + j]) else 0.0
    factor, column = np.empty((d1, d1)), np.empty(d1)
    newton_weights(X, target, weights, factor, column)
    for j in range(d1):
        F[w + j] = weights[j]
        set_all(column, 0.0)
        column[j] = 1.0
        solve_factored(factor, column)
        for i in range(d1):
            F[H + i * stride + j] = column[i]
