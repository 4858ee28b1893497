"""Samples as callers hold them: pools, candidates, and further rows below each other."""

from typing import Any

import numpy as np

from lal.arrays import Ints, Rows, detached
from lal.errors import DataError, UsageError
from lal.policies.query.labels import refuse_lazy
from lal.pool import n_rows, stacked
from lal.state import Geometry

WAYS = (
    "pass numbers that describe each row (for texts and images: embeddings or counts), and the "
    "model's probabilities in proba="
)


def samples(X: Any, name: str) -> Rows:
    """Return rows as an array, a frame or a sparse matrix.

    Raises:
        DataError: Not a table of numbers or texts.
    """
    refuse_lazy(X, name)
    X = detached(X)
    if not hasattr(X, "shape"):
        X = _as_array(X, name)
    if hasattr(X, "columns") and not hasattr(X, "dtypes"):
        raise DataError(
            f"{name} is a {type(X).__name__}; expected an array, a sparse matrix, or a frame of "
            "pandas or polars (convert it, to_pandas() in pyarrow)"
        )
    if len(X.shape) != 2:
        raise DataError(f"{name} must have rows and columns, got shape {tuple(X.shape)}; {WAYS}")
    if getattr(getattr(X, "dtype", None), "kind", "f") in "cVmM":
        raise DataError(f"{name} holds {X.dtype}, expected numbers or texts; convert it first")
    refuse_masked(X, name, "X.filled(np.nan), with a classifier that takes nan")
    return X.tocsr() if hasattr(X, "tocsr") else X


def _as_array(X: Any, name: str) -> Rows:
    try:
        return np.asarray(X)
    except ValueError:
        raise DataError(f"{name} has rows of different lengths; expected a table") from None


def refuse_masked(values: Any, name: str, way_out: str) -> None:
    """Refuse masked cells, since what stands behind the mask would be read.

    Raises:
        DataError: A cell is masked.
    """
    if np.ma.is_masked(values):
        raise DataError(f"{name} has masked cells; expected numbers, or pass {way_out}")


def check_index(X: Any, other: Any, name: str) -> None:
    """Refuse a series or frame that has the index of X in another order, and names as candidates.

    Raises:
        DataError: It would be read by position although its names say otherwise.
    """
    mine: Any = getattr(X, "index", None)
    theirs: Any = getattr(other, "index", None)
    is_index = mine is not None and hasattr(other, "get_indexer")
    if is_index and not np.array_equal(np.asarray(mine), np.arange(n_rows(X))):
        raise DataError(
            f"{name} is an index of names, expected row numbers; pass "
            f"np.flatnonzero(X.index.isin({name}))"
        )
    if not (hasattr(mine, "equals") and hasattr(theirs, "equals")) or mine.equals(theirs):
        return
    if len(mine) == len(theirs) and mine.is_unique and set(mine) == set(theirs):
        raise DataError(
            f"{name} has the index of X in another order; pass {name}.loc[X.index], or plain "
            "arrays to go by position"
        )


def read_candidates(candidates: Any, labelled: Ints, n: int) -> tuple[Ints, Rows | None]:
    """Return the rows that may be asked, or samples outside the pool.

    An index array is taken at its word, labelled rows included; duplicates are refused.

    Args:
        candidates: None (all rows without a label), row numbers, a mask, or samples.
        labelled: Labelled rows.
        n: Rows of the pool.
    """
    if candidates is None:
        mask = np.ones(n, dtype=bool)
        mask[labelled] = False
        return np.flatnonzero(mask), None
    refuse_lazy(candidates, "candidates")
    candidates = detached(candidates)
    given = candidates if hasattr(candidates, "shape") else _as_array(candidates, "candidates")
    shape = given.shape
    if len(shape) == 2:
        return np.zeros(0, dtype=np.int64), samples(candidates, "candidates")
    rows = np.asarray(given)
    if rows.dtype.kind == "f" and rows.size and (rows == np.rint(rows)).all():
        rows = rows.astype(np.int64)
    if rows.dtype == bool and rows.shape == (n,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise UsageError("candidates must be row numbers (n,) or samples (n, D)")
    rows = rows.astype(np.int64)
    if rows.size and (rows.min() < 0 or rows.max() >= n):
        raise UsageError(f"candidates must be row numbers from 0 to {n - 1}")
    if len(np.unique(rows)) != len(rows):
        raise UsageError("candidates holds a row twice; expected different rows")
    return rows, None


def extended(geometry: Geometry, X: Rows, more: Rows) -> tuple[Geometry, Rows]:
    """Return geometry and rows of a pool with further rows behind it.

    Raises:
        DataError: The further rows have another number of columns.
    """
    if more.shape[1] != X.shape[1]:
        raise DataError(f"candidates have {more.shape[1]} columns, X has {X.shape[1]}")
    return geometry.extended(more), stacked(X, more)
