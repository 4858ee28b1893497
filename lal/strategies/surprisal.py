"""ALPS for tables: clusters of what a model of the columns finds surprising in a row."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.state import QueryState
from lal.strategies.drop_query import nearest_to_centres
from lal.strategies.selection import check_size, select_top

RIDGE = 0.1
"""Added to the variances of the columns."""


class Surprisal:
    """Active learning by processing surprisal, without any label.

    A row is the vector of its surprise at each of a random 15 % of its columns (two at least),
    zeros elsewhere, scaled to length 1; the row nearest to each centre of k-means is chosen. A
    column is predicted from all others by a Gaussian fitted to the pool, in place of a masked
    language model. Source: Yuan, Lin & Boyd-Graber (2020), "Cold-start active learning through
    self-supervised language modeling".

    Args:
        share: Of the columns that count, in (0, 1].
    """

    def __init__(self, share: float = 0.15) -> None:
        if not 0.0 < share <= 1.0:
            raise UsageError(f"share must lie in (0, 1], got {share}")
        self.share = share

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return how near a row is to the mean surprise, shape (N,)."""
        vectors = surprisals(state.Z, self.share, rng)
        near: Floats = -np.linalg.norm(vectors - vectors.mean(axis=0), axis=1)
        return near

    def select_batch(
        self,
        state: QueryState,
        rng: np.random.Generator,
        ties: np.random.Generator,
        batch_size: int,
    ) -> Ints:
        """Return one row a cluster of the open rows, shape (batch_size,)."""
        check_size(batch_size, len(state.open))
        vectors = surprisals(state.Z, self.share, rng)
        near = -np.linalg.norm(vectors - vectors.mean(axis=0), axis=1)
        rows, distance = nearest_to_centres(vectors[state.open], batch_size, rng)
        near[state.open[rows]] = 1.0 + 1.0 / (1.0 + distance)
        return select_top(near, state.open, ties, batch_size)


def surprisals(points: Floats, share: float, rng: np.random.Generator) -> Floats:
    """Return surprise at the columns drawn for each row, rows of length 1 or 0, shape (n, d).

    The squared error of a column given all others is ``((P x)_j / P_jj)^2``, P the precision of
    the pool's Gaussian; in units of its variance it is ``(P x)_j^2 / P_jj``.
    """
    centred = points - points.mean(axis=0)
    covariance = centred.T @ centred / len(points) + RIDGE * np.eye(points.shape[1])
    precision = np.linalg.inv(covariance)
    surprise = 0.5 * (centred @ precision) ** 2 / np.diag(precision)
    n_kept = max(round(share * points.shape[1]), min(2, points.shape[1]))
    keys = rng.random(points.shape)
    kept = keys <= np.partition(keys, n_kept - 1, axis=1)[:, n_kept - 1 : n_kept]
    masked = np.where(kept, surprise, 0.0)
    length = np.linalg.norm(masked, axis=1, keepdims=True)
    unit: Floats = masked / np.where(length > 0, length, 1.0)
    return unit
