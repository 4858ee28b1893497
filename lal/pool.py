"""Pool: the samples, the labels acquired so far and their order. It holds no hidden label."""

import copy

import numpy as np

from lal.arrays import Bools, Floats, Ints, Labels, Rows
from lal.errors import DataError, UsageError


def n_rows(X: Rows) -> int:
    """Return the number of rows of an array, a data frame or a sparse matrix."""
    return int(X.shape[0])


def take(X: Rows, rows: Ints) -> Rows:
    """Return rows of an array, a data frame or a sparse matrix, by position."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def dense(X: Rows) -> Floats:
    """Return rows of numbers, sparse or not, as a float array."""
    full = X.toarray() if hasattr(X, "toarray") else X
    array: Floats = np.asarray(full, dtype=np.float64)
    return array


def stacked(X: Rows, more: Rows) -> Rows:
    """Return rows and further rows below each other: arrays, frames or sparse matrices.

    Raises:
        DataError: One is a frame and the other is not.
    """
    if hasattr(X, "columns") != hasattr(more, "columns"):
        raise DataError(
            f"some rows come as {type(X).__name__} and others as {type(more).__name__}; expected "
            "all of one kind"
        )
    if hasattr(X, "tocsr"):
        from scipy import sparse

        return sparse.vstack([X, more]).tocsr()
    if hasattr(X, "iloc"):
        import pandas as pd

        return pd.concat([X, more], ignore_index=True)
    if hasattr(X, "vstack"):
        import polars as pl

        return pl.concat([X, more.select(X.columns)], how="vertical_relaxed")
    return np.concatenate([np.asarray(X), np.asarray(more)])


class Pool:
    """Samples and what has been acquired of their labels.

    Args:
        X: N samples as the learner takes them.
        n_classes: Classes of the task; labels are codes in ``range(n_classes)``. 0 in regression,
            where labels are numbers.
        n_pixels: Pixels of a row, where rows are regions of images; 0 elsewhere.
    """

    def __init__(self, X: Rows, n_classes: int, n_pixels: int = 0) -> None:
        self.X = X
        self.n_classes = int(n_classes)
        dtype = np.int64 if self.n_classes else np.float64
        self._values: Labels = np.zeros(n_rows(X), dtype=dtype)
        self._known: Bools = np.zeros(n_rows(X), dtype=bool)
        self._refused: Bools = np.zeros(n_rows(X), dtype=bool)
        self._order: list[int] = []
        self._pixels: Ints = np.zeros((n_rows(X), n_pixels), dtype=np.int64)

    def __len__(self) -> int:
        """Return the number of samples N."""
        return len(self._known)

    def copy(self) -> "Pool":
        """Return an independent copy over the same samples."""
        twin = copy.copy(self)
        for name in ("_values", "_known", "_refused", "_order", "_pixels"):
            setattr(twin, name, getattr(self, name).copy())
        return twin

    def add(self, index: int, label: float, pixels: Ints | None = None) -> None:
        """Write down an acquired label.

        Args:
            index: Of the sample.
            label: Its class or number.
            pixels: The classes of its pixels where it is a region, shape (n_pixels,); all of them
                are of class `label` when None.

        Raises:
            UsageError: The index is outside the pool or asked already, or the label is unknown.
        """
        self._check_open(index)
        if self.n_classes and not 0 <= label < self.n_classes:
            raise UsageError(f"label {label} is not a class; expected 0 to {self.n_classes - 1}")
        self._values[index] = label
        if self._pixels.shape[1]:
            self._pixels[index] = label if pixels is None else pixels
        self._known[index] = True
        self._order.append(int(index))

    def refuse(self, index: int) -> None:
        """Write down that a sample was asked and has no label among the classes.

        Raises:
            UsageError: The index is outside the pool or asked already.
        """
        self._check_open(index)
        self._refused[index] = True
        self._order.append(int(index))

    def _check_open(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise UsageError(f"sample {index} is not in the pool of {len(self)} samples")
        if self._known[index] or self._refused[index]:
            state = "labelled" if self._known[index] else "known to be of no class"
            raise UsageError(
                f"sample {index} is already {state}; {len(self) - len(self._order)} are still open"
            )

    @property
    def n_labelled(self) -> int:
        """Number of labels acquired, L."""
        return int(self._known.sum())

    @property
    def n_asked(self) -> int:
        """Number of samples asked: the labels acquired, and the answers that were no label."""
        return len(self._order)

    @property
    def order(self) -> Ints:
        """Indices of the samples asked in their order, shape (`n_asked`,)."""
        return np.array(self._order, dtype=np.int64)

    @property
    def refused(self) -> Ints:
        """Indices of the samples that are of no class, in row order."""
        return np.flatnonzero(self._refused)

    @property
    def labelled(self) -> Ints:
        """Indices of the acquired samples in row order, shape (L,).

        Learners are fitted in this order, so that a bare ``query(X, y)``, which cannot know the
        order of acquisition, fits the same model.
        """
        return np.flatnonzero(self._known)

    @property
    def labels(self) -> Labels:
        """Labels of `labelled`, shape (L,)."""
        return self._values[self._known]

    @property
    def targets(self) -> Labels:
        """What a learner is fitted to: `labels`, or the classes of pixels, shape (L, n_pixels)."""
        return self._pixels[self._known] if self._pixels.shape[1] else self.labels

    @property
    def open(self) -> Ints:
        """Indices of the samples not asked yet, in row order."""
        return np.flatnonzero(~(self._known | self._refused))

    @property
    def n_seen(self) -> int:
        """Number of different classes among `targets`; of different values in regression."""
        return len(np.unique(self.targets))
