"""Ridge classifier: least squares on targets of -1 and 1, kept exact by rank-one updates.

The inverse M of ``X'X + penalty I`` takes each row by Sherman and Morrison, and so do its products
with the sum of the rows of every class, ``m_k = M s_k``. The free intercept is eliminated
afterwards: with ``s`` the sum of all rows and ``c = X'y = 2 s_k - s``,
``b = (sum y - s'Mc) / (L - s'Ms)`` and ``w = M (c - b s)``. Float64 up to the weights: nothing is
ever factorised anew, so the rounding of every rank-one update stays in M for good.
"""

from typing import Any

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import fill
from envs.simulator.kernels.layout import get_problem
from envs.simulator.kernels.linear import linear_scores, sigmoid_pair, sigmoid_shares
from envs.simulator.kernels.metrics import classes_seen, measure

SLOPE = np.float32(2.0)
"""Slope of the fixed logistic that turns decision values into probabilities."""


@kernel
def start_ridge(M, products, total, penalty):
    """Forget all rows.

    Args:
        M: Inverse of ``X'X + penalty I``, shape (D, D), overwritten.
        products: M times the sum of the rows of every class, shape (C, D), overwritten.
        total: Sum of all rows, shape (D,), overwritten.
        penalty: scikit-learn's alpha, above 0.
    """
    C, D = products.shape
    for j in range(D):
        for i in range(D):
            M[j, i] = 0.0
        M[j, j] = 1.0 / penalty
        total[j] = 0.0
    for c in range(C):
        for j in range(D):
            products[c, j] = 0.0


@kernel
def add_ridge(XT, row, label, M, products, total, room):
    """Take one more labelled row, column `row` of XT, into the fit; `room` holds 2 D numbers."""
    D = M.shape[0]
    for j in range(D):
        room[j] = XT[j, row]
    inner = 1.0
    for j in range(D):
        u = 0.0
        for i in range(D):
            u += M[j, i] * room[i]
        room[D + j] = u
        total[j] += room[j]
        inner += u * room[j]
    scale = 1.0 / inner
    for c in range(products.shape[0]):
        moved = 1.0 if c == label else 0.0
        for j in range(D):
            moved -= products[c, j] * room[j]
        moved *= scale
        for j in range(D):
            products[c, j] += moved * room[D + j]
    for j in range(D):
        a = scale * room[D + j]
        for i in range(D):
            M[j, i] -= a * room[D + i]


@kernel
def refit_ridge(products, total, count, n, codes, K, room, V):
    """Write the least-squares weights of K targets to V, K rows of D, then K intercepts.

    Args:
        products: M times the sum of the rows of every class, shape (C, D).
        total: Sum of all rows, shape (D,).
        count: Labelled rows of every class, shape (C,).
        n: Labelled rows, L.
        codes: Class of each target, shape (K,).
        K: Targets: 1 for two classes (the class ``codes[0]`` is 1, the other -1), else one a class.
        room: D numbers or more of scratch.
        V: Flat, overwritten; float32 in the simulator.
    """
    C, D = products.shape
    for j in range(D):
        room[j] = products[0, j]
    for c in range(1, C):
        for j in range(D):
            room[j] += products[c, j]
    squares = 0.0
    for j in range(D):
        squares += total[j] * room[j]
    for k in range(K):
        c = codes[k]
        inner = 2.0 * count[c] - n + squares
        for j in range(D):
            inner -= 2.0 * total[j] * products[c, j]
        b = inner / (n - squares)
        for j in range(D):
            V[k * D + j] = 2.0 * products[c, j] - (1.0 + b) * room[j]
        V[K * D + k] = b


@kernel
def update_ridge(u: Any) -> None:
    """Bring ridge classifiers up to date, predict and measure."""
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        task = u.tasks[u.task[e]]
        p = get_problem(task, u.from_reward)
        L, D, fit, whole = u.n_labelled[e], p.D, u.floats[slot], p.D * p.D
        points = u.x[task.at_x : task.at_x + D * p.n].reshape(D, p.n)
        M, a, b = fit[:whole].reshape(D, D), whole, whole + p.C * D
        products, total, room = fit[a:b].reshape(p.C, D), fit[b : b + D], fit[b + D : b + 3 * D]
        if u.fitted[slot] < 0:
            start_ridge(M, products, total, p.first)
            u.fitted[slot] = 0
        for i in range(u.fitted[slot], L):
            add_ridge(points, u.rows[e, i], u.labels[e, i], M, products, total, room)
        u.fitted[slot] = L
        n = p.n - p.lo
        compact, seen, flat = u.marks[: p.C], u.marks[p.C :], u.proba[m, : p.C * n]
        S = classes_seen(u.count[e], p.C, compact, seen, flat.reshape(p.C, n), n)
        if S >= 2:
            K, V, Z = 1 if S == 2 else S, u.singles[slot], u.scratch
            bias = V[K * p.D :]
            refit_ridge(
                products, total, u.count[e], L, seen[1:] if K == 1 else seen, K, room, V
            )  # fmt: skip
            tiles = n // 16
            if S < p.C:
                fill(flat, 0, p.C * n, np.float32(0.0))
            linear_scores(u.tiles, task.at_tiles, p.D, V, bias, K, p.lo // 16, tiles, Z)
            if K == 1:
                sigmoid_pair(Z, SLOPE, flat, seen[0], seen[1], tiles)
            else:
                sigmoid_shares(Z, K, SLOPE, flat, seen, tiles)
        measure(u.proba[m], u.ends[task.at_ends : task.at_ends + p.C + 1], p, u.metrics[m])
