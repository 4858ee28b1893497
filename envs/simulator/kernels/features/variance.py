"""The Laplace variance of a logistic regression's logits, as `lal.learners.leverage` has it."""

import math
from typing import Any

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.learners.updates import AT_X, CLASSES, COLUMNS, KIND, LOGISTIC, POINTS


@kernel
def _factor(A):
    """Replace the lower triangle of a positive definite matrix by its Cholesky factor."""
    n = len(A)
    for j in range(n):
        d = A[j, j]
        for k in range(j):
            d -= A[j, k] * A[j, k]
        root = math.sqrt(max(d, 1e-300))
        A[j, j] = root
        for i in range(j + 1, n):
            s = A[i, j]
            for k in range(j):
                s -= A[i, k] * A[j, k]
            A[i, j] = s / root


@kernel
def _solved_square(factor, b):
    """Return |F^-1 b|^2 for a lower triangular F; b is overwritten."""
    total = 0.0
    for i in range(len(b)):
        s = b[i]
        for k in range(i):
            s -= factor[i, k] * b[k]
        b[i] = s / factor[i, i]
        total += b[i] * b[i]
    return total


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
        _factor(G)
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
                out[i] += max(square - _solved_square(G, b), 0.0) / ridge
            else:
                b[:] = X[i]
                out[i] += _solved_square(G, b)
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
        s = t.sizes[eps.task[e]]
        C, D, n, seen = s[CLASSES], s[COLUMNS], s[POINTS], 0
        for c in range(C):
            seen += eps.count[e, c] > 0
        if s[KIND] != LOGISTIC or seen < 2:
            continue
        rows = slates[e][slates[e] >= 0]
        values = np.empty(len(rows))
        logit_variance(
            t.x[s[AT_X] : s[AT_X] + D * n].reshape(D, n), eps.rows[e], eps.n_labelled[e],
            eps.proba[e, : C * n].reshape(C, n), eps.count[e, :C], seen,
            max(t.params[eps.task[e], 0], 1e-10), rows, values,
        )  # fmt: skip
        for k in range(len(rows)):
            eps.variance[e, rows[k]] = np.float32(values[k])
