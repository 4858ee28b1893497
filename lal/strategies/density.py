"""Density weighting: uncertain rows that many other rows resemble."""

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.features.geometry import surroundings
from lal.state import QueryState
from lal.strategies.uncertainty import entropy_utility


class DensityWeighted:
    """Asks for the largest entropy times density to the power beta.

    The density of a row is its mean similarity to the reference set, ``1 / (1 + squared distance)``
    in a width of the pool. It is information density: an outlier is uncertain, too, but few rows
    are like it. Source: Settles & Craven (2008), "An analysis of active learning strategies for
    sequence labeling tasks".

    Args:
        beta: Weight of the density, not negative; 0 is entropy sampling.
    """

    def __init__(self, beta: float = 1.0) -> None:
        if beta < 0.0:
            raise UsageError(f"beta must not be negative, got {beta}")
        self.beta = beta

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the product, shape (N,); the density alone without a model."""
        density: Floats = surroundings(state.geometry, np.arange(state.N)).wide ** self.beta
        if state.proba is None:
            return density
        weighted: Floats = density * entropy_utility(state.proba)
        return weighted
