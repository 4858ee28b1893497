"""AcMR-style: models of other tasks vote, and lose weight with each label that they got wrong."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.state import QueryState
from lal.strategies.uncertainty import entropy_utility


class ModelReuse:
    """Asks where a weighted vote of source models and of the present one is most divided.

    A model's weight is ``exp(-rate * sum of (1 - p(label)))`` over the labels so far, so that an
    adversarial source is soon without a say. Without sources this is entropy sampling. The rule of
    the weights is the multiplicative one of online learning; the paper's was not seen. Source: Shi
    & Li (2019), "Rapid performance gain through active model reuse".

    Args:
        sources: Models with ``predict_proba(X)`` over the same classes, in order of their codes.
        rate: Above 0.
    """

    def __init__(self, sources: Sequence[Any] = (), rate: float = 1.0) -> None:
        if rate <= 0.0:
            raise UsageError(f"rate must be above 0, got {rate}")
        self.sources, self.rate = tuple(sources), rate

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the entropy of the vote, shape (N,); zeros without sources and model."""
        if not self.sources and state.proba is None:
            return np.zeros(state.N)
        return entropy_utility(self.vote(state))

    def vote(self, state: QueryState) -> Floats:
        """Return the weighted mean of all models' probabilities, shape (N, C)."""
        members = [np.asarray(source.predict_proba(state.X)) for source in self.sources]
        own = state.proba
        shapes = {member.shape for member in members} | ({own.shape} if own is not None else set())
        if len(shapes) > 1:
            raise UsageError(
                f"ModelReuse needs models over the same classes, got probabilities of shapes "
                f"{sorted(shapes)}; make the task with classes_known=True"
            )
        weights = source_weights(np.stack(members), state, self.rate) if members else np.zeros(0)
        if own is None:
            mean: Floats = np.einsum("m,mnc->nc", weights / weights.sum(), np.stack(members))
            return mean
        # The present model has seen the labels, so they cannot judge it: its share is fixed.
        share = 1.0 / (len(members) + 1)
        total = share * own
        for weight, member in zip(weights, members, strict=True):
            total = total + (1.0 - share) * weight / weights.sum() * member
        return total


def source_weights(members: Floats, state: QueryState, rate: float) -> Floats:
    """Return the weights of models after all labels, the best one's 1, shape (M,).

    Args:
        members: Their probabilities, shape (M, N, C).
        state: Has the labels.
        rate: Of the exponential.
    """
    wrong = (1.0 - members[:, state.labelled, state.labels]).sum(axis=1)
    weights: Floats = np.exp(-rate * (wrong - wrong.min()))
    return weights
