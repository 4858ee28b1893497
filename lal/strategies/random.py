"""Random sampling: the baseline that every rule must beat."""

from typing import ClassVar

import numpy as np

from lal.arrays import Floats
from lal.state import QueryState
from lal.task_kind import TASK_KINDS, TaskKind


class RandomSampling:
    """Asks for rows drawn uniformly at random."""

    kinds: ClassVar[tuple[TaskKind, ...]] = TASK_KINDS

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return uniform random numbers, shape (N,)."""
        return rng.random(state.N)
