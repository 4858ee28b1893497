"""Squared distances of many points to one of them, points held one a column."""

from envs.simulator.compile import kernel


@kernel
def squared_to_column(XT, D, row, out):
    """Write the squared Euclidean distances of all columns to column `row`.

    Args:
        XT: Points, one a column, shape (D or more, n).
        D: Coordinates that count.
        row: The column that distances are taken to.
        out: Shape (n,), overwritten.
    """
    n = len(out)
    for i in range(n):
        out[i] = 0
    j = 0
    while j + 4 <= D:
        a, b, c, e = XT[j, row], XT[j + 1, row], XT[j + 2, row], XT[j + 3, row]
        for i in range(n):
            p = XT[j, i] - a
            q = XT[j + 1, i] - b
            r = XT[j + 2, i] - c
            s = XT[j + 3, i] - e
            out[i] += p * p + q * q + r * r + s * s
        j += 4
    while j < D:
        a = XT[j, row]
        for i in range(n):
            p = XT[j, i] - a
            out[i] += p * p
        j += 1
