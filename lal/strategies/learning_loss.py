"""Learning loss: rows on which the model predicts a large loss of its own."""

import numpy as np

from lal.arrays import Floats
from lal.learners.capabilities import require_capability
from lal.state import QueryState


class LearningLoss:
    """Asks for the largest loss that a head of the model predicts.

    The head reads all hidden layers and is trained beside the model to rank rows by their loss.
    Source: Yoo & Kweon (2019), "Learning loss for active learning".
    """

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the predicted loss, shape (N,), in no unit; zeros without a model."""
        if state.proba is None:
            return np.zeros(state.N)
        losses: Floats = require_capability(state, "predict_loss", "LearningLoss")
        return losses
