"""Encoding of rows for learners: impute, one-hot, scale; fitted on the pool's features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats, Rows
from lal.data.hashing import is_missing

MAX_LEVELS = 32
"""Text columns keep their most frequent levels; the others share one column."""


@dataclass(frozen=True, eq=False)
class TableEncoder:
    """Numbers: missing ones take the mean, then z-scores. Texts: one-hot, missing is a level.

    Attributes:
        numeric: Positions of the columns of numbers.
        mean: Their means, shape (len(numeric),).
        scale: Their standard deviations, 1 where constant.
        levels: Levels kept, by position of the text column.
    """

    numeric: tuple[int, ...]
    mean: Floats
    scale: Floats
    levels: dict[int, tuple[str, ...]]

    def transform(self, X: Rows) -> Floats:
        """Return the encoded rows, shape (n, d): numbers first, then the one-hot columns."""
        numbers = numeric_part(X, self.numeric)
        filled = np.where(np.isnan(numbers), self.mean, numbers)
        blocks = [(filled - self.mean) / self.scale]
        for j, levels in self.levels.items():
            blocks.append(one_hot(texts(X[:, j]), levels))
        return np.concatenate(blocks, axis=1)


def word_columns(X: Rows) -> tuple[int, ...]:
    """Return the positions of the columns that hold texts."""
    if X.dtype.kind != "O":
        return ()
    return tuple(j for j in range(X.shape[1]) if not is_number_column(X[:, j]))


def fit_encoder(X: Rows, words: Sequence[int] | None = None) -> TableEncoder:
    """Return the encoder of these rows; labels have no part in it.

    Args:
        X: (N, D) numbers, or objects whose columns hold either numbers or texts.
        words: Positions of the text columns, found in X when None.
    """
    words = word_columns(X) if words is None else words
    numeric = tuple(j for j in range(X.shape[1]) if j not in words)
    numbers = numeric_part(X, numeric)
    present = ~np.isnan(numbers)
    counts = np.maximum(present.sum(axis=0), 1)
    mean = np.where(present, numbers, 0.0).sum(axis=0) / counts
    spread = np.where(present, numbers - mean, 0.0)
    scale = np.sqrt((spread * spread).sum(axis=0) / counts)
    constant = scale <= 1e-12 * np.maximum(1.0, np.abs(mean))
    levels = {j: kept_levels(texts(X[:, j])) for j in words}
    return TableEncoder(numeric, mean, np.where(constant, 1.0, scale), levels)


def numeric_part(X: Rows, columns: tuple[int, ...]) -> Floats:
    """Return columns of numbers as floats, nan where missing."""
    part = X[:, list(columns)]
    if part.dtype.kind == "O":
        part = _plain_numbers(part)
    return np.asarray(part, dtype=np.float64).reshape(len(X), len(columns))


def _plain_numbers(part: Rows) -> Rows:
    """Return cells of objects as floats, nan where missing."""
    try:
        return part.astype(np.float64)
    except (TypeError, ValueError):  # None, or pandas' NA
        return np.array([[np.nan if is_missing(v) else v for v in row] for row in part.tolist()])


def is_number_column(column: Rows | Sequence[object]) -> bool:
    """Whether every present cell of a column is a number."""
    cells = column.tolist() if isinstance(column, np.ndarray) else column
    if set(map(type, cells)) <= {float, int, bool}:  # the usual case, several times as fast
        return True
    return all(isinstance(v, int | float) or is_missing(v) for v in cells)


def texts(column: Rows) -> Rows:
    """Return the cells as texts, missing ones empty."""
    return np.array(["" if is_missing(v) else str(v) for v in column.tolist()], dtype=str)


def kept_levels(words: Rows) -> tuple[str, ...]:
    """Return the levels that get a column of their own: all, or the most frequent ones."""
    names, counts = np.unique(words, return_counts=True)
    if len(names) > MAX_LEVELS:
        names = np.sort(names[np.lexsort((names, -counts))][: MAX_LEVELS - 1])
    return tuple(str(n) for n in names)


def one_hot(words: Rows, levels: tuple[str, ...]) -> Floats:
    """Return a 0/1 column per level, and one for the others where levels were left out."""
    known = words[:, None] == np.array(levels, dtype=str)[None, :]
    if len(levels) < MAX_LEVELS - 1:
        return np.asarray(known, dtype=np.float64)
    other = ~known.any(axis=1, keepdims=True)
    coded: Floats = np.concatenate([known, other], axis=1).astype(np.float64)
    return coded
