"""What-if service: what the learner would predict if rows had labels, by refitting it."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.pool import take
from lal.state import QueryState
from lal.strategies.uncertainty import margin_utility

REFITS = 80
"""Refits for one row of a query, at most."""

REFERENCE = 200
"""Open rows whose predictions are looked at, at most."""


class WhatIf:
    """Refits the learner of a state with further labels; its seed is the same for all refits.

    Args:
        state: A state with a learner.
        who: Asks for it, for the message.
        rng: Draws the seed, the rows that are tried and those that are looked at.

    Raises:
        UsageError: The state has no learner to refit.
    """

    def __init__(self, state: QueryState, who: str, rng: np.random.Generator) -> None:
        if state.learner is None:
            raise UsageError(
                f"{who} refits the learner, and only probabilities were given; pass a classifier"
            )
        self.state, self.seed = state, int(rng.integers(2**31))
        self.tried = some(state.open, max(REFITS // state.n_classes, 2), rng)
        self.reference = some(state.open, REFERENCE, rng)

    def proba(self, rows: Ints, codes: Ints, on: Ints) -> Floats:
        """Return probabilities of rows `on` if `rows` had the labels `codes`, shape (n, C)."""
        state, weight = self.state, self.state.sample_weight
        known = np.append(state.labelled, rows)
        model = state.learner.fit(
            take(state.X, known),
            np.append(state.labels, codes),
            n_classes=state.n_classes,
            sample_weight=None if weight is None else np.append(weight, np.ones(len(rows))),
            seed=self.seed,
        )
        proba: Floats = model.predict_proba(take(state.X, on))
        return proba

    def table(self, on: Ints) -> Floats:
        """Return probabilities of rows `on` for each row tried and each label, (n, C, on, C)."""
        return np.stack(
            [
                [
                    self.proba(np.array([row]), np.array([c]), on)
                    for c in range(self.state.n_classes)
                ]
                for row in self.tried
            ]
        )

    def scatter(self, values: Floats) -> Floats:
        """Return values of the rows tried; all others are below them, by margin, shape (N,).

        A batch that is larger than the rows tried is thus filled with the smallest margins.
        """
        proba = self.state.proba
        margins = np.zeros(self.state.N) if proba is None else margin_utility(proba)
        full: Floats = values.min() - 1.0 + margins
        full[self.tried] = values
        return full


def some(rows: Ints, most: int, rng: np.random.Generator) -> Ints:
    """Return all rows, or so many drawn at random, in their order."""
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))
