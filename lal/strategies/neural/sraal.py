"""SRAAL: VAAL whose discriminator grades unlabelled rows by the model's uncertainty."""

from dataclasses import replace

import numpy as np

from lal.arrays import Floats
from lal.state import QueryState
from lal.strategies.neural.critic import critic_logits, make_problem


def uncertainty_indicator(proba: Floats) -> Floats:
    """Return ``1 - max(p) MinVar / Var``, 0 for a certain row, below 1, shape (N,).

    MinVar is the variance over the classes if all but the likeliest were equally likely. Source:
    Zhang et al. (2020), equation 8, with population variances throughout.

    Args:
        proba: Shape (N, C).
    """
    top, n_classes = proba.max(axis=1), proba.shape[1]
    others = (1.0 - top) / max(n_classes - 1, 1)
    least = (top - others) ** 2 * (n_classes - 1) / n_classes**2
    variance = proba.var(axis=1)
    ratio = np.where(variance > 1e-12, least / np.maximum(variance, 1e-12), 1.0)
    indicator: Floats = 1.0 - ratio * top
    return indicator


class Sraal:
    """State-relabelling adversarial active learning.

    The discriminator is to say 1 of a labelled row and ``1 - u(x)`` of an unlabelled one, u the
    uncertainty indicator; the latent code also carries a classifier. Asked for are the rows it
    says least of. Source: Zhang, Li, Yang, Wang, Zha & Huang (2020), "State-relabeling adversarial
    active learning".

    Args:
        space: A name in `lal.strategies.spaces.SPACES`.
    """

    def __init__(self, space: str = "view") -> None:
        self.space = space

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the logit of being worth a label, shape (N,); zeros without a model."""
        if state.proba is None or len(state.open) == 0:
            return np.zeros(state.N)
        problem = make_problem(state, self.space, "Sraal")
        graded = np.where(problem.target > 0, 1.0, 1.0 - uncertainty_indicator(state.proba))
        problem = replace(problem, target=graded, codes=state.labels)
        return -critic_logits(problem, int(rng.integers(2**31)))
