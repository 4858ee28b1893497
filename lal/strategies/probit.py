"""BALD in closed form for a Gaussian latent value behind a probit."""

import numpy as np

from lal.arrays import Floats
from lal.learners.capabilities import require_capability
from lal.state import QueryState

WIDTH = np.sqrt(np.pi * np.log(2.0) / 2.0)
"""C of the paper: the width of the Gaussian that stands for the entropy of a probit."""


def probit_information(mean: Floats, variance: Floats) -> Floats:
    """Return the mutual information of a binary label and its latent value, in bits.

    ``h(Phi(m / sqrt(v + 1))) - C exp(-m^2 / (2 (v + C^2))) / sqrt(v + C^2)``; the second term is
    an approximation good to 0.005 bit. Source: Houlsby, Huszar, Ghahramani & Lengyel (2011),
    "Bayesian active learning for classification and preference learning", equation 3.

    Args:
        mean: Of the latent values, shape (n,).
        variance: Of the latent values, shape (n,).
    """
    from scipy.special import entr, ndtr

    p = ndtr(mean / np.sqrt(variance + 1.0))
    marginal = (entr(p) + entr(1.0 - p)) / np.log(2.0)
    spread = variance + WIDTH**2
    given: Floats = WIDTH * np.exp(-(mean**2) / (2.0 * spread)) / np.sqrt(spread)
    information: Floats = np.maximum(marginal - given, 0.0)
    return information


class ProbitBald:
    """BALD for models with a predictive variance: the likeliest class against the rest.

    The latent mean is the one whose probit under that variance has the model's probability.
    """

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the information in bits, shape (N,); zeros without a model."""
        from scipy.special import ndtri

        if state.proba is None:
            return np.zeros(state.N)
        variance: Floats = require_capability(state, "variance", "ProbitBald")
        likeliest = np.clip(state.proba.max(axis=1), 1e-9, 1.0 - 1e-9)
        return probit_information(ndtri(likeliest) * np.sqrt(variance + 1.0), variance)
