"""The learners of the simulator: one kernel each brings fits up to date and predicts.

The state of one fit is one row ("slot") of two flat buffers, cut into arrays by the sizes of its
task. A forest keeps only the sorted order of its rows: its trees live as long as one prediction.
All kernels named ``update_*`` take the same arguments (`Updates`), one learner each, so that a run
compiles only the learners it uses.
"""

from collections import namedtuple
from typing import Any

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
    LARGE,
    MEMORY,
    SHORT_MEMORY,
    TOLERANCE,
    add_row,
    coordinates,
    forget_pairs,
    logarithm,
    predict_softmax,
    refit_softmax,
    scores,
    start_softmax,
)

LOGISTIC, FOREST, KNN, NAIVE_BAYES, RIDGE = range(5)

KIND, COLUMNS, CLASSES, POOL, POINTS, MOST, WIDTH, REFERENCE, AROUND = range(9)
BUDGET, START, CLASSES_KNOWN, BUDGET_KNOWN = range(9, 13)
AT_X, AT_X4, AT_Y, AT_Z, AT_REFERENCE, AT_AROUND, AT_FREE = range(13, 20)
N_SIZES = 20

Updates = namedtuple(
    "Updates",
    "sizes params x x4 y task n_labelled rows labels count words repeats held from_row ids floats "
    "ints slots proba entropy metrics",
)
"""What `update_*` works on.

Of the tasks: sizes, params, x, x4, y (`kernels.episodes.Tables`). Of the episodes: task,
n_labelled, rows, labels, count, and words (E, 4, 1), the third of which seeds forests; repeats:
forests averaged. ``ids`` (n,): which episodes; ``slots`` (n,): their fits, rows of floats and ints;
``held`` (slots,): labels a fit holds already, -1 to empty it first. ``from_row``: 1 to predict the
reward part alone. Results, one row an entry of ids: proba (n, >= (C + 1) points), entropy
(n, points or 0) and metrics (n, 3)."""

Problem = namedtuple("Problem", "D C N n Lmax first second lo")
"""Sizes of one task: columns, classes, pool rows, points, most labels, the learner's two
parameters (penalty, or trees and columns per split, or k, or smoothing, or alpha), first point."""


def fit_sizes(
    kind: int, *, columns: int, classes: int, points: int, most: int, k: int
) -> tuple[int, int]:
    """Return how many floats and integers the fit of one task needs."""
    d = columns + 1
    if kind == LOGISTIC:
        memory = (MEMORY if classes * d <= LARGE else SHORT_MEMORY) * (2 * classes * d + 1)
        return classes * d + d * d + memory + 2 * most * d + columns * columns, 4 + most
    if kind == FOREST:
        return 0, columns * most
    if kind == KNN:
        return k * points, k * points
    if kind == NAIVE_BAYES:
        return 2 * (classes + 1) * columns, classes + 1
    return columns * columns + classes * columns + classes * d, classes


@kernel
def _logistic(f, i, p):
    """Cut a slot into W, H, S, Y, rho, X, XT, Q, meta and codes."""
    d, C, L = p.D + 1, p.C, p.Lmax
    W = f[: C * d].reshape(C, d)
    a = C * d
    H = f[a : a + d * d].reshape(d, d)
    a += d * d
    m = MEMORY if C * d <= LARGE else SHORT_MEMORY
    S = f[a : a + m * C * d].reshape(m, C, d)
    a += m * C * d
    Y = f[a : a + m * C * d].reshape(m, C, d)
    a += m * C * d
    rho = f[a : a + m]
    a += m
    X = f[a : a + L * d].reshape(L, d)
    a += L * d
    XT = f[a : a + L * d].reshape(d, L)
    a += L * d
    Q = f[a : a + p.D * p.D].reshape(p.D, p.D)
    return W, H, S, Y, rho, X, XT, Q, i[:4], i[4 : 4 + L]


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


@kernel(fastmath=False)
def _ratio(a, b):
    """Return a / b, rounded as numpy does, so that equal counts give equal numbers."""
    return a / b


@kernel
def measure(proba, y, p, metrics):
    """Write accuracy, balanced accuracy and log-likelihood, as `lal.loop.METRICS` has them.

    Args:
        proba: Probabilities of the points from ``p.lo`` on, shape (C + 1, n - lo).
        y: Class codes of all points, shape (n,).
        p: Sizes; points from ``p.N`` on are the reward part.
        metrics: Shape (3,), overwritten.
    """
    right, total = np.zeros(p.C), np.zeros(p.C)
    n = p.n - p.N
    begin = p.N - p.lo
    top, best, true = np.zeros(n, np.int64), np.empty(n), np.empty(n)
    for i in range(n):
        best[i] = proba[0, begin + i]
    for c in range(1, p.C):
        for i in range(n):
            higher = proba[c, begin + i] > best[i]
            best[i] = proba[c, begin + i] if higher else best[i]
            top[i] = c if higher else top[i]
    for i in range(n):
        truth = y[p.N + i]
        true[i] = proba[truth, begin + i]
        total[truth] += 1.0
        right[truth] += top[i] == truth
    likelihood = 0.0
    for i in range(n):
        likelihood += logarithm(max(true[i], 1e-15))
    hits, balanced, present = 0.0, 0.0, 0
    for c in range(p.C):
        hits += right[c]
        if total[c] > 0:
            balanced += right[c] / total[c]
            present += 1
    metrics[0] = _ratio(hits, float(n))
    metrics[1] = balanced / present
    metrics[2] = likelihood / n


@kernel
def copy_fits(floats: Any, ints: Any, held: Any, sources: Any, targets: Any) -> None:
    """Copy slots over others."""
    for m in range(len(sources)):
        a, b = sources[m], targets[m]
        for j in range(floats.shape[1]):
            floats[b, j] = floats[a, j]
        for j in range(ints.shape[1]):
            ints[b, j] = ints[a, j]
        held[b] = held[a]


@kernel
def _problem(sizes, params, from_row):
    N = sizes[POOL]
    return Problem(
        sizes[COLUMNS], sizes[CLASSES], N, sizes[POINTS], sizes[MOST], params[0], params[1],
        N if from_row else 0,
    )  # fmt: skip


@kernel
def _points(x, sizes):
    d, n = sizes[COLUMNS] + 1, sizes[POINTS]
    return x[sizes[AT_X] : sizes[AT_X] + d * n].reshape(d, n)


@kernel
def _points4(x4, sizes):
    d, n = sizes[COLUMNS], sizes[POINTS]
    return x4[sizes[AT_X4] : sizes[AT_X4] + d * n].reshape(d, n)


@kernel
def classes_seen(count, C, compact, seen, proba, n):
    """Number the seen classes and return how many; with fewer than two, predict without a fit.

    Args:
        count: Labels of every class, shape (C or more,).
        C: Classes.
        compact: Number of every seen class, shape (C,), overwritten.
        seen: Seen classes, shape (C,), overwritten from the front.
        proba: Shape (C + 1, n). One seen class is certain; without any, all are equally likely.
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


@kernel
def update_logistic(u: Any) -> None:
    """Bring logistic regressions up to date, predict and measure."""
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        sizes = u.sizes[u.task[e]]
        p = _problem(sizes, u.params[u.task[e]], u.from_row)
        L, points, labels = u.n_labelled[e], _points(u.x, sizes), u.labels[e]
        W, H, S, Y, rho, X, XT, Q, meta, codes = _logistic(u.floats[slot], u.ints[slot], p)
        if u.held[slot] < 0:
            start_softmax(H, S, Y, meta, p.first)
            X[:] = 0.0
            XT[:] = 0.0
            W[:] = 0.0
            u.held[slot] = 0
        for a in range(u.held[slot], L):
            meta[3] = coordinates(points, p.D, u.rows[e, a], Q, meta[3], X[a])
            for j in range(meta[3] + 1):
                XT[j, a] = X[a, j]
            add_row(X, a, W, H, S, Y, rho, meta[:2], max(meta[2], 1), meta[3] + 1)
        u.held[slot] = L
        compact, seen = np.empty(p.C, np.int64), np.empty(p.C, np.int64)
        n = p.n - p.lo
        proba = u.proba[m, : (p.C + 1) * n].reshape(p.C + 1, n)
        K = classes_seen(u.count[e], p.C, compact, seen, proba, n)
        if K >= 2:
            classes = K
            K = 1 if K == 2 else K
            if meta[2] != K:
                forget_pairs(W, meta[:2])
                meta[2] = K
            for a in range(L):
                codes[a] = compact[labels[a]]
            tolerance = TOLERANCE * min(1.0, p.first)  # weak penalties leave flat directions
            refit_softmax(
                X, XT, codes, L, K, meta[3] + 1, W, H, S, Y, rho, meta[:2], p.first, tolerance
            )
            predict_softmax(W, Q, meta[3], points, proba, K, p.lo, p.n)
            spread_classes(proba, seen, classes, n)
        measure(proba, u.y[sizes[AT_Y] : sizes[AT_Y] + p.n], p, u.metrics[m])


@kernel
def update_ridge(u: Any) -> None:
    """Bring ridge classifiers up to date, predict and measure."""
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        sizes = u.sizes[u.task[e]]
        p = _problem(sizes, u.params[u.task[e]], u.from_row)
        L, points = u.n_labelled[e], _points(u.x, sizes)
        M, sums, W = _ridge(u.floats[slot], p)
        if u.held[slot] < 0:
            start_ridge(M, sums, p.first)
            u.held[slot] = 0
        for a in range(u.held[slot], L):
            add_ridge(points, u.rows[e, a], u.labels[e, a], M, sums)
        u.held[slot] = L
        compact, seen = np.empty(p.C, np.int64), np.empty(p.C, np.int64)
        n = p.n - p.lo
        proba = u.proba[m, : (p.C + 1) * n].reshape(p.C + 1, n)
        classes = classes_seen(u.count[e], p.C, compact, seen, proba, n)
        if classes >= 2:
            K = 1 if classes == 2 else classes
            refit_ridge(M, sums, u.count[e], L, seen[1:] if K == 1 else seen, K, W)
            scores(W, points, proba, K, p.D + 1, p.lo, n)
            decision_to_proba(proba, K, n)
            spread_classes(proba, seen, classes, n)
        measure(proba, u.y[sizes[AT_Y] : sizes[AT_Y] + p.n], p, u.metrics[m])


@kernel
def update_knn(u: Any) -> None:
    """Bring nearest-neighbour classifiers up to date, predict and measure."""
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        sizes = u.sizes[u.task[e]]
        p = _problem(sizes, u.params[u.task[e]], u.from_row)
        L, points = u.n_labelled[e], _points(u.x, sizes)
        distance, labels = _neighbours(u.floats[slot], u.ints[slot], p)
        if u.held[slot] < 0:
            start_knn(distance)
            u.held[slot] = 0
        for a in range(u.held[slot], L):
            add_knn(points, p.D, u.rows[e, a], u.labels[e, a], distance, labels)
        u.held[slot] = L
        n = p.n - p.lo
        proba = u.proba[m, : (p.C + 1) * n].reshape(p.C + 1, n)
        compact, seen = np.empty(p.C, np.int64), np.empty(p.C, np.int64)
        if classes_seen(u.count[e], p.C, compact, seen, proba, n) >= 2:
            predict_knn(labels, L, proba[: p.C], p.lo, p.n)
        measure(proba, u.y[sizes[AT_Y] : sizes[AT_Y] + p.n], p, u.metrics[m])


@kernel
def update_naive_bayes(u: Any) -> None:
    """Bring Gaussian naive Bayes classifiers up to date, predict and measure."""
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        sizes = u.sizes[u.task[e]]
        p = _problem(sizes, u.params[u.task[e]], u.from_row)
        L, points = u.n_labelled[e], _points(u.x, sizes)
        count, mean, spread = _bayes(u.floats[slot], u.ints[slot], p)
        if u.held[slot] < 0:
            start_naive_bayes(count, mean, spread)
            u.held[slot] = 0
        for a in range(u.held[slot], L):
            add_naive_bayes(points, u.rows[e, a], u.labels[e, a], count, mean, spread)
        u.held[slot] = L
        n = p.n - p.lo
        proba = u.proba[m, : (p.C + 1) * n].reshape(p.C + 1, n)
        compact, seen = np.empty(p.C, np.int64), np.empty(p.C, np.int64)
        if classes_seen(u.count[e], p.C, compact, seen, proba, n) >= 2:
            predict_naive_bayes(points, count, mean, spread, p.first, proba[: p.C], p.lo, p.n)
        measure(proba, u.y[sizes[AT_Y] : sizes[AT_Y] + p.n], p, u.metrics[m])


@kernel
def update_forest(u: Any) -> None:
    """Grow forests anew (`repeats` of each, averaged), predict and measure."""
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        sizes = u.sizes[u.task[e]]
        p = _problem(sizes, u.params[u.task[e]], u.from_row)
        L, points = u.n_labelled[e], _points4(u.x4, sizes)
        rows = u.rows[e]
        order = u.ints[slot, : p.D * p.Lmax].reshape(p.D, p.Lmax)
        for a in range(max(u.held[slot], 0), L):
            insert_sorted(points, rows, order, a)
        u.held[slot] = L
        n = p.n - p.lo
        proba = u.proba[m, : (p.C + 1) * n].reshape(p.C + 1, n)
        compact, seen = np.empty(p.C, np.int64), np.empty(p.C, np.int64)
        S = classes_seen(u.count[e], p.C, compact, seen, proba, n)
        y = u.y[sizes[AT_Y] : sizes[AT_Y] + p.n]
        if S < 2:
            measure(proba, y, p, u.metrics[m])
            continue
        M = np.int64(p.first)
        values, codes = np.empty((p.D, L), np.float32), np.empty(L, np.int64)
        for a in range(L):
            codes[a] = compact[u.labels[e, a]]
        for j in range(p.D):
            for a in range(L):
                values[j, a] = points[j, rows[a]]
        trees = (
            np.empty((M, 2 * L), np.int32),
            np.empty((M, 2 * L), np.float32),
            np.empty((M, 2 * L), np.int32),
            np.empty((M, 2 * L, S), np.float32),
            np.empty(M, np.int64),
        )
        in_bag, importance = np.empty((M, L), np.int32), np.empty((2, p.D))
        state, metrics = np.empty(1, np.uint64), np.zeros(3)
        wide = u.entropy.shape[1] > 0
        entropy = u.entropy[m, : n if wide else 0]
        u.metrics[m] = 0.0
        for r in range(u.repeats):
            seed_stream(state, u.words[e, 2, 0] + np.uint64(r), L)
            fit_forest(
                values, order, codes, L, S, np.int64(p.second), state, trees, in_bag, importance
            )  # fmt: skip
            predict_forest(points, trees, S, proba, np.empty(0), entropy, p.lo, p.n)
            spread_classes(proba, seen, S, n)
            measure(proba, y, p, metrics)
            for k in range(3):
                u.metrics[m, k] += metrics[k] / u.repeats


UPDATES = {
    LOGISTIC: update_logistic,
    FOREST: update_forest,
    KNN: update_knn,
    NAIVE_BAYES: update_naive_bayes,
    RIDGE: update_ridge,
}
"""The update kernel of every learner number."""
