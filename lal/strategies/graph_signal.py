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


def reconstruct(points: Floats, known: Ints, values: Floats, power: int = 4) -> Floats:
    """Return the smooth signal on the graph that is closest to the values on the known nodes.

    It is a combination of the Laplacian's eigenvectors below the cut-off frequency of the known
    nodes, by least squares; a signal that is one itself is given back exactly. With indicators of
    classes as values, the largest column is the label.

    Args:
        points: Of all nodes, shape (n, d).
        known: Nodes whose values are known, shape (L,), L at least 1.
        values: Shape (L, C).
        power: k of the cut-off, at least 1.

    Returns:
        The signal, shape (n, C).
    """
    if len(known) == 0:
        raise UsageError("a signal cannot be reconstructed from no values; expected one at least")
    L = laplacian(points)
    frequencies, waves = np.linalg.eigh(L)
    rest = np.setdiff1d(np.arange(len(points)), known)
    cut = np.inf
    if len(rest):
        powered = np.linalg.matrix_power(L, power)[np.ix_(rest, rest)]
        cut = max(float(np.linalg.eigvalsh(powered)[0]), 0.0) ** (1.0 / power)
    n_waves = min(max(int((frequencies < cut).sum()), 1), len(known))
    smooth = waves[:, :n_waves]
    signal: Floats = smooth @ np.linalg.lstsq(smooth[known], values, rcond=None)[0]
    return signal
