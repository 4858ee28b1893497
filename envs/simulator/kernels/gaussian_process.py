"""Gaussian-process regression on one-hot targets: an incremental Cholesky factor.

With ``V = C^-1 k(labelled, points)`` for the Cholesky factor C of the labelled kernel matrix, each
label adds one row to V; means grow by that row times the new whitened target, variances shrink by
its square. A label costs O(L n), and nothing is ever factorised anew.
"""

import math
from typing import Any

from envs.simulator.compile import kernel
from envs.simulator.kernels.distances import squared_to_column
from envs.simulator.kernels.softmax import exponential


@kernel
def start_gp(mean: Any, variance: Any) -> None:
    """Forget all rows: zero means (C, n) and unit variances (n,)."""
    mean[:] = 0.0
    variance[:] = 1.0


@kernel
def add_gp(
    XT: Any, row: Any, label: Any, L: Any, V: Any, targets: Any, mean: Any, variance: Any,
    length_scale: Any, noise: Any,
) -> None:  # fmt: skip
    """Take one more labelled row into the means and variances of all points.

    Args:
        XT: Points, one a column, shape (D, n).
        row: Column of the labelled point.
        label: Its class code.
        L: Labelled rows before this one.
        V: Whitened kernel rows, shape (Lmax, n); row L is written.
        targets: Whitened one-hot targets, shape (Lmax, C); row L is written.
        mean: Posterior means, shape (C, n), updated.
        variance: Posterior variances of the noise-free values, shape (n,), updated.
        length_scale: Of the squared-exponential kernel of unit variance.
        noise: Variance added to the diagonal.
    """
    n = XT.shape[1]
    C = mean.shape[0]
    v = V[L]
    squared_to_column(XT, XT.shape[0], row, v)
    scale = -0.5 / (length_scale * length_scale)
    for i in range(n):
        v[i] = exponential(scale * v[i])
    pivot = v[row] + noise
    m = 0
    while m + 4 <= L:
        a, b, c, e = V[m, row], V[m + 1, row], V[m + 2, row], V[m + 3, row]
        pivot -= a * a + b * b + c * c + e * e
        for i in range(n):
            v[i] -= a * V[m, i] + b * V[m + 1, i] + c * V[m + 2, i] + e * V[m + 3, i]
        m += 4
    while m < L:
        a = V[m, row]
        pivot -= a * a
        for i in range(n):
            v[i] -= a * V[m, i]
        m += 1
    pivot = math.sqrt(max(pivot, 1e-12))
    for i in range(n):
        v[i] /= pivot
        variance[i] -= v[i] * v[i]
    for c in range(C):
        t = 1.0 if c == label else 0.0
        for m in range(L):
            t -= V[m, row] * targets[m, c]
        t /= pivot
        targets[L, c] = t
        for i in range(n):
            mean[c, i] += t * v[i]
