"""The Laplace variance of a logistic regression's logits, as `lal.learners.leverage` has it."""

import math
from typing import Any

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.cholesky import factor, solved_square
from envs.simulator.kernels.layout import LOGISTIC


@kernel
def _rows_with_ones(points, rows, n):
    D = points.shape[0]
    A = np.ones((n, D + 1))
    for a in range(n):
        for j in range(D):
            A[a, j] = points[j, rows[a]]
    return A


@kernel
def logit_variance(
    points: Any, labelled: Any, L: Any, proba: Any, count: Any, seen: Any, ridge: Any, rows: Any,
    out: Any,
) -> None:  # fmt: skip
    """Write the mean over the classes of ``x' (A' diag(w) A + ridge I)^-1 x``, w = p (1 - p).

    Two classes: that of one logit. Solved in the smaller of the two spaces.

    Args:
        points: One a column, shape (D, n).
        labelled: Labelled points, shape (L or more,).
        L: Labels.
        proba: Probabilities, shape (C, n).
        count: Labels of every class, shape (C,).
        seen: Classes with a label, at least 2.
        ridge: Prior precision.
        rows: Points asked for.
        out: Shape of rows, overwritten.
    """
    A, X = _rows_with_ones(points, labelled, L), _rows_with_ones(points, rows, len(rows))
    d = A.shape[1]
    out[:] = 0.0
    first = True
    for c in range(len(count)):
        if count[c] == 0:
            continue
        if seen == 2 and first:
            first = False
            continue
        root = A.copy()
        for a in range(L):
            p = proba[c, labelled[a]]
            root[a] *= math.sqrt(p * (1.0 - p))
        dual = d > L
        G = np.dot(root, root.T) if dual else np.dot(root.T, root)
        for j in range(len(G)):
            G[j, j] += ridge
        factor(G)
        b = np.empty(len(G))
        for i in range(len(rows)):
            if dual:
                square = 0.0
                for j in range(d):
                    square += X[i, j] * X[i, j]
                for a in range(L):
                    b[a] = 0.0
                    for j in range(d):
                        b[a] += root[a, j] * X[i, j]
                out[i] += max(square - solved_square(G, b), 0.0) / ridge
            else:
                b[:] = X[i]
                out[i] += solved_square(G, b)
    if seen > 2:
        for i in range(len(rows)):
            out[i] /= seen


@kernel
def observe_variance(t: Any, eps: Any, ids: Any, slates: Any) -> None:
    """Write the variance of the offered rows of logistic regressions; others keep their own.

    A kernel by itself, so that only those who ask for ``variance@1`` compile it.

    Args:
        t: Tasks.
        eps: Episodes; ``variance`` is overwritten where rows are offered.
        ids: Which episodes.
        slates: Rows offered, shape (E, K), -1 for a closed slot.
    """
    for at in range(len(ids)):
        e = ids[at]
        task, seen = t.tasks[eps.task[e]], 0
        C, D, n = task.classes, task.columns, task.points
        for c in range(C):
            seen += eps.count[e, c] > 0
        if task.kind != LOGISTIC or seen < 2:
            continue
        rows = slates[e][slates[e] >= 0]
        values = np.empty(len(rows))
        logit_variance(
            t.x[task.at_x : task.at_x + D * n].reshape(D, n), eps.rows[e], eps.n_labelled[e],
            eps.proba[e, : C * n].reshape(C, n), eps.count[e, :C], seen,
            max(task.first, 1e-10), rows, values,
        )  # fmt: skip
        for k in range(len(rows)):
            eps.variance[e, rows[k]] = np.float32(values[k])
