"""Squared distances of many points to one of them, points held one a column."""

from envs.simulator.compile import kernel


@kernel
def squared_to_column(XT, row, out, lo, hi):
    """Write the squared Euclidean distances of columns lo to hi to column `row`.

    Args:
        XT: Points, one a column, shape (D, n).
        row: The column that distances are taken to.
        out: Shape (hi - lo,), overwritten.
        lo: First column.
        hi: One past the last column.
    """
    d = XT.shape[0]
    n = hi - lo
    for i in range(n):
        out[i] = 0.0
    j = 0
    while j + 4 <= d:
        a, b, c, e = XT[j, row], XT[j + 1, row], XT[j + 2, row], XT[j + 3, row]
        for i in range(n):
            p = XT[j, lo + i] - a
            q = XT[j + 1, lo + i] - b
            r = XT[j + 2, lo + i] - c
            s = XT[j + 3, lo + i] - e
            out[i] += p * p + q * q + r * r + s * s
        j += 4
    while j < d:
        a = XT[j, row]
        for i in range(n):
            p = XT[j, lo + i] - a
            out[i] += p * p
        j += 1
