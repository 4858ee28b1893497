"""Query by committee: disagreement of the model's members or of bagged refits."""

from typing import Literal

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.pool import take
from lal.state import QueryState
from lal.strategies.uncertainty import entropy_utility
from lal.task import Model


def consensus_divergence(members: Floats) -> Floats:
    """Return the mean Kullback-Leibler divergence of members from their mean, in nats.

    Equal to the mutual information ``H(mean) - mean(H)``, hence in [0, log C].
    Source: McCallum & Nigam (1998), "Employing EM and pool-based active learning for text
    classification".

    Args:
        members: Probabilities, shape (M, N, C).
    """
    n_members, n_rows, n_classes = members.shape
    single = entropy_utility(members.reshape(-1, n_classes)).reshape(n_members, n_rows)
    spread: Floats = entropy_utility(members.mean(axis=0)) - single.mean(axis=0)
    return spread.clip(min=0.0)


def vote_entropy(members: Floats) -> Floats:
    """Return the entropy of the members' votes in nats, in [0, log min(M, C)].

    Source: Dagan & Engelson (1995), "Committee-based sampling for training probabilistic
    classifiers".

    Args:
        members: Probabilities, shape (M, N, C); a member votes for its likeliest class.
    """
    return entropy_utility(vote_shares(members))


def vote_shares(members: Floats) -> Floats:
    """Return the share of members whose likeliest class is each class, (M, N, C) to (N, C)."""
    votes = np.argmax(members, axis=2)
    return np.stack([(votes == c).mean(axis=0) for c in range(members.shape[2])], axis=1)


def bagged_models(state: QueryState, rng: np.random.Generator, n_members: int) -> list[Model]:
    """Return the state's learner refitted to bootstraps of the labelled rows.

    Source: Abe & Mamitsuka (1998), "Query learning strategies using boosting and bagging".

    Raises:
        UsageError: The state has no learner to refit.
    """
    if state.learner is None:
        raise UsageError(
            "a committee needs a model with members (a forest, bagging) or a learner to refit; "
            "only probabilities were given, so pass a classifier"
        )
    weight = state.sample_weight
    models = []
    for _ in range(n_members):
        drawn = rng.integers(len(state.labelled), size=len(state.labelled))
        models.append(
            state.learner.fit(
                take(state.X, state.labelled[drawn]),
                state.labels[drawn],
                n_classes=state.n_classes,
                sample_weight=None if weight is None else weight[drawn],
                seed=int(rng.integers(2**31)),
            )
        )
    return models


def committee_proba(state: QueryState, rng: np.random.Generator, n_members: int) -> Floats:
    """Return the model's own members' probabilities, or those of bagged refits, (M, N, C)."""
    if state.committee is not None:
        return state.committee
    models = bagged_models(state, rng, n_members)
    return np.stack([model.predict_proba(state.X) for model in models])


class QueryByCommittee:
    """Asks where the members of a committee disagree most.

    Members are the model's own (the trees of a forest); a model without members is refitted to
    bootstraps of the labelled rows.

    Args:
        method: ``"kl"`` (`consensus_divergence`) or ``"vote_entropy"``.
        n_members: Bagged refits, where the model has no members; at least 2.
    """

    def __init__(self, method: Literal["kl", "vote_entropy"] = "kl", n_members: int = 8) -> None:
        formulas = {"kl": consensus_divergence, "vote_entropy": vote_entropy}
        if method not in formulas:
            raise UsageError(f"method must be one of {', '.join(formulas)}, got {method!r}")
        if n_members < 2:
            raise UsageError(f"a committee needs at least 2 members, got {n_members}")
        self.formula = formulas[method]
        self.n_members = n_members

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the disagreement on every row, shape (N,); zeros before two classes are seen."""
        if state.proba is None:
            return np.zeros(state.N)
        return self.formula(committee_proba(state, rng, self.n_members))
