"""Gaussian-process regression on one-hot targets: an incremental Cholesky factor, in float32.

With ``V = C^-1 k(labelled, points)`` for the Cholesky factor C of the labelled kernel matrix, each
label adds one row to V; means grow by that row times the new whitened target, variances shrink by
its square. A label costs O(L n), and nothing is ever factorised anew. The noise on the diagonal
keeps the factor well conditioned, so single precision is enough.

Points lie in tiles of 16 as in `kernels.linear`; V likewise: tile t holds ``rows`` vectors.
"""

import math
from typing import Any

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.layout import get_problem
from envs.simulator.kernels.metrics import classes_seen, measure
from envs.simulator.kernels.simd import exponential, load, splat, store

ZERO, ONE = np.float32(0.0), np.float32(1.0)


@kernel
def start_gp(mean: Any, variance: Any) -> None:
    """Forget all rows: zero means (C n,) and unit variances (n,)."""
    mean[:] = ZERO
    variance[:] = ONE


@kernel
def whitened_row(
    V: Any, rows: Any, targets: Any, C: Any, row: Any, label: Any, L: Any, noise: Any, v: Any,
    t: Any,
) -> Any:  # fmt: skip
    """Write a point's whitened kernel row to v and its whitened target to t; return its pivot.

    Args:
        V: Whitened kernel rows of all points in tiles, flat.
        rows: Labelled rows that V has room for.
        targets: Whitened one-hot targets, flat (rows, C).
        C: Classes.
        row: The point.
        label: Its class code.
        L: Labelled rows before it.
        noise: Variance added to the diagonal.
        v: Shape (L or more,), overwritten.
        t: Shape (C,), overwritten.
    """
    at = row // 16 * rows * 16 + row % 16
    pivot = ONE + noise
    for m in range(L):
        v[m] = V[at + m * 16]
        pivot -= v[m] * v[m]
    pivot = np.float32(math.sqrt(max(pivot, np.float32(1e-6))))
    for c in range(C):
        t[c] = ONE if c == label else ZERO
    for m in range(L):
        for c in range(C):
            t[c] -= v[m] * targets[m * C + c]
    for c in range(C):
        t[c] /= pivot
    return pivot


@kernel
def add_gp(
    points: Any, row: Any, L: Any, V: Any, rows: Any, whitened: Any, scale: Any, posterior: Any,
    first: Any, keep: Any,
) -> None:  # fmt: skip
    """Take one more labelled row into the means and variances of the points from a tile on.

    Args:
        points: Points in tiles, flat; where the first tile begins; columns.
        row: The labelled point.
        L: Labelled rows before it.
        V: Whitened kernel rows in tiles; row L is written when `keep`.
        rows: Labelled rows that V has room for.
        whitened: v, t (one a class) and the pivot, from `whitened_row`.
        scale: -1/2 over the squared length scale of the squared-exponential kernel.
        posterior: Means, flat (C, 16 tiles), and variances of the noise-free values, shape
            (16 tiles,); updated.
        first: First tile.
        keep: Whether the row stays.
    """
    X, at, D = points
    v, t, pivot = whitened
    mean, variance = posterior
    mine = at + row // 16 * 16 * D + row % 16
    tiles, C = len(variance) // 16, len(t)
    share = splat(ONE / pivot)
    width = splat(scale)
    centre = np.empty(D, np.float32)
    for j in range(D):
        centre[j] = X[mine + 16 * j]
    for tile in range(tiles):
        p = at + (first + tile) * 16 * D
        a = splat(ZERO)
        b = a
        j = 0
        while j + 2 <= D:
            x = load(X, p) - splat(centre[j])
            y = load(X, p + 16) - splat(centre[j + 1])
            a = a + x * x
            b = b + y * y
            p += 32
            j += 2
        if j < D:
            x = load(X, p) - splat(centre[j])
            a = a + x * x
        k = exponential(width * (a + b))
        o = (first + tile) * rows * 16
        b = splat(ZERO)
        c = b
        e = b
        m = 0
        while m + 4 <= L:
            k = k - splat(v[m]) * load(V, o)
            b = b + splat(v[m + 1]) * load(V, o + 16)
            c = c + splat(v[m + 2]) * load(V, o + 32)
            e = e + splat(v[m + 3]) * load(V, o + 48)
            o += 64
            m += 4
        while m < L:
            b = b + splat(v[m]) * load(V, o)
            o += 16
            m += 1
        k = share * ((k - b) - (c + e))
        if keep:
            store(V, o, k)
        i = 16 * tile
        store(variance, i, load(variance, i) - k * k)
        for n in range(C):
            q = n * 16 * tiles + i
            store(mean, q, load(mean, q) + splat(t[n]) * k)


@kernel
def gp_proba(mean: Any, variance: Any, count: Any, S: Any, proba: Any) -> None:
    """Write class probabilities: positive parts of the means, drawn to uniform by the variance.

    Args:
        mean: Flat (C, n).
        variance: Shape (n,).
        count: Labels of every class; others than the S seen ones get 0.
        S: Seen classes.
        proba: Shape (C, n), overwritten.
    """
    C, n = proba.shape
    share = ONE / np.float32(S)
    total = np.zeros(n, np.float32)
    for c in range(C):
        if count[c] > 0:
            for i in range(n):
                q = max(mean[c * n + i], ZERO) + max(variance[i], ZERO) * share
                proba[c, i] = q
                total[i] += q
        else:
            for i in range(n):
                proba[c, i] = ZERO
    for i in range(n):
        total[i] = ONE / max(total[i], np.float32(1e-30))
    for c in range(C):
        for i in range(n):
            proba[c, i] *= total[i]


@kernel
def update_gp(u: Any) -> None:
    """Bring Gaussian processes up to date, predict and measure.

    Looking ahead reads the episode's own fit and writes nothing into it.
    """
    for m in range(len(u.ids)):
        e = u.ids[m]
        task = u.tasks[u.task[e]]
        p = get_problem(task, u.from_reward)
        L, n = u.n_labelled[e], p.n - p.lo
        F = u.singles[e]
        a = p.Lmax * p.n
        V, mean, variance = F[:a], F[a : a + p.C * p.n], F[a + p.C * p.n : a + (p.C + 1) * p.n]
        targets = F[a + (p.C + 1) * p.n : a + (p.C + 1) * p.n + p.Lmax * p.C]
        scale = np.float32(p.second)
        v, t = np.empty(p.Lmax, np.float32), np.empty(p.C, np.float32)
        if u.from_reward:
            own = np.empty((p.C + 1) * n, np.float32)
            for c in range(p.C + 1):
                own[c * n : (c + 1) * n] = (
                    mean[c * p.n + p.lo : (c + 1) * p.n] if c < p.C else (variance[p.lo :])
                )
            mean, variance = own[: p.C * n], own[p.C * n :]
        elif u.fitted[e] < 0:
            start_gp(mean, variance)
            u.fitted[e] = 0
        for b in range(L - 1 if u.from_reward else u.fitted[e], L):
            pivot = whitened_row(V, p.Lmax, targets, p.C, u.rows[e, b], u.labels[e, b], b,
                                 np.float32(p.first), v, t)  # fmt: skip
            if not u.from_reward:
                targets[b * p.C : (b + 1) * p.C] = t
            add_gp((u.tiles, task.at_tiles, p.D), u.rows[e, b], b, V, p.Lmax, (v, t, pivot), scale,
                   (mean, variance), p.lo // 16, not u.from_reward)  # fmt: skip
        if not u.from_reward:
            u.fitted[e] = L
        compact, seen = np.empty(p.C, np.int64), np.empty(p.C, np.int64)
        proba = u.proba[m, : p.C * n].reshape(p.C, n)
        S = classes_seen(u.count[e], p.C, compact, seen, proba, n)
        if S >= 2:
            gp_proba(mean, variance, u.count[e], S, proba)
        if u.variance.shape[1] > 0:
            for i in range(p.N):
                u.variance[m, i] = max(variance[i], np.float32(0.0))
        measure(u.proba[m], u.ends[task.at_ends : task.at_ends + p.C + 1], p, u.metrics[m])
