"""KMC-style: where a kernel machine knows little, and where several class boundaries pass."""

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.features.geometry import get_reference, squared_distances
from lal.state import QueryState
from lal.strategies.spaces import Selector, SpaceStrategy

NOISE = 1e-2
"""Variance of the noise of a label."""


class KernelMachine(SpaceStrategy):
    """Asks for rows that are unexplored and that lie between classes, by one kernel machine.

    ``(1 - w) var(x) + w sum_c (1 - |2 f_c(x) - 1|) / 2``: a Gaussian process's variance given the
    labelled rows, and how near a row is to the boundary of each class against the rest; two
    classes that meet add up to 1. Far from all labels every f_c is 0, so the second term is, too.
    In a batch the variance falls with every row taken. Source: Shi & Yu (2019), "Integrating
    Bayesian and discriminative sparse kernel machines for multi-class active learning", whose
    formula was not seen: the model here is dense, with squares in place of the hinge.

    Args:
        boundary: w, weight of the boundaries, in [0, 1]. Chosen on blobs with unseen classes.
        space: A name in `lal.strategies.spaces.SPACES`.
    """

    def __init__(self, boundary: float = 0.3, space: str = "view") -> None:
        super().__init__(space)
        if not 0.0 <= boundary <= 1.0:
            raise UsageError(f"boundary must lie in [0, 1], got {boundary}")
        self.boundary = boundary

    def begin(self, state: QueryState, rng: np.random.Generator, size: int) -> Selector:
        """Return variances given the labelled rows, and what the boundaries add."""
        machine = _Machine(self.points(state), state)
        machine.weight, machine.near = self.boundary, machine.boundaries(state)
        for row in state.labelled:
            machine.take(int(row))
        return machine


class _Machine:
    """Variances by a pivoted Cholesky decomposition: one column for each row taken."""

    def __init__(self, points: Floats, state: QueryState) -> None:
        reference = points[get_reference(state.geometry).rows]
        self.points = points
        self.scale = max(float(squared_distances(reference, reference).mean()), 1e-12) / 4.0
        self.variance = np.ones(len(points))
        self.columns = np.zeros((len(points), 0))
        self.weight, self.near = 0.0, np.zeros(len(points))

    def kernel(self, others: Floats) -> Floats:
        """Return the kernel of all rows with some points, shape (N, n)."""
        K: Floats = np.exp(-squared_distances(self.points, others) / (2.0 * self.scale))
        return K

    def boundaries(self, state: QueryState) -> Floats:
        """Return how near every row is to boundaries, summed over the classes, shape (N,)."""
        if not len(state.labelled):
            return np.zeros(state.N)
        K = self.kernel(self.points[state.labelled])
        noisy = K[state.labelled] + NOISE * np.eye(len(state.labelled))
        shares = K @ np.linalg.solve(noisy, np.eye(state.n_classes)[state.labels])
        near: Floats = np.maximum(1.0 - np.abs(2.0 * shares - 1.0), 0.0).sum(axis=1) / 2.0
        return near

    def utilities(self) -> Floats:
        """Return the weighted sum of variance and boundaries, shape (N,)."""
        total: Floats = (1.0 - self.weight) * self.variance + self.weight * self.near
        return total

    def take(self, row: int) -> None:
        """Condition on a label of a row."""
        covariance = self.kernel(self.points[[row]])[:, 0] - self.columns @ self.columns[row]
        column = covariance / np.sqrt(max(self.variance[row], 0.0) + NOISE)
        self.columns = np.c_[self.columns, column]
        self.variance = np.maximum(self.variance - column**2, 0.0)
