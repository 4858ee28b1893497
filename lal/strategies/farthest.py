"""Farthest-first traversal for the first labels, margin afterwards."""

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.state import QueryState
from lal.strategies.uncertainty import Margin


def distance_to_nearest(Z: Floats, Z_labelled: Floats) -> Floats:
    """Return the Euclidean distance to the nearest labelled row, shape (N,).

    Zeros while nothing is labelled. Ranking by it is the farthest-first traversal of
    Hochbaum & Shmoys (1985), "A best possible heuristic for the k-center problem".

    Args:
        Z: Encoded rows, shape (N, d).
        Z_labelled: Encoded labelled rows, shape (L, d).
    """
    if not len(Z_labelled):
        return np.zeros(len(Z))
    nearest = np.full(len(Z), np.inf)
    for row in Z_labelled:
        offset = Z - row
        np.minimum(nearest, np.einsum("ij,ij->i", offset, offset), out=nearest)
    distance: Floats = np.sqrt(nearest)
    return distance


class FarthestThenMargin:
    """Explores by farthest-first until k rows are labelled, then asks by margin.

    The start counts among the k: the rule looks at the labelled rows alone, so a bare query and a
    loop agree. Source: Baram, El-Yaniv & Luz (2004), "Online choice of active learning
    algorithms" (kernel farthest-first), here as a fixed schedule.

    Args:
        k: Labels until exploration ends, at least 0.
    """

    def __init__(self, k: int = 10) -> None:
        if k < 0:
            raise UsageError(f"k must be at least 0, got {k}")
        self.k = k

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return distances while exploring (or without a model), margins after, shape (N,)."""
        if len(state.labelled) < self.k or state.proba is None:
            return distance_to_nearest(state.Z, state.Z_labelled)
        return Margin().utilities(state, rng)
