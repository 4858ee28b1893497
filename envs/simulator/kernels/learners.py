"""Any learner of the simulator by number: begin, add a label, refit and predict, copy.

The state of one fit is one row ("slot") of two flat buffers, cut into arrays by the sizes of its
task. A forest keeps only the sorted order of its rows: its trees live as long as one prediction.
"""

from collections import namedtuple

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.forest import fit_forest, insert_sorted, predict_forest, seed_stream
from envs.simulator.kernels.knn import add_knn, predict_knn, start_knn
from envs.simulator.kernels.naive_bayes import (
    add_naive_bayes,
    predict_naive_bayes,
    start_naive_bayes,
)
from envs.simulator.kernels.ridge import add_ridge, decision_to_proba, refit_ridge, start_ridge
from envs.simulator.kernels.softmax import (
    MEMORY,
    TOLERANCE,
    add_row,
    forget_pairs,
    predict_softmax,
    refit_softmax,
    scores,
    start_softmax,
)

LOGISTIC, FOREST, KNN, NAIVE_BAYES, RIDGE = 0, 1, 2, 3, 4

Problem = namedtuple("Problem", "kind D C n Lmax first second XT X4")
"""One task as the learners see it: learner number, columns, classes, points, most labels, two
parameters (penalty, or trees and columns per split, or k, or smoothing, or alpha), and the points,
one a column: XT (D + 1, n) float64 with a last row of ones, X4 (D, n) float32 (forests)."""

Fits = namedtuple("Fits", "floats ints")
"""Buffers of all fits, each (slots, size): float64 and int64."""

Bought = namedtuple("Bought", "rows labels count word")
"""Of one episode: points and codes of the labels in the order of purchase, (Lmax,) each, labels
of every class, (C,), and the word that seeds its forests, (1,) uint64."""


def fit_sizes(
    kind: int, *, columns: int, classes: int, points: int, most: int, k: int
) -> tuple[int, int]:
    """Return how many floats and integers the fit of one task needs."""
    d = columns + 1
    if kind == LOGISTIC:
        memory = MEMORY * (2 * classes * d + 1)
        return classes * d + d * d + memory + 2 * most * d, 4 + most
    if kind == FOREST:
        return 0, columns * most
    if kind == KNN:
        return k * points, k * points
    if kind == NAIVE_BAYES:
        return 2 * (classes + 1) * columns, classes + 1
    return columns * columns + classes * columns + classes * d, classes


@kernel
def _logistic(f, i, p):
    """Cut a slot into W, H, S, Y, rho, X, XT, meta and codes."""
    d, C, L = p.D + 1, p.C, p.Lmax
    W = f[: C * d].reshape(C, d)
    a = C * d
    H = f[a : a + d * d].reshape(d, d)
    a += d * d
    S = f[a : a + MEMORY * C * d].reshape(MEMORY, C, d)
    a += MEMORY * C * d
    Y = f[a : a + MEMORY * C * d].reshape(MEMORY, C, d)
    a += MEMORY * C * d
    rho = f[a : a + MEMORY]
    a += MEMORY
    X = f[a : a + L * d].reshape(L, d)
    a += L * d
    XT = f[a : a + L * d].reshape(d, L)
    return W, H, S, Y, rho, X, XT, i[:4], i[4 : 4 + L]


@kernel
def _bayes(f, i, p):
    size = (p.C + 1) * p.D
    return i[: p.C + 1], f[:size].reshape(p.C + 1, p.D), f[size : 2 * size].reshape(p.C + 1, p.D)


@kernel
def _ridge(f, p):
    D, C = p.D, p.C
    a = D * D
    b = a + C * D
    return f[:a].reshape(D, D), f[a:b].reshape(C, D), f[b : b + C * (D + 1)].reshape(C, D + 1)


@kernel
def _neighbours(f, i, p):
    k = np.int64(p.first)
    return f[: k * p.n].reshape(k, p.n), i[: k * p.n].reshape(k, p.n)


@kernel
def begin_fit(p, fits, slot):
    """Empty a slot: nothing is labelled."""
    f, i = fits.floats[slot], fits.ints[slot]
    if p.kind == LOGISTIC:
        W, H, S, Y, rho, X, XT, meta, codes = _logistic(f, i, p)
        start_softmax(H, meta[:2])
        meta[2] = 0
        W[:] = 0.0
    elif p.kind == KNN:
        distance, labels = _neighbours(f, i, p)
        start_knn(distance)
    elif p.kind == NAIVE_BAYES:
        count, mean, spread = _bayes(f, i, p)
        start_naive_bayes(count, mean, spread)
    elif p.kind == RIDGE:
        M, sums, W = _ridge(f, p)
        start_ridge(M, sums, p.first)


@kernel
def add_label(p, fits, slot, L, bought):
    """Take the L-th label of `bought` into a slot that holds the L before it."""
    f, i = fits.floats[slot], fits.ints[slot]
    row, label = bought.rows[L], bought.labels[L]
    if p.kind == LOGISTIC:
        W, H, S, Y, rho, X, XT, meta, codes = _logistic(f, i, p)
        for j in range(p.D + 1):
            X[L, j] = p.XT[j, row]
            XT[j, L] = p.XT[j, row]
        add_row(X, L, W, H, S, Y, rho, meta[:2], max(meta[2], 1))
    elif p.kind == FOREST:
        insert_sorted(p.X4, bought.rows, i[: p.D * p.Lmax].reshape(p.D, p.Lmax), L)
    elif p.kind == KNN:
        distance, labels = _neighbours(f, i, p)
        add_knn(p.XT, p.D, row, label, distance, labels)
    elif p.kind == NAIVE_BAYES:
        count, mean, spread = _bayes(f, i, p)
        add_naive_bayes(p.XT, row, label, count, mean, spread)
    else:
        M, sums, W = _ridge(f, p)
        add_ridge(p.XT, row, label, M, sums)


@kernel
def copy_fit(fits, source, target):
    """Copy one slot over another."""
    f, g = fits.floats[source], fits.floats[target]
    for j in range(len(f)):
        g[j] = f[j]
    a, b = fits.ints[source], fits.ints[target]
    for j in range(len(a)):
        b[j] = a[j]


@kernel
def refit_predict(p, fits, slot, L, bought, proba, entropy, lo, hi):
    """Refit a slot to its L labels and write the probabilities of the points lo to hi.

    Args:
        p: The task.
        fits: Buffers.
        slot: Which fit.
        L: Labels it holds.
        bought: What they are.
        proba: Shape (C + 1, hi - lo), overwritten; the last row is scratch. One class seen: that
            class is certain; none: uniform.
        entropy: Mean entropy of the members in nats, shape (hi - lo,), or (0,) to skip it.
        lo: First point.
        hi: One past the last point.
    """
    n = hi - lo
    compact = np.empty(p.C, np.int64)
    seen = np.empty(p.C, np.int64)
    S = 0
    for c in range(p.C):
        compact[c] = S
        if bought.count[c] > 0:
            seen[S] = c
            S += 1
    if S < 2:
        for c in range(p.C):
            share = 1.0 / p.C if S == 0 else (1.0 if bought.count[c] > 0 else 0.0)
            for i in range(n):
                proba[c, i] = share
        return
    f, i8 = fits.floats[slot], fits.ints[slot]
    K = 1 if S == 2 else S
    if p.kind == KNN:
        distance, labels = _neighbours(f, i8, p)
        predict_knn(labels, L, proba[: p.C], lo, hi)
        return
    if p.kind == NAIVE_BAYES:
        count, mean, spread = _bayes(f, i8, p)
        predict_naive_bayes(p.XT, count, mean, spread, p.first, proba[: p.C], lo, hi)
        return
    if p.kind == LOGISTIC:
        W, H, St, Y, rho, X, XT, meta, codes = _logistic(f, i8, p)
        if meta[2] != K:
            forget_pairs(W, meta[:2])
            meta[2] = K
        for m in range(L):
            codes[m] = compact[bought.labels[m]]
        refit_softmax(X, XT, codes, L, K, W, H, St, Y, rho, meta[:2], p.first, TOLERANCE)
        predict_softmax(W, p.XT, proba, K, lo, hi)
    elif p.kind == RIDGE:
        M, sums, W = _ridge(f, p)
        refit_ridge(M, sums, bought.count, L, seen[1:] if K == 1 else seen, K, W)
        scores(W, p.XT, proba, K, lo, n)
        decision_to_proba(proba, K, n)
    else:
        _forest(p, i8, L, bought, compact, S, proba, entropy, lo, hi)
    spread_classes(proba, seen, S, n)


@kernel
def _forest(p, order, L, bought, compact, S, proba, entropy, lo, hi):
    M = np.int64(p.first)
    values = np.empty((p.D, L), np.float32)
    codes = np.empty(L, np.int64)
    for m in range(L):
        codes[m] = compact[bought.labels[m]]
    for j in range(p.D):
        for m in range(L):
            values[j, m] = p.X4[j, bought.rows[m]]
    trees = (
        np.empty((M, 2 * L), np.int32),
        np.empty((M, 2 * L), np.float32),
        np.empty((M, 2 * L), np.int32),
        np.empty((M, 2 * L, S), np.float32),
        np.empty(M, np.int64),
    )
    state = np.empty(1, np.uint64)
    seed_stream(state, bought.word[0], L)
    ordered = order[: p.D * p.Lmax].reshape(p.D, p.Lmax)
    in_bag = np.empty((M, L), np.int32)
    importance = np.empty((2, p.D))
    fit_forest(
        values, ordered, codes, L, S, np.int64(p.second), state, trees, in_bag, importance
    )  # fmt: skip
    predict_forest(p.X4, trees, S, proba, np.empty(0), entropy, lo, hi)


@kernel
def spread_classes(proba, seen, S, n):
    """Move the first S rows of `proba` to the rows of their classes; all others become 0."""
    C = proba.shape[0] - 1
    s = S - 1
    for c in range(C - 1, -1, -1):
        if s >= 0 and seen[s] == c:
            if s != c:
                for i in range(n):
                    proba[c, i] = proba[s, i]
            s -= 1
        else:
            for i in range(n):
                proba[c, i] = 0.0


@kernel
def measure(proba, y, lo, n, C, metrics):
    """Write accuracy, balanced accuracy and log-likelihood, as `lal.loop.METRICS` has them.

    Args:
        proba: Shape (C or more, n).
        y: Class codes of all points; those from `lo` on belong to `proba`.
        lo: First point.
        n: Points.
        C: Classes.
        metrics: Shape (3,), overwritten.
    """
    right = np.zeros(C)
    total = np.zeros(C)
    likelihood = 0.0
    for i in range(n):
        top = 0
        for c in range(1, C):
            if proba[c, i] > proba[top, i]:
                top = c
        truth = y[lo + i]
        total[truth] += 1.0
        right[truth] += top == truth
        likelihood += np.log(max(proba[truth, i], 1e-15))
    hits, balanced, present = 0.0, 0.0, 0
    for c in range(C):
        hits += right[c]
        if total[c] > 0:
            balanced += right[c] / total[c]
            present += 1
    metrics[0] = hits / n
    metrics[1] = balanced / present
    metrics[2] = likelihood / n
