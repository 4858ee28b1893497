"""Encoding of rows for learners: impute, one-hot, scale; fitted on the pool's features."""

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
            blocks.append(_one_hot(_texts(X[:, j]), levels))
        return np.concatenate(blocks, axis=1)


def fit_encoder(X: Rows) -> TableEncoder:
    """Return the encoder of these rows, (N, D) numbers or objects; labels have no part in it."""
    words = [j for j in range(X.shape[1]) if X.dtype.kind == "O" and not _is_numeric(X[:, j])]
    numeric = tuple(j for j in range(X.shape[1]) if j not in words)
    numbers = numeric_part(X, numeric)
    present = ~np.isnan(numbers)
    counts = np.maximum(present.sum(axis=0), 1)
    mean = np.where(present, numbers, 0.0).sum(axis=0) / counts
    spread = np.where(present, numbers - mean, 0.0)
    scale = np.sqrt((spread * spread).sum(axis=0) / counts)
    constant = scale <= 1e-12 * np.maximum(1.0, np.abs(mean))
    levels = {j: _levels(_texts(X[:, j])) for j in words}
    return TableEncoder(numeric, mean, np.where(constant, 1.0, scale), levels)


def numeric_part(X: Rows, columns: tuple[int, ...]) -> Floats:
    """Return columns of numbers as floats, nan where missing."""
    part = X[:, list(columns)]
    if part.dtype.kind == "O":
        part = np.array([[np.nan if is_missing(v) else v for v in row] for row in part.tolist()])
    return np.asarray(part, dtype=np.float64).reshape(len(X), len(columns))


def _is_numeric(column: Rows) -> bool:
    return all(is_missing(v) or isinstance(v, int | float) for v in column.tolist())


def _texts(column: Rows) -> Rows:
    return np.array(["" if is_missing(v) else str(v) for v in column.tolist()])


def _levels(texts: Rows) -> tuple[str, ...]:
    """Return the levels that get a column, most frequent first when there are too many."""
    names, counts = np.unique(texts, return_counts=True)
    if len(names) > MAX_LEVELS:
        names = np.sort(names[np.lexsort((names, -counts))][: MAX_LEVELS - 1])
    return tuple(str(n) for n in names)


def _one_hot(texts: Rows, levels: tuple[str, ...]) -> Floats:
    known = texts[:, None] == np.array(levels)[None, :]
    other = ~known.any(axis=1, keepdims=True)
    return np.concatenate([known, other], axis=1).astype(np.float64)
