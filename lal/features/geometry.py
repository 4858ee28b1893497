"""Label-free quantities of a pool: its scale, neighbours and densities, against the reference set.

Distances are Euclidean in Z and are divided by the pool's scale (the root mean square distance
between two reference rows), so that they mean the same in 2 and in 200 columns.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lal.arrays import Floats, Ints
from lal.state import Geometry

NEIGHBOURS = 10
"""Reference rows that count as the neighbourhood of a row."""

WIDE = 0.5
"""Bandwidth of the wide density, in pool scales."""

CHUNK = 128
"""Rows handled at once: (CHUNK, R) distances are held, 1 MB, which stay in the cache."""

_BLOCKS = 32
"""Groups of columns whose smallest entries bound the k-th smallest of a row."""

WHOLE = 20_000
"""Pools of at most this many rows keep what is label-free for the whole episode."""

_TIE = 512
"""Half a unit of the 1 024 reference positions packed below the leading bits of a distance."""

_SELF = 1e36
"""Squared distance that keeps a row from being its own neighbour."""

NOISE = 1e-12
"""Squared distances below this share of the squared norms are rounding noise: equal rows."""


@dataclass(frozen=True, eq=False)
class Reference:
    """The reference set in an order that depends on its content alone.

    Attributes:
        rows: Indices into Z, shape (R,).
        order: Where they stand in `Geometry.reference`, shape (R,).
        squares: Their squared norms in Z, shape (R,).
        lifted: Encoded rows with a one and the squared norm behind, shape (R, d + 2).
        scale: Root mean square distance between two reference rows; 1 if all are equal.
        position: Column of every row among `rows`, -1 outside, shape (N,). A sample from outside
            the pool that equals a reference row stands for it.
    """

    rows: Ints
    order: Ints
    squares: Floats
    lifted: Floats
    scale: float
    position: Ints


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What lies around rows.

    Attributes:
        nearest: Columns of `Reference.rows`, nearest first k, in no order, shape (n, k).
        distance: Distances to them over the scale, shape (n, k).
        wide: Mean rational similarity to the reference set, shape (n,).
    """

    nearest: Ints
    distance: Floats
    wide: Floats

    def take(self, rows: Ints) -> "Surroundings":
        """Return the surroundings of some of the rows."""
        return Surroundings(self.nearest[rows], self.distance[rows], self.wide[rows])


def get_reference(geometry: Geometry) -> Reference:
    """Return the reference set in content order (made once per pool)."""
    return geometry.memo("features.reference", lambda: _make_reference(geometry))


def _make_reference(geometry: Geometry) -> Reference:
    Z = geometry.Z_reference
    order = np.lexsort(_content(Z).T)
    rows = geometry.reference[order]
    Z = Z[order]
    squares = (Z * Z).sum(axis=1)
    lifted = np.column_stack([Z, np.ones(len(Z)), squares])
    scale = float(np.sqrt(2.0 * Z.var(axis=0).sum()))
    position = np.full(geometry.n_rows, -1, dtype=np.int64)
    position[rows] = np.arange(len(rows))
    if geometry.n_more:
        columns = {content.tobytes(): i for i, content in enumerate(_content(Z))}
        more = _content(
            geometry.rows(np.arange(geometry.n_rows - geometry.n_more, geometry.n_rows))
        )
        position[-geometry.n_more :] = [columns.get(content.tobytes(), -1) for content in more]
    return Reference(rows, order, squares, lifted, scale if scale > 1e-9 else 1.0, position)


def _content(Z: Floats) -> Ints:
    """Return what equal rows share, whatever the order of summation that encoded them."""
    return np.rint(Z * 1e4).astype(np.int64)


def squared_distances(A: Floats, B: Floats) -> Floats:
    """Return squared Euclidean distances, shape (n, m), with rounding noise set to 0."""
    a, b = (A * A).sum(axis=1)[:, None], (B * B).sum(axis=1)[None, :]
    squares: Floats = A @ B.T
    squares *= -2.0
    squares += a
    squares += b
    squares[squares < NOISE * (a + b)] = 0.0
    return squares


def surroundings(geometry: Geometry, rows: Ints) -> Surroundings:
    """Return what lies around the given rows; kept for the episode unless the pool is large."""
    if geometry.n_rows > WHOLE:
        return _surroundings(geometry, rows)
    everything = np.arange(geometry.n_rows)
    whole = geometry.memo("features.surroundings", lambda: _surroundings(geometry, everything))
    return (
        whole if len(rows) == len(everything) and (rows == everything).all() else whole.take(rows)
    )


def _surroundings(geometry: Geometry, rows: Ints) -> Surroundings:
    reference = get_reference(geometry)
    k = max(min(NEIGHBOURS, len(reference.rows) - 1), 1)
    found = Surroundings(
        np.empty((len(rows), k), dtype=np.int64), np.empty((len(rows), k)), np.empty(len(rows))
    )
    room = _Room(min(CHUNK, len(rows)), len(reference.rows))
    for first in range(0, len(rows), CHUNK):
        part = slice(first, first + CHUNK)
        around = _around(geometry.rows(rows[part]), reference, rows[part], room)
        found.nearest[part], found.distance[part] = around.nearest, around.distance
        found.wide[part] = around.wide
    return found


class _Room:
    """Arrays that are filled anew for every chunk: asking for memory costs more than the sums."""

    def __init__(self, n: int, n_reference: int) -> None:
        self.squares = np.empty((n, n_reference))
        self.near = np.empty((n, n_reference), dtype=np.float32)
        self.similar = np.empty((n, n_reference), dtype=np.float32)


def _around(Z: Floats, reference: Reference, rows: Ints, room: _Room) -> Surroundings:
    n, n_reference = len(rows), len(reference.rows)
    norms = (Z**2).sum(axis=1)
    squares, near, similar = room.squares[:n], room.near[:n], room.similar[:n]
    # One product gives |z|^2 - 2 z.r + |r|^2; rounding noise is cleared where it is used.
    left = np.column_stack([-2.0 * Z, norms, np.ones(n)])
    np.matmul(left, reference.lifted.T, out=squares)
    np.maximum(squares, 0.0, out=squares)
    own = reference.position[rows]
    inside = np.flatnonzero(own >= 0)
    near[:] = squares
    np.multiply(near, np.float32((WIDE * reference.scale) ** -2), out=similar)
    similar += np.float32(1.0)
    np.reciprocal(similar, out=similar)
    similar[inside, own[inside]] = 0.0  # a row is not its own neighbour
    near[inside, own[inside]] = _SELF
    squares[inside, own[inside]] = 0.0  # met only where there is no other row
    nearest = _nearest(near, max(min(NEIGHBOURS, n_reference - 1), 1))
    picked = np.take_along_axis(squares, nearest, axis=1)
    picked[picked < NOISE * (norms[:, None] + reference.squares[nearest])] = 0.0
    others = np.maximum(n_reference - (own >= 0), 1)
    wide = similar.sum(axis=1).astype(np.float64) / others
    return Surroundings(nearest, np.sqrt(picked) / reference.scale, wide)


def _nearest(squares: np.ndarray, k: int) -> Ints:
    """Return the columns of the k smallest entries of each row, shape (n, k).

    The column is packed into the low bits of the float32 distances, in place, so that equal ones
    (to 1e-4) are decided by the reference order, which is one of content, in one fast partition.
    """
    keys = squares.view(np.int32)
    keys += _TIE
    keys &= ~np.int32(1023)
    keys |= np.arange(squares.shape[1], dtype=np.int32)
    if k <= _BLOCKS and keys.shape[1] % _BLOCKS == 0:
        keys = _few(keys, k)
    keys.partition(k - 1, axis=1)
    nearest: Ints = (keys[:, :k] & 1023).astype(np.int64)
    return nearest


def _few(keys: NDArray[np.int32], k: int) -> NDArray[np.int32]:
    """Return some entries of each row, the k smallest among them, padded with the largest number.

    The k-th smallest of the groups' minima is no smaller than the k-th smallest entry, and few
    entries lie below it, so that these can be picked in a fraction of the time.
    """
    least = keys.reshape(len(keys), -1, _BLOCKS).min(axis=1)
    bound = np.partition(least, k - 1, axis=1)[:, k - 1 : k]
    row, column = np.divmod(np.flatnonzero(keys <= bound), keys.shape[1])
    counts = np.bincount(row, minlength=len(keys))
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    few = np.full((len(keys), int(counts.max(initial=k))), np.iinfo(np.int32).max, np.int32)
    few[row, place] = keys[row, column]
    return few


def squash(ratio: Floats) -> Floats:
    """Map [0, inf] to [0, 1]: r / (1 + r), 1/2 at one."""
    return np.where(np.isinf(ratio), 1.0, ratio / (1.0 + np.where(np.isinf(ratio), 0.0, ratio)))


def rank_in(values: Floats, sample: Floats) -> Floats:
    """Return the share of `sample` below each value, ties counted half, in [0, 1].

    Values are compared to nine digits, so that the order of summation leaves no trace.
    """
    ordered = np.sort(np.round(sample, 9))
    keys = np.round(values, 9)
    below = np.searchsorted(ordered, keys, side="left")
    not_above = np.searchsorted(ordered, keys, side="right")
    ranks: Floats = 0.5 * (below + not_above) / max(len(ordered), 1)
    return ranks
