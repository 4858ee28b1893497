"""The one view Z of a pool, and its reference set."""

from dataclasses import dataclass
from typing import Any

import numpy as np

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


def make_geometry(X: Rows) -> Geometry:
    """Return the encoded view of the rows passed and its reference set.

    Numeric columns: missing (or infinite) values take the column mean, then z-scores, clipped.
    Columns that are not numeric: one-hot (missing is a level of its own), then the same. Sparse
    rows are first projected by truncated SVD; very wide ones are made z-scores, then projected.
    Nothing depends on the order of the rows or on labels.

    Args:
        X: N rows: array, data frame or sparse matrix.

    Raises:
        DataError: No rows or no columns.
    """
    if n_rows(X) == 0:
        raise DataError("the pool is empty; expected at least one row")
    if len(X.shape) != 2 or X.shape[1] == 0:
        raise DataError(f"X must have rows and columns, got shape {tuple(X.shape)}")
    encoder, Z = _fit(X)
    return Geometry(Z=Z, reference=reference_rows(Z), encode=encoder.transform)


def reference_rows(Z: Floats, size: int = REFERENCE_SIZE) -> Ints:
    """Return the indices of at most `size` rows chosen by a hash of their content, shape (R,).

    Rounding before hashing keeps the choice the same when columns are rescaled or rows permuted.
    """
    if len(Z) <= size:
        return np.arange(len(Z), dtype=np.int64)
    return np.sort(np.argsort(_content_hash(Z), kind="stable")[:size]).astype(np.int64)


def _content_hash(Z: Floats) -> np.ndarray:
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
        projection, raw = _project(X)
        last = _standard(raw)
        return _Encoder(None, (), None, projection, last), last.transform(raw)
    layout = column_layout(X)
    words = read_columns(X, layout)[1]
    levels = tuple(kept_levels(w) for w in words)
    raw = _blocks(X, layout, levels)
    before, projection = None, None
    if raw.shape[1] > MAX_COLUMNS:
        before = _standard(raw)
        projection, raw = _project(before.transform(raw))
    last = _standard(raw)
    return _Encoder(layout, levels, before, projection, last), last.transform(raw)


def _blocks(X: Rows, layout: Layout, levels: tuple[tuple[str, ...], ...]) -> Floats:
    """Return one-hot columns, then the columns of numbers."""
    numbers, words = read_columns(X, layout)
    coded = [one_hot(w, kept) for w, kept in zip(words, levels, strict=True)]
    return np.concatenate([*coded, numbers], axis=1)


def _standard(raw: Floats) -> _Standard:
    """Return the standardiser of these columns; constant ones become 0, whatever comes later."""
    finite = np.isfinite(raw)
    counts = np.maximum(finite.sum(axis=0), 1)
    largest = np.abs(np.where(finite, raw, 0.0)).max(axis=0)
    unit = np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1.0))))  # exact, no overflow
    small = np.where(finite, raw, 0.0) / unit
    mean = _rounded(small.sum(axis=0) / counts)
    spread = np.where(finite, small - mean, 0.0)
    scale = _rounded(np.sqrt((spread * spread).sum(axis=0) / counts))
    constant = scale <= 1e-11 * np.abs(mean)  # the mean is rounded to 12 digits
    return _Standard(mean * unit, np.where(constant, np.inf, scale * unit))


def _project(X: Rows) -> tuple[Any, Floats]:
    """Return the fitted projection and the projected rows.

    The exact solver is used: the randomised one depends on the order of rows.
    """
    from sklearn.decomposition import TruncatedSVD

    width = min(SVD_COLUMNS, X.shape[1] - 1, n_rows(X) - 1)
    if width < 1:
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
