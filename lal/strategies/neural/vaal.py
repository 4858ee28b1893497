"""VAAL: rows that a discriminator takes for unlabelled in the latent space of an autoencoder."""

import numpy as np

from lal.arrays import Floats
from lal.state import QueryState
from lal.strategies.neural.critic import critic_logits, make_problem


class Vaal:
    """Variational adversarial active learning.

    The autoencoder minimises reconstruction error, KL divergence and ``-log D(z)``; the
    discriminator learns ``D(z) = P(labelled)``. Asked for are the rows of lowest D. No class is
    looked at. Source: Sinha, Ebrahimi & Darrell (2019), "Variational adversarial active learning".

    Args:
        space: A name in `lal.strategies.spaces.SPACES`.
    """

    def __init__(self, space: str = "view") -> None:
        self.space = space

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the logit of being unlabelled, shape (N,); zeros without a label."""
        if len(state.labelled) == 0 or len(state.open) == 0:
            return np.zeros(state.N)
        problem = make_problem(state, self.space, "Vaal")
        return -critic_logits(problem, int(rng.integers(2**31)))
