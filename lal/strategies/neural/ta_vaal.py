"""TA-VAAL: VAAL that also sees how large the model's loss on a row will rank."""

import numpy as np

from lal.arrays import Floats
from lal.learners.capabilities import require_capability
from lal.state import QueryState
from lal.strategies.neural.critic import critic_logits, make_problem


class TaVaal:
    """Task-aware variational adversarial active learning.

    Decoder and discriminator see ``sigmoid`` of the standardised predicted loss beside the latent
    code. A constant rank leaves VAAL. Source: Kim, Park, Kim & Chun (2021), "Task-aware variational
    adversarial active learning".

    Args:
        space: A name in `lal.strategies.spaces.SPACES`.
    """

    def __init__(self, space: str = "view") -> None:
        self.space = space

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the logit of being unlabelled, shape (N,); zeros without a model."""
        if state.proba is None or len(state.open) == 0:
            return np.zeros(state.N)
        rank = loss_rank(require_capability(state, "predict_loss", "TaVaal"))
        problem = make_problem(state, self.space, "TaVaal", rank)
        return -critic_logits(problem, int(rng.integers(2**31)))


def loss_rank(predicted: Floats) -> Floats:
    """Return ``sigmoid((l - mean) / sd)``, one half where all are equal, shape (N,)."""
    spread = max(float(predicted.std()), 1e-12)
    rank: Floats = 1.0 / (1.0 + np.exp(-(predicted - predicted.mean()) / spread))
    return rank
