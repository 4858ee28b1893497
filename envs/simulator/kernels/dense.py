"""Small dense products on flat float32 arrays, all rows padded to multiples of 16 numbers.

Matrices are given as (array, offset of the first number, row stride). Every function reads and
writes whole vectors; padding must hold zeros where it would matter.

Why each product has several sums: an addition waits four cycles for the one before, so four vectors
of a row are summed side by side, and where there are fewer, even and odd rows have sums of their
own. The order of additions is thereby fixed in the source: results do not depend on what LLVM
would have chosen, and every change of it changes last bits.
"""

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.simd import (
    absolute,
    load,
    maximum,
    reduce_max,
    reduce_sum,
    same_sign_mask,
    splat,
    store,
)

ZERO = np.float32(0.0)


@kernel(forceinline=True)
def combine_rows(M, at, stride, n_rows, c, c_at, n_vectors, out, out_at):
    """Write sum_j c[j] * M[j, :] to `out`: rows of a matrix weighted and added."""
    v = 0
    while v + 4 <= n_vectors:
        p = at + v * 16
        a0 = splat(ZERO)
        a1 = a0
        a2 = a0
        a3 = a0
        for j in range(n_rows):
            k = splat(c[c_at + j])
            a0 = a0 + k * load(M, p)
            a1 = a1 + k * load(M, p + 16)
            a2 = a2 + k * load(M, p + 32)
            a3 = a3 + k * load(M, p + 48)
            p += stride
        o = out_at + v * 16
        store(out, o, a0)
        store(out, o + 16, a1)
        store(out, o + 32, a2)
        store(out, o + 48, a3)
        v += 4
    while v + 2 <= n_vectors:
        p = at + v * 16
        a0 = splat(ZERO)
        a1 = a0
        b0 = a0
        b1 = a0
        j = 0
        while j + 2 <= n_rows:
            k = splat(c[c_at + j])
            a0 = a0 + k * load(M, p)
            a1 = a1 + k * load(M, p + 16)
            p += stride
            k = splat(c[c_at + j + 1])
            b0 = b0 + k * load(M, p)
            b1 = b1 + k * load(M, p + 16)
            p += stride
            j += 2
        if j < n_rows:
            k = splat(c[c_at + j])
            a0 = a0 + k * load(M, p)
            a1 = a1 + k * load(M, p + 16)
        store(out, out_at + v * 16, a0 + b0)
        store(out, out_at + v * 16 + 16, a1 + b1)
        v += 2
    if v < n_vectors:
        p = at + v * 16
        a0 = splat(ZERO)
        b0 = a0
        j = 0
        while j + 2 <= n_rows:
            a0 = a0 + splat(c[c_at + j]) * load(M, p)
            b0 = b0 + splat(c[c_at + j + 1]) * load(M, p + stride)
            p += 2 * stride
            j += 2
        if j < n_rows:
            a0 = a0 + splat(c[c_at + j]) * load(M, p)
        store(out, out_at + v * 16, a0 + b0)


@kernel(forceinline=True)
def combine_listed_rows(M, at, stride, rows, n_rows, c, c_at, n_vectors, out, out_at):
    """Write sum_j c[j] * M[rows[j], :] to `out`: the same for rows given by a list."""
    v = 0
    while v + 2 <= n_vectors:
        p = at + v * 16
        a0 = splat(ZERO)
        a1 = a0
        b0 = a0
        b1 = a0
        j = 0
        while j + 2 <= n_rows:
            q = p + rows[j] * stride
            k = splat(c[c_at + j])
            a0 = a0 + k * load(M, q)
            a1 = a1 + k * load(M, q + 16)
            q = p + rows[j + 1] * stride
            k = splat(c[c_at + j + 1])
            b0 = b0 + k * load(M, q)
            b1 = b1 + k * load(M, q + 16)
            j += 2
        if j < n_rows:
            q = p + rows[j] * stride
            k = splat(c[c_at + j])
            a0 = a0 + k * load(M, q)
            a1 = a1 + k * load(M, q + 16)
        store(out, out_at + v * 16, a0 + b0)
        store(out, out_at + v * 16 + 16, a1 + b1)
        v += 2
    if v < n_vectors:
        p = at + v * 16
        a0 = splat(ZERO)
        b0 = a0
        j = 0
        while j + 2 <= n_rows:
            a0 = a0 + splat(c[c_at + j]) * load(M, p + rows[j] * stride)
            b0 = b0 + splat(c[c_at + j + 1]) * load(M, p + rows[j + 1] * stride)
            j += 2
        if j < n_rows:
            a0 = a0 + splat(c[c_at + j]) * load(M, p + rows[j] * stride)
        store(out, out_at + v * 16, a0 + b0)


@kernel(forceinline=True)
def add_outer_pair(M, at, stride, n_rows, F, a_at, A_at, b_at, B_at, n_vectors):
    """Add a A^T + b B^T to M; the four vectors lie in `F`."""
    v = 0
    while v + 2 <= n_vectors:
        A0 = load(F, A_at + v * 16)
        A1 = load(F, A_at + v * 16 + 16)
        B0 = load(F, B_at + v * 16)
        B1 = load(F, B_at + v * 16 + 16)
        p = at + v * 16
        for j in range(n_rows):
            a = splat(F[a_at + j])
            b = splat(F[b_at + j])
            store(M, p, load(M, p) + (a * A0 + b * B0))
            store(M, p + 16, load(M, p + 16) + (a * A1 + b * B1))
            p += stride
        v += 2
    if v < n_vectors:
        A0 = load(F, A_at + v * 16)
        B0 = load(F, B_at + v * 16)
        p = at + v * 16
        for j in range(n_rows):
            store(M, p, load(M, p) + (splat(F[a_at + j]) * A0 + splat(F[b_at + j]) * B0))
            p += stride


@kernel(forceinline=True)
def add_outer(M, at, stride, n_rows, k, F, a_at, n_vectors):
    """Add k a a^T to M."""
    for v in range(n_vectors):
        A0 = load(F, a_at + v * 16)
        p = at + v * 16
        for j in range(n_rows):
            store(M, p, load(M, p) + splat(k * F[a_at + j]) * A0)
            p += stride


@kernel(forceinline=True)
def dot(F, a_at, G, b_at, n_vectors):
    """Return the inner product of two vectors."""
    s = splat(ZERO)
    for v in range(n_vectors):
        s = s + load(F, a_at + v * 16) * load(G, b_at + v * 16)
    return reduce_sum(s)


@kernel(forceinline=True)
def largest_absolute(F, at, n_vectors):
    """Return the largest absolute value of a vector."""
    m = splat(ZERO)
    for v in range(n_vectors):
        m = maximum(m, absolute(load(F, at + v * 16)))
    return reduce_max(m)


@kernel
def set_all(values, value):
    """Set all numbers of an array of one axis."""
    for i in range(len(values)):
        values[i] = value


@kernel(forceinline=True)
def fill(F, at, n, value):
    """Set n numbers, n a multiple of 16."""
    k = splat(value)
    for v in range(n // 16):
        store(F, at + v * 16, k)


@kernel(forceinline=True)
def combine_tiles(M, at, n_rows, tile, c, c_at, n_vectors, out, out_at):
    """Write sum_j c[j] * M[j, :] to `out` for a matrix kept in tiles of 16 columns.

    Tile v begins at ``at + v * tile`` and holds its rows of 16 numbers one after the other, so
    a product reads memory in order.
    """
    v = 0
    while v + 4 <= n_vectors:
        p = at + v * tile
        a0 = splat(ZERO)
        a1 = a0
        a2 = a0
        a3 = a0
        for j in range(n_rows):
            k = splat(c[c_at + j])
            a0 = a0 + k * load(M, p)
            a1 = a1 + k * load(M, p + tile)
            a2 = a2 + k * load(M, p + 2 * tile)
            a3 = a3 + k * load(M, p + 3 * tile)
            p += 16
        o = out_at + v * 16
        store(out, o, a0)
        store(out, o + 16, a1)
        store(out, o + 32, a2)
        store(out, o + 48, a3)
        v += 4
    while v < n_vectors:
        p = at + v * tile
        a0 = splat(ZERO)
        b0 = a0
        j = 0
        while j + 2 <= n_rows:
            a0 = a0 + splat(c[c_at + j]) * load(M, p)
            b0 = b0 + splat(c[c_at + j + 1]) * load(M, p + 16)
            p += 32
            j += 2
        if j < n_rows:
            a0 = a0 + splat(c[c_at + j]) * load(M, p)
        store(out, out_at + v * 16, a0 + b0)
        v += 1


@kernel
def count_correct(M, at, n_rows, c, c_at, bias, n, ramp):
    """Count the samples whose linear score has the sign of their label.

    Args:
        M: Samples in tiles of 16: `n_rows` rows of features, then one of labels (+1, -1).
        at: Offset of the first tile.
        n_rows: Columns of the data set, D.
        c: Holds the weights from `c_at` on.
        c_at: Offset of the weights.
        bias: Intercept.
        n: Number of samples.
        ramp: Its first numbers are 16 ones and 16 zeros, to cut the last vector.
    """
    hits = splat(ZERO)
    start = splat(bias)
    tile = (n_rows + 1) * 16
    v = 0
    while (v + 4) * 16 <= n:
        p = at + v * tile
        a0 = start
        a1 = start
        a2 = start
        a3 = start
        for j in range(n_rows):
            k = splat(c[c_at + j])
            a0 = a0 + k * load(M, p)
            a1 = a1 + k * load(M, p + tile)
            a2 = a2 + k * load(M, p + 2 * tile)
            a3 = a3 + k * load(M, p + 3 * tile)
            p += 16
        hits = hits + (same_sign_mask(a0, load(M, p)) + same_sign_mask(a1, load(M, p + tile)))
        hits = hits + (
            same_sign_mask(a2, load(M, p + 2 * tile)) + same_sign_mask(a3, load(M, p + 3 * tile))
        )
        v += 4
    while v * 16 < n:
        p = at + v * tile
        a0 = start
        for j in range(n_rows):
            a0 = a0 + splat(c[c_at + j]) * load(M, p)
            p += 16
        left = min(n - v * 16, 16)
        hits = hits + load(ramp, 16 - left) * same_sign_mask(a0, load(M, p))
        v += 1
    return np.int64(reduce_sum(hits))
