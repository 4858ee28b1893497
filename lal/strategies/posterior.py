"""Formulas over P[member, row, class]: what draws from a posterior say about a row."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.learners.capabilities import find_capability
from lal.state import QueryState
from lal.strategies.committee import committee_proba, consensus_divergence, vote_shares
from lal.strategies.uncertainty import entropy_utility, least_confident_utility


def gibbs_error(members: Floats) -> Floats:
    """Return ``1 - sum_y p(y)^2`` of the mean, the error of a label drawn from it, in [0, 1 - 1/C].

    Source: Cuong, Lee, Ye, Chai & Chieu (2013), "Active learning for probabilistic hypotheses
    using the maximum Gibbs error criterion".

    Args:
        members: Probabilities, shape (M, N, C).
    """
    error: Floats = 1.0 - np.square(members.mean(axis=0)).sum(axis=1)
    return error


def variation_ratio(members: Floats) -> Floats:
    """Return ``1 - max_y p(y)`` of the mean.

    Source: Gal, Islam & Ghahramani (2017), "Deep Bayesian active learning with image data".

    Args:
        members: Probabilities, shape (M, N, C).
    """
    return least_confident_utility(members.mean(axis=0))


def vote_ratio(members: Floats) -> Floats:
    """Return the share of members that do not vote for the modal class, in [0, 1 - 1/M].

    Source: Beluch, Genewein, Nuernberger & Koehler (2018), "The power of ensembles for active
    learning in image classification".

    Args:
        members: Probabilities, shape (M, N, C); a member votes for its likeliest class.
    """
    return least_confident_utility(vote_shares(members))


def predictive_entropy(members: Floats) -> Floats:
    """Return the entropy of the mean in nats, in [0, log C].

    Args:
        members: Probabilities, shape (M, N, C).
    """
    return entropy_utility(members.mean(axis=0))


def mean_std(members: Floats) -> Floats:
    """Return the standard deviation over the members, averaged over the classes.

    Source: Kampffmeyer, Salberg & Jenssen (2016); in active learning, Gal et al. (2017).

    Args:
        members: Probabilities, shape (M, N, C).
    """
    spread: Floats = members.std(axis=0).mean(axis=1)
    return spread


FORMULAS: Mapping[str, Callable[[Floats], Floats]] = {
    "bald": consensus_divergence,
    "gibbs_error": gibbs_error,
    "variation_ratio": variation_ratio,
    "vote_ratio": vote_ratio,
    "predictive_entropy": predictive_entropy,
    "mean_std": mean_std,
}
"""Formulas by name. BALD, ``H(mean) - mean(H)``, is the divergence of members from their mean."""


def posterior_proba(state: QueryState, rng: np.random.Generator, n_draws: int) -> Floats:
    """Return draws from the posterior, shape (M, N, C).

    The model's own draws; else its members; else its learner refitted to bootstraps.
    """
    drawn: Floats | None = find_capability(state.model, "sample_proba", state.X, n_draws, rng)
    return committee_proba(state, rng, n_draws) if drawn is None else drawn


class Posterior:
    """Asks where a formula over draws from the posterior is largest.

    Args:
        formula: A name in `FORMULAS`.
        n_draws: Draws from the posterior, or refits to bootstraps; at least 2.
    """

    def __init__(self, formula: str, n_draws: int = 20) -> None:
        if formula not in FORMULAS:
            raise UsageError(f"formula must be one of {', '.join(FORMULAS)}, got {formula!r}")
        if n_draws < 2:
            raise UsageError(f"a formula over draws needs at least 2 of them, got {n_draws}")
        self.formula, self.n_draws = formula, n_draws

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the formula's value for every row, shape (N,); zeros without a model."""
        if state.proba is None:
            return np.zeros(state.N)
        return FORMULAS[self.formula](posterior_proba(state, rng, self.n_draws))


bald, max_gibbs_error, max_variation_ratio, max_vote_ratio, max_entropy, max_mean_std = (
    partial(Posterior, formula=name) for name in FORMULAS
)
