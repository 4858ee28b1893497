"""Pool: the samples, the labels acquired so far and their order. It holds no hidden label."""

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError


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


class Pool:
    """Samples and what has been acquired of their labels.

    Args:
        X: N samples as the learner takes them.
        n_classes: Classes of the task; labels are codes in ``range(n_classes)``.
    """

    def __init__(self, X: Rows, n_classes: int) -> None:
        self.X = X
        self.n_classes = int(n_classes)
        self._codes = np.full(n_rows(X), -1, dtype=np.int64)
        self._order: list[int] = []

    def __len__(self) -> int:
        """Return the number of samples N."""
        return len(self._codes)

    def add(self, index: int, label: int) -> None:
        """Write down an acquired label.

        Raises:
            UsageError: The index is outside the pool or labelled already, or the label is unknown.
        """
        if not 0 <= index < len(self):
            raise UsageError(f"sample {index} is not in the pool of {len(self)} samples")
        if self._codes[index] >= 0:
            raise UsageError(
                f"sample {index} is already labelled; {len(self) - len(self._order)} are still open"
            )
        if not 0 <= label < self.n_classes:
            raise UsageError(f"label {label} is not a class; expected 0 to {self.n_classes - 1}")
        self._codes[index] = label
        self._order.append(int(index))

    @property
    def n_labelled(self) -> int:
        """Number of labels acquired, L."""
        return len(self._order)

    @property
    def order(self) -> Ints:
        """Indices of the acquired samples in the order of acquisition, shape (L,)."""
        return np.array(self._order, dtype=np.int64)

    @property
    def labelled(self) -> Ints:
        """Indices of the acquired samples in row order, shape (L,).

        Learners are fitted in this order, so that a bare ``query(X, y)``, which cannot know the
        order of acquisition, fits the same model.
        """
        return np.flatnonzero(self._codes >= 0)

    @property
    def labels(self) -> Ints:
        """Labels of `labelled`, shape (L,)."""
        return self._codes[self._codes >= 0]

    @property
    def open(self) -> Ints:
        """Indices of the samples without a label, shape (N - L,)."""
        return np.flatnonzero(self._codes < 0)

    @property
    def n_seen(self) -> int:
        """Number of different classes among the acquired labels."""
        return len(np.unique(self.labels))
