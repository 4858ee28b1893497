"""The one view Z of a pool, and its reference set."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows
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

    Numeric columns: missing values take the column mean, then z-scores, clipped. Columns that are
    not numeric: one-hot (missing is a level of its own), then the same. Sparse or very wide rows
    are first projected by truncated SVD. Nothing depends on the order of the rows or on labels.

    Args:
        X: N rows: array, data frame or sparse matrix.

    Raises:
        DataError: No rows or no columns.
    """
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
class _Encoder:
    """What turns rows into Z: an optional one-hot or SVD step, then shift, scale and clip."""

    first: Any
    mean: Floats
    scale: Floats

    def transform(self, X: Rows) -> Floats:
        raw = _numeric(X) if self.first is None else _dense(self.first.transform(X))
        return self.finish(raw)

    def finish(self, raw: Floats) -> Floats:
        filled = np.where(np.isfinite(raw), raw, self.mean)
        Z: Floats = np.clip((filled - self.mean) / self.scale, -CLIP, CLIP)
        return Z


def _fit(X: Rows) -> tuple[_Encoder, Floats]:
    if n_rows(X) == 0:
        raise DataError("the pool is empty; expected at least one row")
    if len(X.shape) != 2 or X.shape[1] == 0:
        raise DataError(f"X must have rows and columns, got shape {tuple(X.shape)}")
    first = _first_step(X)
    raw = _numeric(X) if first is None else _dense(first.fit_transform(X))
    finite = np.isfinite(raw)
    counts = np.maximum(finite.sum(axis=0), 1)
    mean = _rounded(np.where(finite, raw, 0.0).sum(axis=0) / counts)
    spread = np.where(finite, raw - mean, 0.0)
    scale = _rounded(np.sqrt((spread * spread).sum(axis=0) / counts))
    constant = scale <= 1e-12 * np.maximum(1.0, np.abs(mean))
    encoder = _Encoder(first, mean, np.where(constant, 1.0, scale))
    return encoder, encoder.finish(raw)


def _first_step(X: Rows) -> Any:
    """Return the unfitted scikit-learn step for rows that are not plain numbers, else None."""
    from scipy import sparse

    if sparse.issparse(X) or (X.shape[1] > MAX_COLUMNS and _is_numeric(X)):
        from sklearn.decomposition import TruncatedSVD

        width = min(SVD_COLUMNS, X.shape[1] - 1, n_rows(X) - 1)
        return TruncatedSVD(max(width, 1), random_state=0)
    if _is_numeric(X):
        return None
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    names, kinds = _columns(X)
    words = [n for n, numeric in zip(names, kinds, strict=True) if not numeric]
    numbers = [n for n, numeric in zip(names, kinds, strict=True) if numeric]
    one_hot = OneHotEncoder(handle_unknown="ignore", max_categories=32, sparse_output=False)
    return ColumnTransformer([("words", one_hot, words), ("numbers", "passthrough", numbers)])


def _is_numeric(X: Rows) -> bool:
    return all(_columns(X)[1])


def _columns(X: Rows) -> tuple[list[object], list[bool]]:
    """Return the column keys and whether each is numeric or boolean."""
    if hasattr(X, "dtypes") and hasattr(X, "columns"):
        kinds = [getattr(t, "kind", None) or _kind_of(t) for t in X.dtypes]
        return list(X.columns), [k in "fiub" for k in kinds]
    dtype = np.asarray(X[:1]).dtype if not hasattr(X, "dtype") else X.dtype
    if dtype.kind in "fiub":
        return list(range(X.shape[1])), [True] * X.shape[1]
    return list(range(X.shape[1])), [_all_numbers(X[:, i]) for i in range(X.shape[1])]


def _kind_of(dtype: object) -> str:
    """Return a numpy-like kind letter for extension types of frames (pandas, polars)."""
    return "f" if any(w in str(dtype).lower() for w in ("int", "float", "bool")) else "O"


def _all_numbers(column: np.ndarray) -> bool:
    try:
        column.astype(np.float64)
    except (TypeError, ValueError):
        return False
    return True


def _numeric(X: Rows) -> Floats:
    return np.asarray(X, dtype=np.float64)


def _dense(X: Rows) -> Floats:
    return np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)


def _rounded(values: Floats, digits: int = 12) -> Floats:
    """Round to significant digits, so that the order of summation leaves no trace."""
    with np.errstate(divide="ignore"):
        power = np.where(values == 0, 0.0, np.floor(np.log10(np.abs(values))))
    unit = 10.0 ** (power - digits + 1)
    rounded: Floats = np.where(values == 0, 0.0, np.rint(values / unit) * unit)
    return rounded
