"""Uncertainty sampling: margin, least confident, entropy, and margin with random steps."""

from collections.abc import Callable

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.state import QueryState


def margin_utility(proba: Floats) -> Floats:
    """Return ``p2 - p1``, the negative gap of the two likeliest classes, in [-1, 0].

    Source: Scheffer, Decomain & Wrobel (2001), "Active hidden Markov models for information
    extraction".

    Args:
        proba: Shape (N, C).
    """
    top = np.partition(proba, -2, axis=1)
    gap: Floats = top[:, -2] - top[:, -1]
    return gap


def least_confident_utility(proba: Floats) -> Floats:
    """Return ``1 - p1``, in [0, 1 - 1/C].

    Source: Lewis & Gale (1994), "A sequential algorithm for training text classifiers".

    Args:
        proba: Shape (N, C).
    """
    rest: Floats = 1.0 - proba.max(axis=1)
    return rest


def entropy_utility(proba: Floats) -> Floats:
    """Return the Shannon entropy in nats, in [0, log C].

    Source: Shannon (1948); as a query rule, Settles (2009), "Active learning literature survey".

    Args:
        proba: Shape (N, C).
    """
    logs = np.log(np.where(proba > 0, proba, 1.0))
    entropy: Floats = -np.sum(proba * logs, axis=1)
    return entropy


class _Uncertainty:
    """Ranks by a function of the probabilities; all equal while there is no model."""

    formula: Callable[[Floats], Floats]

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the uncertainty of every row, shape (N,); zeros before two classes are seen."""
        return np.zeros(state.N) if state.proba is None else type(self).formula(state.proba)


class Margin(_Uncertainty):
    """Asks for the smallest gap between the two likeliest classes; see `margin_utility`."""

    formula = staticmethod(margin_utility)


class LeastConfident(_Uncertainty):
    """Asks for the smallest largest probability; see `least_confident_utility`."""

    formula = staticmethod(least_confident_utility)


class Entropy(_Uncertainty):
    """Asks for the largest entropy; see `entropy_utility`."""

    formula = staticmethod(entropy_utility)


class EpsilonMargin:
    """Margin, but with probability epsilon one query is random.

    Source: epsilon-greedy exploration, Sutton & Barto (2018), section 2.2.

    Args:
        epsilon: Share of random queries, in [0, 1].
    """

    def __init__(self, epsilon: float = 0.1) -> None:
        if not 0.0 <= epsilon <= 1.0:
            raise UsageError(f"epsilon must lie in [0, 1], got {epsilon}")
        self.epsilon = epsilon

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return margin utilities, or random ones for a random query, shape (N,)."""
        explore = rng.random() < self.epsilon
        noise = rng.random(state.N)
        return noise if explore else Margin().utilities(state, rng)
