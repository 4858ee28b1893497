"""modAL's measures as strategies: ``make_strategy("modal:margin_sampling")``."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.integrations.modal import load
from lal.integrations.named import pick
from lal.state import QueryState
from lal.strategies.committee import committee_proba

OFFERED: dict[str, tuple[str, str, float]] = {
    "uncertainty_sampling": ("modAL.uncertainty", "classifier_uncertainty", 1.0),
    "margin_sampling": ("modAL.uncertainty", "classifier_margin", -1.0),
    "entropy_sampling": ("modAL.uncertainty", "classifier_entropy", 1.0),
    "vote_entropy_sampling": ("modAL.disagreement", "vote_entropy", 1.0),
    "consensus_entropy_sampling": ("modAL.disagreement", "consensus_entropy", 1.0),
    "max_disagreement_sampling": ("modAL.disagreement", "KL_max_disagreement", 1.0),
}
"""Strategy to module, measure and sign."""

_DROPOUT = "it runs a torch module with dropout; use 'baal:BALD' with a learner that has members"
_LABELS = "it is for multi-label data, which are not in this release"
_OPTIMISER = "it searches the maximum of a function, which is not a labelling problem"
REFUSED = {
    "expected_error_reduction": "it refits modAL's own learner for every row; use "
    "'skactiveml:MonteCarloEER'",
    "uncertainty_batch_sampling": "it ranks against the learner's own memory of labelled rows; use "
    "'skactiveml:Badge' or a policy with greedy_diverse selection",
    "information_density": "it is a weight for other measures, not a strategy",
    "max_std_sampling": "it is for regression, which is not in this release",
    "SVM_binary_minimum": _LABELS,
    "max_loss": _LABELS,
    "mean_max_loss": _LABELS,
    "min_confidence": _LABELS,
    "avg_confidence": _LABELS,
    "max_score": _LABELS,
    "avg_score": _LABELS,
    "mc_dropout_bald": _DROPOUT,
    "mc_dropout_mean_st": _DROPOUT,
    "mc_dropout_max_entropy": _DROPOUT,
    "mc_dropout_max_variationRatios": _DROPOUT,
    "max_PI": _OPTIMISER,
    "max_EI": _OPTIMISER,
    "max_UCB": _OPTIMISER,
}


def from_name(name: str) -> Callable[..., "ModalStrategy"]:
    """Return the constructor of the strategy that wraps modAL's measure.

    Raises:
        UnknownNameError: modAL has no such strategy, or it is not offered; says why.
        MissingDependencyError: modAL is not installed.
    """
    pick("modal", name, OFFERED, REFUSED)
    return partial(ModalStrategy, name)


class ModalStrategy:
    """A measure of modAL, of the task's model or of its committee.

    Args:
        name: Name of modAL's sampling function.
        n_members: Bagged refits, for measures of disagreement when the model has no members.
    """

    def __init__(self, name: str, n_members: int = 8) -> None:
        pick("modal", name, OFFERED, REFUSED)
        load()
        self.name, self.n_members = name, n_members

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return modAL's measure, higher is asked first, shape (N,); zeros without a model."""
        if state.proba is None:
            return np.zeros(state.N)
        module, name, sign = OFFERED[self.name]
        if module == "modAL.disagreement":
            shown = _Committee(committee_proba(state, rng, self.n_members))
        else:
            shown = _Committee(state.proba[None])
        measure = getattr(load(module), name)
        values: Floats = np.asarray(measure(shown, state.Z), dtype=np.float64)
        return sign * values


class _Committee:
    """Known probabilities (M, N, C) behind the methods that modAL's measures call."""

    def __init__(self, members: Floats) -> None:
        self.members = members
        self.classes_ = np.arange(members.shape[2])

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[Floats]:
        return iter(self.members)

    def predict_proba(self, X: Rows) -> Floats:
        mean: Floats = self.members.mean(axis=0)
        return mean

    def vote(self, X: Rows) -> Ints:
        votes: Ints = np.argmax(self.members, axis=2).T
        return votes

    def vote_proba(self, X: Rows) -> Floats:
        return np.moveaxis(self.members, 0, 1)
