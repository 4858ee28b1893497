"""Most likely positive: rows that look like the class that has the fewest labels."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.state import QueryState


def rarest_class_probability(proba: Floats, counts: Ints) -> Floats:
    """Return the largest probability among the classes with the fewest labels, shape (N,).

    Source: Warmuth et al. (2003), "Active learning with support vector machines in the drug
    discovery process", where the positive class is known beforehand.

    Args:
        proba: Shape (N, C).
        counts: Labels of each class, shape (C,).
    """
    found: Floats = proba[:, counts == counts.min()].max(axis=1)
    return found


class MostLikelyPositive:
    """Asks for the row most likely of the rarest class; see `rarest_class_probability`."""

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the probability of the rarest class, shape (N,); zeros before two are seen."""
        if state.proba is None:
            return np.zeros(state.N)
        counts = np.bincount(state.labels, minlength=state.n_classes)
        return rarest_class_probability(state.proba, counts)
