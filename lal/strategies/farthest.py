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


def exploration_labels(k: int | str, n_classes: int) -> int:
    """Return the labels that exploration lasts for: a number, or ``"2C"`` and the like.

    Args:
        k: At least 0, or a number before the letter C for a multiple of the classes.
        n_classes: Classes known to the strategy: the declared ones, or those seen so far.

    Raises:
        UsageError: Neither.
    """
    times = str(k).removesuffix("C")
    if not times.isdecimal() or isinstance(k, bool):
        raise UsageError(f"k must be at least 0, got {k!r}; a text like '2C' counts classes")
    return int(times) * (n_classes if str(k).endswith("C") else 1)


class FarthestThenMargin:
    """Explores by farthest-first until k rows are labelled, then asks by margin.

    The start counts among the k: the rule looks at the labelled rows alone, so a bare query and a
    loop agree. Source: Baram, El-Yaniv & Luz (2004), "Online choice of active learning
    algorithms" (kernel farthest-first), here as a fixed schedule.

    Args:
        k: Labels until exploration ends, at least 0; ``"2C"`` for twice the classes known.
    """

    def __init__(self, k: int | str = 10) -> None:
        exploration_labels(k, 2)
        self.k = k

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return distances while exploring (or without a model), margins after, shape (N,)."""
        exploring = len(state.labelled) < exploration_labels(self.k, state.n_classes)
        if exploring or state.proba is None:
            return distance_to_nearest(state.Z, state.Z_labelled)
        return Margin().utilities(state, rng)
