"""Wide rows in coordinates of the span of the labelled rows.

The optimum of an L2-penalised fit lies in that span, so with L labels in D columns all work is in
``min(L, D) + 1`` numbers a class. Up to `NARROW` columns a row is its own coordinates: two vectors
hold them and the constant, and a basis would save nothing.
"""

import math

import numpy as np

from envs.simulator.compile import kernel

NARROW = 31
"""Most columns that are their own coordinates; beyond, fits live in the span of their rows."""

INSIDE = 1e-20
"""A row whose squared distance from the span is a smaller share of its squared length lies in it:
that is about what rounding leaves after two passes."""


@kernel
def coordinates(points, D, row, Q, r, out):
    """Write a point in the basis of the span, extending it when the point lies outside.

    Args:
        points: One a column, shape (D or more, n).
        D: Coordinates that count.
        row: Column of the point.
        Q: Orthonormal basis, one vector a row, shape (D, D); row r may be written.
        r: Vectors in the basis.
        out: A one and the coordinates, shape (D + 1,), its first ``r + 1`` or ``r + 2`` written.

    Returns:
        Vectors in the basis now.
    """
    rest = np.empty(D)
    size = 0.0
    for j in range(D):
        rest[j] = points[j, row]
        size += rest[j] * rest[j]
    out[0] = 1.0
    for m in range(r):
        out[m + 1] = 0.0
    for _ in range(2):  # twice is enough (Kahan): the second pass removes rounding
        for m in range(r):
            a = 0.0
            for j in range(D):
                a += Q[m, j] * rest[j]
            out[m + 1] += a
            for j in range(D):
                rest[j] -= a * Q[m, j]
    left = 0.0
    for j in range(D):
        left += rest[j] * rest[j]
    if r == D or not left > INSIDE * size:
        return r
    left = math.sqrt(left)
    for j in range(D):
        Q[r, j] = rest[j] / left
    out[r + 1] = left
    return r + 1


@kernel
def get_coordinates(task, tiles, x, row, Q, r, out, scale):
    """Write a row in coordinates, times `scale`, from place 0; return how many are in use."""
    D, n = task.columns, task.points
    if D <= NARROW:
        at = task.at_tiles + row // 16 * 16 * D + row % 16
        for j in range(D):
            out[j] = scale * tiles[at + 16 * j]
        return D
    values = np.empty(D + 1)
    points = x[task.at_x : task.at_x + D * n].reshape(D, n)
    r = coordinates(points, D, row, Q, r, values)
    for j in range(r):
        out[j] = scale * np.float32(values[j + 1])
    return r


@kernel
def weights_in_columns(W, at, first, constant, Q, r, D, scale, V, v):
    """Write weights of the columns to V from v on; return the intercept.

    Args:
        W: Weights of the coordinates, r of them from ``at + first`` on.
        at: Where they begin.
        first: Coordinate of the first.
        constant: Coordinate of the constant.
        Q: Basis, shape (rows, D), for wide data.
        r: Coordinates in use.
        D: Columns.
        scale: Of the rows that the weights belong to.
        V: Flat float32.
        v: Where to write.
    """
    if D <= NARROW:
        for j in range(D):
            V[v + j] = scale * W[at + first + j]
    else:
        for j in range(D):
            V[v + j] = np.float32(0.0)
        for i in range(r):
            a = scale * W[at + first + i]
            for j in range(D):
                V[v + j] += a * np.float32(Q[i, j])
    return W[at + constant]
