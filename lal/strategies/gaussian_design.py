"""Batches by determinants of a Gaussian process: matrix partition and maximal determinant."""

from typing import ClassVar

import numpy as np

from lal.arrays import Floats, Ints
from lal.features.geometry import squared_distances
from lal.state import QueryState
from lal.strategies.spaces import Selector, SpaceStrategy
from lal.task_kind import TASK_KINDS, TaskKind

MOST = 500
"""Rows of the reference set, besides the labelled ones, that have a place in the kernel."""

JITTER = 1e-2
"""Variance of the noise, added to the diagonal."""


def kernel(points: Floats) -> Floats:
    """Return a squared-exponential kernel with noise, shape (n, n).

    Its length scale is half the root mean square distance between two points.
    """
    squares = squared_distances(points, points)
    scale = max(float(squares.mean()), 1e-12) / 4.0
    K: Floats = np.exp(-squares / (2.0 * scale)) + JITTER * np.eye(len(points))
    return K


class _Design:
    """Conditional covariances, kept up to date while points are taken.

    Args:
        rows: Rows of the pool that have a place, shape (n,).
        K: Their covariance, shape (n, n).
        state: Its labelled rows are taken.
    """

    def __init__(self, rows: Ints, K: Floats, state: QueryState) -> None:
        self.rows, self.n = rows, state.N
        self.covariance = K.copy()  # of all points given those taken
        known = np.isin(rows, state.labelled)
        self.precision = np.zeros_like(K)  # of the points that are not taken
        self.precision[np.ix_(~known, ~known)] = np.linalg.inv(K[np.ix_(~known, ~known)])
        for place in np.flatnonzero(known):
            _sweep(self.covariance, int(place))

    def take(self, row: int) -> None:
        """Take a point: condition on it, and drop it from the points that are not taken."""
        for place in np.flatnonzero(self.rows == row):
            _sweep(self.covariance, int(place))
            _sweep(self.precision, int(place))

    def _scatter(self, values: Floats) -> Floats:
        full = np.full(self.n, values.min(initial=0.0) - 1.0)
        full[self.rows] = values
        return full


def _sweep(matrix: Floats, place: int) -> None:
    """Subtract what one point explains, in place; a point that was swept has zeros."""
    if matrix[place, place] > 1e-12:
        column = matrix[:, place].copy()
        matrix -= np.outer(column, column) / column[place]


def _log(values: Floats) -> Floats:
    logs: Floats = np.log(np.maximum(values, 1e-12))
    return logs


class _Determinant(_Design):
    def utilities(self) -> Floats:
        """Return log-variances given the points taken, shape (N,)."""
        return self._scatter(_log(np.diag(self.covariance)))


class _Partition(_Design):
    def utilities(self) -> Floats:
        """Return log-variances given the points taken less those given all others, shape (N,)."""
        return self._scatter(_log(np.diag(self.covariance)) + _log(np.diag(self.precision)))


class MaxDeterminant(SpaceStrategy):
    """Asks for the row of largest variance given all that is taken: greedy ``max log det K_Q``.

    Source: greedy maximisation for determinantal point processes, Chen, Zhang & Zhou (2018), "Fast
    greedy MAP inference for determinantal point process to improve recommendation diversity".

    Args:
        space: A name in `lal.strategies.spaces.SPACES`.
    """

    kinds: ClassVar[tuple[TaskKind, ...]] = TASK_KINDS

    def begin(self, state: QueryState, rng: np.random.Generator, size: int) -> Selector:
        """Return variances given the labelled rows."""
        return _Determinant(*_places(self, state), state)


class MatrixPartition(SpaceStrategy):
    """Cuts the pool into two sets of largest mutual information, greedily.

    Maximises ``log det K_{L+Q} + log det K_{U-Q}`` over the batch Q; taking a row changes that by
    ``log var(x | L+Q) - log var(x | U-Q)``. No label and no model is looked at. Source: Guo (2010),
    "Active instance sampling via matrix partition", solved there by relaxation.

    Args:
        space: A name in `lal.strategies.spaces.SPACES`.
    """

    kinds: ClassVar[tuple[TaskKind, ...]] = TASK_KINDS

    def begin(self, state: QueryState, rng: np.random.Generator, size: int) -> Selector:
        """Return variances given the labelled and given the other rows."""
        return _Partition(*_places(self, state), state)


def _places(strategy: SpaceStrategy, state: QueryState) -> tuple[Ints, Floats]:
    rows = np.union1d(state.reference[:MOST], state.labelled)
    rows = rows[rows < state.N]
    return rows, kernel(strategy.points(state)[rows])
