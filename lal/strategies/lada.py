"""LADA: pairs of rows that are uncertain, and whose mixture is, too."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.pool import dense
from lal.state import QueryState
from lal.strategies.selection import ModelBatch, select_top
from lal.strategies.uncertainty import entropy_utility

SHARES = np.linspace(0.1, 0.9, 9)
"""Shares of the first row in a mixture."""


class LookAheadAugmentation(ModelBatch):
    """Look-ahead data acquisition: pairs by their entropies and that of their best mixture.

    ``H(x_i) + H(x_j) + max_s H(s x_i + (1 - s) x_j)`` among the rows of largest entropy, twice as
    many as are wanted. Both rows of a pair are labelled and paid for. Source: Kim, Song, Jang &
    Moon (2021), "LADA: look-ahead data acquisition via augmentation for deep active learning", with
    a grid in place of the learned shares.
    """

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the entropy, shape (N,): one row alone has no partner; zeros without a model."""
        return np.zeros(state.N) if state.proba is None else entropy_utility(state.proba)

    def batch(
        self, state: QueryState, rng: np.random.Generator, ties: np.random.Generator, size: int
    ) -> Ints:
        """Return the rows of the best pairs, pair after pair, shape (size,)."""
        entropy = self.utilities(state, rng)
        rows = select_top(entropy, state.open, ties, min(2 * size, len(state.open)))
        values = entropy[rows][:, None] + entropy[rows] + self.mixture_entropy(state, rows)
        first, second = np.triu_indices(len(rows), 1)
        order = np.argsort(-values[first, second], kind="stable")
        chosen: list[int] = []
        for place in order:
            pair = {int(first[place]), int(second[place])}
            if not pair & set(chosen) and len(chosen) + 2 <= size:
                chosen.extend(sorted(pair))
        rest = [place for place in range(len(rows)) if place not in chosen]
        return rows[np.array((chosen + rest)[:size], dtype=np.int64)]

    def mixture_entropy(self, state: QueryState, rows: Ints) -> Floats:
        """Return the largest entropy of a mixture of each two rows, shape (n, n)."""
        if state.model is None:
            raise UsageError(
                "LookAheadAugmentation asks the model about mixtures, and only probabilities were "
                "given; pass a classifier"
            )
        X = dense(state.X)[rows]
        best = np.zeros((len(rows), len(rows)))
        for share in SHARES:
            mixed = share * X[:, None] + (1.0 - share) * X[None]
            proba = state.model.predict_proba(mixed.reshape(-1, X.shape[1]))
            np.maximum(best, entropy_utility(proba).reshape(best.shape), out=best)
        return best
