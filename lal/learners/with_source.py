"""A learner that also has labelled rows of another domain, for tasks of domain adaptation."""

import copy

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError
from lal.learners.pool_aware import bind_pool
from lal.pool import n_rows, stacked
from lal.task import Learner, Model


class WithSource:
    """Fits a learner to the labelled rows and to all rows of a labelled source domain.

    Rows of the source cost nothing and are no rows of the pool; strategies may look at them
    (`source_X`). Without a source it is the base learner.

    Args:
        base: The learner.
        X: Rows of the source domain, with the columns of the pool, shape (S, D).
        y: Their class codes, shape (S,).

    Raises:
        UsageError: As many labels as rows were expected, and integers from 0 for labels.
    """

    def __init__(self, base: Learner, *, X: Rows | None = None, y: Ints | None = None) -> None:
        n = 0 if X is None else n_rows(X)
        if n != (0 if y is None else len(y)):
            raise UsageError(
                f"a source needs a label for every row, got {n} rows and "
                f"{0 if y is None else len(y)} labels"
            )
        codes = np.asarray(y if n else np.zeros(0, dtype=np.int64))
        if codes.dtype.kind not in "iu" or (codes < 0).any():
            raise UsageError(
                "the labels of a source must be class codes, integers from 0, got "
                f"{np.unique(codes)[:3].tolist()} of type {codes.dtype}"
            )
        self.base, self.source_X, self.source_y = base, X, codes.astype(np.int64)
        self.name = f"with_source({base.name}, {n} rows)"

    def bind(self, X: Rows) -> "WithSource":
        """Return the learner whose base has seen the rows of a pool, shape (N, D).

        Raises:
            UsageError: The source has other columns.
        """
        if self.source_X is not None and _columns(X) != _columns(self.source_X):
            raise UsageError(
                "a source must have the columns of the pool, got rows of shape "
                f"{self.source_X.shape} for a pool of shape {X.shape}"
            )
        bound = copy.copy(self)
        bound.base = bind_pool(self.base, X)
        return bound

    def fit(
        self,
        X: Rows,
        y: Ints,
        *,
        n_classes: int,
        sample_weight: Floats | None = None,
        seed: int = 0,
    ) -> Model:
        """Return the base learner fitted to labelled and source rows; see `Learner.fit`."""
        if self.source_X is not None:
            X, y = (
                stacked(X, self.source_X),
                np.append(np.asarray(y, dtype=np.int64), self.source_y),
            )
            if sample_weight is not None:
                sample_weight = np.append(sample_weight, np.ones(len(self.source_y)))
        return self.base.fit(X, y, n_classes=n_classes, sample_weight=sample_weight, seed=seed)


def _columns(X: Rows) -> set[object]:
    """Return the names of the columns of a frame, or the numbers of those of an array."""
    return set(getattr(X, "columns", range(int(np.prod(X.shape[1:])))))
