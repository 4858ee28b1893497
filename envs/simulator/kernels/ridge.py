"""Ridge classifier: least squares on targets of -1 and 1, kept exact by rank-one updates.

The inverse of ``X'X + penalty I`` takes each row by Sherman and Morrison; the free intercept is
eliminated afterwards: with ``s`` the sum of the rows and ``c = X'y``,
``b = (sum y - s'Mc) / (L - s'Ms)`` and ``w = M (c - b s)``. Float64 throughout.
"""

import numpy as np

from envs.simulator.compile import kernel

SLOPE = np.float32(2.0)
"""Slope of the fixed logistic that turns decision values into probabilities."""


@kernel
def start_ridge(M, sums, penalty):
    """Forget all rows.

    Args:
        M: Inverse of ``X'X + penalty I``, shape (D, D), overwritten.
        sums: Sum of the rows of every class, shape (C, D), overwritten.
        penalty: scikit-learn's alpha, above 0.
    """
    M[:] = 0.0
    sums[:] = 0.0
    for j in range(M.shape[0]):
        M[j, j] = 1.0 / penalty


@kernel
def add_ridge(XT, row, label, M, sums):
    """Take one more labelled row, column `row` of XT, into the inverse and its class's sum."""
    D = M.shape[0]
    u = np.zeros(D)
    for j in range(D):
        a = XT[j, row]
        sums[label, j] += a
        for i in range(D):
            u[i] += a * M[j, i]
    inner = 1.0
    for j in range(D):
        inner += u[j] * XT[j, row]
    for j in range(D):
        a = u[j] / inner
        for i in range(D):
            M[j, i] -= a * u[i]


@kernel
def refit_ridge(M, sums, count, n, codes, K, W):
    """Write the least-squares weights of K targets to W (K, D + 1), the intercept last.

    Args:
        M: Inverse of ``X'X + penalty I``, shape (D, D).
        sums: Sum of the rows of every class, shape (C, D).
        count: Labelled rows of every class, shape (C,).
        n: Labelled rows, L.
        codes: Class of each target, shape (K,).
        K: Targets: 1 for two classes (the class ``codes[0]`` is 1, the other -1), else one a class.
        W: Weights, shape (K or more, D + 1), overwritten.
    """
    D = M.shape[0]
    s, Ms = np.empty(D), np.empty(D)
    for j in range(D):
        s[j] = sums[0, j]
        Ms[j] = 0.0
    for c in range(1, sums.shape[0]):
        for j in range(D):
            s[j] += sums[c, j]
    for j in range(D):
        a = s[j]
        for i in range(D):
            Ms[i] += a * M[j, i]
    sMs = 0.0
    for j in range(D):
        sMs += s[j] * Ms[j]
    for k in range(K):
        c = codes[k]
        total = 2.0 * count[c] - n
        for i in range(D):
            W[k, i] = -Ms[i]
        for j in range(D):
            a = 2.0 * sums[c, j]
            for i in range(D):
                W[k, i] += a * M[j, i]
        inner = 0.0
        for j in range(D):
            inner += s[j] * W[k, j]
        b = (total - inner) / (n - sMs)
        for i in range(D):
            W[k, i] -= b * Ms[i]
        W[k, D] = b
