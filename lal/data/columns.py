"""Columns of arrays and data frames: which hold numbers, which texts, and both as arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lal.arrays import Floats, Rows
from lal.data.encoding import texts
from lal.data.numbers import read_numbers
from lal.errors import DataError


@dataclass(frozen=True)
class Layout:
    """The columns of a table.

    Attributes:
        keys: Positions, or the names a frame's columns carry.
        is_text: Whether each holds texts (or categories, dates) rather than numbers.
        frame: Whether the table is a data frame.
    """

    keys: tuple[Any, ...]
    is_text: tuple[bool, ...]
    frame: bool


def column_layout(X: Rows) -> Layout:
    """Return the layout of an array or data frame.

    A frame's categories and dates are texts; columns of a numeric type of any backend, sparse
    ones included, are numbers. All others are numbers when every present cell is one or is
    written as one; see `lal.data.numbers`.
    """
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        keys = tuple(X.columns)
        return Layout(keys, tuple(_frame_text(X[key]) for key in keys), frame=True)
    rows = np.asarray(X)
    width = rows.shape[1]
    if rows.dtype.kind in "fiub":
        return Layout(tuple(range(width)), (False,) * width, frame=False)
    is_text = tuple(_as_numbers(rows[:, j]) is None for j in range(width))
    return Layout(tuple(range(width)), is_text, frame=False)


def read_columns(X: Rows, layout: Layout) -> tuple[Floats, list[NDArray[np.str_]]]:
    """Return the columns of numbers, (n, a) with nan where missing, and the columns of texts.

    Raises:
        DataError: Columns are missing, or texts stand where numbers were.
    """
    if layout.frame:
        table = _frame_columns(X, layout)
    else:
        rows = np.asarray(X)
        if rows.ndim != 2 or rows.shape[1] != len(layout.keys):
            raise DataError(f"expected rows of {len(layout.keys)} columns, got shape {rows.shape}")
        if rows.dtype.kind in "fiub" and not any(layout.is_text):
            return rows.astype(np.float64), []
        table = [rows[:, j] for j in range(rows.shape[1])]
    numbers, words = [], []
    for key, column, is_text in zip(layout.keys, table, layout.is_text, strict=True):
        if is_text:
            words.append(texts(column))
            continue
        values = _as_numbers(column)
        if values is None:
            raise DataError(f"column {key!r} held numbers before and now holds texts")
        numbers.append(values)
    n = len(table[0])
    return np.stack(numbers, axis=1) if numbers else np.zeros((n, 0)), words


def _frame_columns(X: Rows, layout: Layout) -> list[NDArray[Any]]:
    if not hasattr(X, "columns"):
        raise DataError(f"expected a data frame like the pool's, got {type(X).__name__}")
    missing = [key for key in layout.keys if key not in list(X.columns)]
    if missing:
        raise DataError(f"the frame lacks column {missing[0]!r} of the pool's")
    return [_frame_array(X[key]) for key in layout.keys]


def _frame_array(column: Any) -> NDArray[Any]:
    """Return a column as a plain array: as it is where numpy knows it, else as objects."""
    if getattr(column.dtype, "kind", "O") in "fiub" and isinstance(column.dtype, np.dtype):
        return np.asarray(column)
    cells = np.empty(len(column), dtype=object)
    cells[:] = column.to_list() if hasattr(column, "to_list") else list(column)
    return cells


def _frame_text(column: Any) -> bool:
    dtype = column.dtype
    if _numeric(dtype):
        return False
    name = str(dtype).lower()
    fixed = ("categor", "enum", "date", "time", "duration", "period", "interval")
    if name.startswith(fixed):
        return True
    return _as_numbers(_frame_array(column)) is None


def _numeric(dtype: Any) -> bool:
    """Whether numbers or truth values are the type of a column, whatever library made it."""
    ask = getattr(dtype, "is_numeric", None)
    if callable(ask):  # polars
        return bool(ask()) or str(dtype) == "Boolean"
    return getattr(dtype, "kind", "O") in "fiub"


def _as_numbers(column: NDArray[Any]) -> Floats | None:
    """Return the cells as floats, nan where missing, or None when one is not a number."""
    if column.dtype.kind in "fiub":
        return column.astype(np.float64)
    return read_numbers(column.tolist())
