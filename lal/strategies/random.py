"""Random sampling: the baseline that every rule must beat."""

import numpy as np

from lal.arrays import Floats
from lal.state import QueryState


class RandomSampling:
    """Asks for rows drawn uniformly at random."""

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return uniform random numbers, shape (N,)."""
        return rng.random(state.N)
