"""Cholesky factors of small float64 matrices, and what is solved with them.

Strict floating point: pivots of nearly singular matrices are small differences of large numbers,
which reordered sums would change.
"""

import math

from envs.simulator.compile import kernel

LEAST_PIVOT = 1e-300
"""Stands for a pivot that rounding has made zero or negative, so that no square root is NaN."""


@kernel(fastmath=False)
def factor(A):
    """Replace the lower triangle of a positive definite matrix by its Cholesky factor."""
    n = len(A)
    for j in range(n):
        d = A[j, j]
        for k in range(j):
            d -= A[j, k] * A[j, k]
        root = math.sqrt(max(d, LEAST_PIVOT))
        A[j, j] = root
        for i in range(j + 1, n):
            s = A[i, j]
            for k in range(j):
                s -= A[i, k] * A[j, k]
            A[i, j] = s / root


@kernel(fastmath=False)
def solve_factored(A, b):
    """Solve A A^T x = b in place, A lower triangular."""
    n = len(b)
    for i in range(n):
        s = b[i]
        for k in range(i):
            s -= A[i, k] * b[k]
        b[i] = s / A[i, i]
    for i in range(n - 1, -1, -1):
        s = b[i]
        for k in range(i + 1, n):
            s -= A[k, i] * b[k]
        b[i] = s / A[i, i]


@kernel(fastmath=False)
def solved_square(A, b):
    """Return |A^-1 b|^2 for a lower triangular A; b is overwritten."""
    total = 0.0
    for i in range(len(b)):
        s = b[i]
        for k in range(i):
            s -= A[i, k] * b[k]
        b[i] = s / A[i, i]
        total += b[i] * b[i]
    return total
