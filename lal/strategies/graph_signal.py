"""Graph signals: rows from which smooth labels of all others can be reconstructed."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.features.geometry import squared_distances
from lal.state import QueryState
from lal.strategies.spaces import Selector, SpaceStrategy

MOST = 500
"""Rows of the reference set, besides the labelled ones, that the graph has."""

NEIGHBOURS = 10
"""Neighbours of a node."""


class GraphSignal(SpaceStrategy):
    """Asks for the node that raises the cut-off frequency of the labelled set most.

    Signals on the graph below the cut-off ``(smallest eigenvalue of (L^k) without S)^(1/k)`` are
    determined by their values on S; the next node is where the eigenvector is largest. No label is
    looked at. Source: Gadde, Anis & Ortega (2014), "Active semi-supervised learning using sampling
    theory for graph signals".

    Args:
        space: A name in `lal.strategies.spaces.SPACES`.
        power: k, at least 1.
    """

    def __init__(self, space: str = "view", power: int = 4) -> None:
        super().__init__(space)
        if power < 1:
            raise UsageError(f"power must be at least 1, got {power}")
        self.power = power

    def begin(self, state: QueryState, rng: np.random.Generator, size: int) -> Selector:
        """Return the powered Laplacian, and the labelled nodes as taken."""
        rows = np.union1d(state.reference[:MOST], state.labelled)
        rows = rows[rows < state.N]
        L = laplacian(self.points(state)[rows])
        return SmoothSignals(rows, np.linalg.matrix_power(L, self.power), state)


def laplacian(points: Floats) -> Floats:
    """Return the normalised Laplacian of the symmetric nearest-neighbour graph, shape (n, n).

    Weights are Gaussian in the distance; their width is the mean distance to the last neighbour.
    """
    squares = squared_distances(points, points)
    np.fill_diagonal(squares, np.inf)
    k = min(NEIGHBOURS, len(points) - 1)
    last = np.partition(squares, k - 1, axis=1)[:, k - 1]
    width = max(float(np.mean(np.sqrt(last))), 1e-12)
    near = squares <= last[:, None]
    weights = np.where(near | near.T, np.exp(-squares / (2.0 * width**2)), 0.0)
    root = 1.0 / np.sqrt(np.maximum(weights.sum(axis=1), 1e-12))
    normal: Floats = np.eye(len(points)) - root[:, None] * weights * root
    return normal


class SmoothSignals:
    """The smoothest signal that vanishes on the nodes taken."""

    def __init__(self, rows: Ints, powered: Floats, state: QueryState) -> None:
        self.rows, self.powered, self.n = rows, powered, state.N
        self.free = ~np.isin(rows, state.labelled)

    def smallest(self) -> tuple[float, Floats]:
        """Return the smallest eigenvalue without the nodes taken, and its eigenvector."""
        from scipy.linalg import eigh

        rest = self.powered[np.ix_(self.free, self.free)]
        value, vector = eigh(rest, subset_by_index=[0, 0])
        return float(max(value[0], 0.0)), vector[:, 0]

    def utilities(self) -> Floats:
        """Return the squared eigenvector; -1 outside the graph and 0 where taken, shape (N,)."""
        values = np.full(self.n, -1.0)
        values[self.rows] = 0.0
        if self.free.any():
            values[self.rows[self.free]] = self.smallest()[1] ** 2
        return values

    def take(self, row: int) -> None:
        """Take a node."""
        self.free &= self.rows != row
