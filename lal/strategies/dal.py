"""DAL: rows that a classifier tells apart from the labelled ones."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.state import QueryState
from lal.strategies.selection import check_size, select_top
from lal.strategies.spaces import SPACES


class DiscriminativeSampling:
    """Discriminative active learning: asks for the largest P(unlabelled | x).

    A batch is taken in parts; rows of one part are on the labelled side when the classifier is
    fitted for the next, so that the batch spreads. Source: Gissin & Shalev-Shwartz (2019),
    "Discriminative active learning".

    Args:
        space: A name in `lal.strategies.spaces.SPACES`.
        n_parts: Parts of a batch.
    """

    def __init__(self, space: str = "view", n_parts: int = 10) -> None:
        if n_parts < 1:
            raise UsageError(f"n_parts must be at least 1, got {n_parts}")
        self.space, self.n_parts = SPACES[space], n_parts

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the logit of being unlabelled, shape (N,); zeros without a label."""
        return unlabelled_logits(self.space(state, "DiscriminativeSampling"), state.labelled)

    def select_batch(
        self,
        state: QueryState,
        rng: np.random.Generator,
        ties: np.random.Generator,
        batch_size: int,
    ) -> Ints:
        """Return the batch, part after part, shape (batch_size,)."""
        check_size(batch_size, len(state.open))
        points, taken, left = (
            self.space(state, "DiscriminativeSampling"),
            state.labelled,
            state.open,
        )
        chosen: list[int] = []
        for part in np.array_split(np.arange(batch_size), min(self.n_parts, batch_size)):
            rows = select_top(unlabelled_logits(points, taken), left, ties, len(part))
            taken, left = np.union1d(taken, rows), np.setdiff1d(left, rows)
            chosen.extend(rows.tolist())
        return np.array(chosen, dtype=np.int64)


def unlabelled_logits(points: Floats, labelled: Ints) -> Floats:
    """Return a logistic regression's logits of having no label, shape (N,).

    Both sides weigh the same, however many rows they have.
    """
    from sklearn.linear_model import LogisticRegression

    without = np.ones(len(points), dtype=np.int64)
    without[labelled] = 0
    if without.min() == without.max():
        return np.zeros(len(points))
    model = LogisticRegression(class_weight="balanced", C=0.1, max_iter=5000, tol=1e-5)
    logits: Floats = model.fit(points, without).decision_function(points)
    return logits
