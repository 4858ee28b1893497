"""The one view Z of a pool, and its reference set."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lal.arrays import Floats, Ints, Rows
from lal.data.columns import Layout, column_layout, read_columns
from lal.data.encoding import kept_levels, one_hot
from lal.errors import DataError
from lal.pool import n_rows
from lal.state import Geometry

REFERENCE_SIZE = 1024
"""Largest number of rows that ranks, densities and contexts are computed against."""

CLIP = 5.0
"""Encoded values are clipped to this many standard deviations."""

MAX_COLUMNS = 512
"""Wider (or sparse) data are first reduced to `SVD_COLUMNS` by truncated SVD."""

SVD_COLUMNS = 64

MOST_KEPT = 4
"""Pools whose projection is kept between queries."""

LARGEST_KEPT = 2_000_000
"""Numbers in the projected rows of such a pool: 16 MB."""

HELD = 20_000
"""Arrays of more rows are encoded in parts of so many, whenever some are asked for."""


def make_geometry(X: Rows) -> Geometry:
    """Return the encoded view of the rows passed and its reference set.

    Numeric columns: missing (or infinite) values take the column mean, then z-scores, clipped.
    Columns that are not numeric: one-hot (missing is a level of its own), then the same. Sparse
    rows are first projected by truncated SVD; very wide ones are made z-scores, then projected.
    Nothing depends on the order of the rows or on labels. The work is done when first needed.

    Args:
        X: N rows: array, data frame or sparse matrix.

    Raises:
        DataError: No rows or no columns.
    """
    if n_rows(X) == 0:
        raise DataError("the pool is empty; expected at least one row")
    if len(X.shape) != 2 or X.shape[1] == 0:
        raise DataError(f"X must have rows and columns, got shape {tuple(X.shape)}")
    return Geometry(_View(X))


class _View:
    """Encoded rows of a pool, made when they are asked for.

    A numeric array of more than `HELD` rows (it may be memory-mapped) is read in chunks: its
    columns' means and scales, its hashes, and the rows asked for. All others are encoded once.
    """

    def __init__(self, X: Rows) -> None:
        self.X = X
        self.n_rows = n_rows(X)
        numbers = isinstance(X, np.ndarray) and X.dtype.kind in "fiub"
        self.streamed = numbers and self.n_rows > HELD and X.shape[1] <= MAX_COLUMNS

    @cached_property
    def _encoder(self) -> "_Encoder":
        if not self.streamed:
            encoder, Z = _fit(self.X)
            self.__dict__["Z"] = Z
            return encoder
        standard = _standard([part for _, part in self._chunks()])
        width = self.X.shape[1]
        layout = Layout(tuple(range(width)), (False,) * width, frame=False)
        return _Encoder(layout, (), None, None, standard)

    def _chunks(self) -> Iterator[tuple[int, Rows]]:
        for first in range(0, self.n_rows, HELD):
            yield first, self.X[first : first + HELD]

    @cached_property
    def Z(self) -> Floats:
        """All encoded rows, shape (N, d)."""
        encoder = self._encoder
        held: Floats | None = self.__dict__.get("Z")  # fitting an encoder leaves it behind
        return encoder.transform(self.X) if held is None else held

    def rows(self, rows: Ints) -> Floats:
        """Return some encoded rows, shape (n, d)."""
        if self.streamed and "Z" not in self.__dict__:
            return self._encoder.transform(self.X[rows])
        return self.Z[rows]

    def hashes(self) -> NDArray[np.uint64]:
        """Return a hash of the content of every row, shape (N,)."""
        return self._hashes

    @cached_property
    def _hashes(self) -> NDArray[np.uint64]:
        if not self.streamed:
            return content_hash(self.Z)
        hashes = np.empty(self.n_rows, dtype=np.uint64)
        for first, part in self._chunks():
            hashes[first : first + len(part)] = content_hash(self._encoder.transform(part))
        return hashes

    @cached_property
    def reference(self) -> Ints:
        """Indices of the reference set, shape (R,)."""
        if self.n_rows <= REFERENCE_SIZE:
            return np.arange(self.n_rows, dtype=np.int64)
        return smallest(self._hashes, REFERENCE_SIZE)

    def encode(self, X: Rows) -> Floats:
        """Return further rows, encoded exactly as the pool's, (n, D) to (n, d)."""
        return self._encoder.transform(X)


def reference_rows(Z: Floats, size: int = REFERENCE_SIZE) -> Ints:
    """Return the indices of at most `size` rows chosen by a hash of their content, shape (R,).

    Rounding before hashing keeps the choice the same when columns are rescaled or rows permuted.
    """
    if len(Z) <= size:
        return np.arange(len(Z), dtype=np.int64)
    return smallest(content_hash(Z), size)


def smallest(keys: NDArray[Any], size: int) -> Ints:
    """Return where the `size` smallest keys are, in order of position; the first of equal ones."""
    last = np.partition(keys, size - 1)[size - 1]
    below, equal = np.flatnonzero(keys < last), np.flatnonzero(keys == last)
    return np.sort(np.concatenate([below, equal[: size - len(below)]])).astype(np.int64)


def content_hash(Z: Floats) -> NDArray[np.uint64]:
    """Return a hash of every row, rounded to four decimals, shape (N,)."""
    state = np.full(len(Z), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for column in np.rint(Z.T * 1e4).astype(np.int64):
        state = (state ^ column.view(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
        state ^= state >> np.uint64(29)
    return state


@dataclass(frozen=True, eq=False)
class _Standard:
    """Shift, scale and clip, column by column."""

    mean: Floats
    scale: Floats

    def transform(self, raw: Floats) -> Floats:
        filled = np.where(np.isfinite(raw), raw, self.mean)
        with np.errstate(over="ignore"):  # beyond the range of floats is beyond the clip, too
            Z: Floats = np.clip((filled - self.mean) / self.scale, -CLIP, CLIP)
        return Z


@dataclass(frozen=True, eq=False)
class _Encoder:
    """What turns rows into Z: texts to one-hot, an optional projection, then `last`."""

    layout: Layout | None
    levels: tuple[tuple[str, ...], ...]
    before: _Standard | None
    projection: Any
    last: _Standard

    def transform(self, X: Rows) -> Floats:
        """Return the encoded rows, (n, D) to (n, d)."""
        if self.layout is None:
            return self.last.transform(self.projection.transform(X))
        raw = _blocks(X, self.layout, self.levels)
        if self.before is not None:
            raw = self.projection.transform(self.before.transform(raw))
        return self.last.transform(raw)


def _fit(X: Rows) -> tuple[_Encoder, Floats]:
    from scipy import sparse

    if sparse.issparse(X):
        projected = PROJECTED.get(X)
        last = _standard([projected.rows])
        encoder = _Encoder(None, (), None, projected.projection, last)
        return encoder, last.transform(projected.rows)
    layout = column_layout(X)
    words = read_columns(X, layout)[1]
    levels = tuple(kept_levels(w) for w in words)
    raw = _blocks(X, layout, levels)
    before, projection = None, None
    if raw.shape[1] > MAX_COLUMNS:
        projected = PROJECTED.get(raw)
        before, projection, raw = projected.before, projected.projection, projected.rows
    last = _standard([raw])
    return _Encoder(layout, levels, before, projection, last), last.transform(raw)


@dataclass(frozen=True, eq=False)
class _Projected:
    """Projected rows, and what projects further ones: z-scores (not if sparse), then the SVD."""

    before: _Standard | None
    projection: Any
    rows: Floats


def _project_anew(X: Rows) -> _Projected:
    if hasattr(X, "tocsr"):
        return _Projected(None, *_project(X))
    before = _standard([X])
    return _Projected(before, *_project(before.transform(X)))


class _Projections:
    """Projections of the last few wide or sparse pools, by the content of their samples.

    What is kept is bounded: at most `LARGEST_KEPT` numbers for a pool, and `MOST_KEPT` pools. The
    samples themselves are not kept.
    """

    def __init__(self) -> None:
        self.held: OrderedDict[bytes, _Projected] = OrderedDict()
        self.lock = Lock()

    def get(self, X: Rows) -> _Projected:
        """Return the projection of equal samples, or make it."""
        key = content_key(X)
        with self.lock:
            if key in self.held:
                self.held.move_to_end(key)
                return self.held[key]
        made = _project_anew(X)
        if made.rows.size <= LARGEST_KEPT:
            with self.lock:
                self.held[key] = made
                while len(self.held) > MOST_KEPT:
                    self.held.popitem(last=False)
        return made


PROJECTED = _Projections()


def content_key(X: Rows) -> bytes:
    """Return a digest of an array or sparse matrix: types, shapes and every number."""
    digest = hashlib.blake2b(digest_size=16)
    parts = [X] if isinstance(X, np.ndarray) else _sparse_parts(X)
    for part in parts:
        digest.update(f"{part.dtype.str} {part.shape}\n".encode())
        digest.update(np.ascontiguousarray(part).data.cast("B") if part.size else b"")
    digest.update(f"{type(X).__name__} {X.shape}".encode())
    return digest.digest()


def _sparse_parts(X: Rows) -> list[NDArray[Any]]:
    rows = X.tocsr()
    return [rows.data, rows.indices, rows.indptr]


def _blocks(X: Rows, layout: Layout, levels: tuple[tuple[str, ...], ...]) -> Floats:
    """Return one-hot columns, then the columns of numbers."""
    numbers, words = read_columns(X, layout)
    coded = [one_hot(w, kept) for w, kept in zip(words, levels, strict=True)]
    return np.concatenate([*coded, numbers], axis=1)


def _standard(parts: Sequence[NDArray[Any]]) -> _Standard:
    """Return the standardiser of the columns of these rows, which may come in several parts.

    Constant columns become 0, whatever comes later.
    """
    n_columns = parts[0].shape[1]
    counts, largest = np.zeros(n_columns, dtype=np.int64), np.zeros(n_columns)
    for raw in parts:
        finite = np.isfinite(raw)
        counts += finite.sum(axis=0)
        largest = np.maximum(largest, np.abs(np.where(finite, raw, 0.0)).max(axis=0))
    counts = np.maximum(counts, 1)
    unit = np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1.0))))  # exact, no overflow
    mean = _rounded(sum(_kept(raw, unit).sum(axis=0) for raw in parts) / counts)
    squares = np.zeros(n_columns)
    for raw in parts:
        spread = np.where(np.isfinite(raw), _kept(raw, unit) - mean, 0.0)
        squares += (spread * spread).sum(axis=0)
    scale = _rounded(np.sqrt(squares / counts))
    constant = scale <= 1e-11 * np.abs(mean)  # the mean is rounded to 12 digits
    return _Standard(mean * unit, np.where(constant, np.inf, scale * unit))


def _kept(raw: NDArray[Any], unit: Floats) -> Floats:
    """Return the finite values over their unit, 0 elsewhere."""
    kept: Floats = np.where(np.isfinite(raw), raw, 0.0) / unit
    return kept


def _project(X: Rows) -> tuple[Any, Floats]:
    """Return the fitted projection and the projected rows.

    The exact solver is used: the randomised one depends on the order of rows.
    """
    from sklearn.decomposition import TruncatedSVD

    width = min(SVD_COLUMNS, X.shape[1] - 1, n_rows(X) - 1)
    if width < 1 or not np.any(X.data if hasattr(X, "tocsr") else X):
        return _First(), _First().transform(X)
    projection = TruncatedSVD(width, algorithm="arpack", random_state=0)
    raw: Floats = np.asarray(projection.fit_transform(X.astype(np.float64)), dtype=np.float64)
    return projection, raw


class _First:
    """Stands in for the projection of a single row or column: the first column as it is."""

    def transform(self, X: Rows) -> Floats:
        part = X[:, :1]
        return np.asarray(part.toarray() if hasattr(part, "toarray") else part, dtype=np.float64)


def _rounded(values: Floats, digits: int = 12) -> Floats:
    """Round to significant digits, so that the order of summation leaves no trace."""
    with np.errstate(divide="ignore"):
        power = np.where(values == 0, 0.0, np.floor(np.log10(np.abs(values))))
    unit = 10.0 ** (power - digits + 1)
    rounded: Floats = np.where(values == 0, 0.0, np.rint(values / unit) * unit)
    return rounded
