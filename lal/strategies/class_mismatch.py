"""Class mismatch: rows that are likely of a class of the task, and between classes of it."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.state import QueryState
from lal.strategies.selection import ModelBatch, select_top
from lal.strategies.spaces import SPACES

STRANGE = 0.1
"""Before a row was refused, as similar as this quantile of the labelled rows is similar enough."""


class ClassMismatch(ModelBatch):
    """Similar to labelled rows, and not clearly of one class; for pools with unknown classes.

    With s the largest cosine similarity to a labelled row, the semantic score is the gate
    ``(1 - e^-k(s - t)) / (1 + e^-k(s - t))``; t is the largest similarity to a row that was refused
    (and before there is one, a quantile of what labelled rows have among themselves). The
    distinctive score is the lead of the nearest class over the next. The utility is semantic minus
    distinctive score, and a batch takes the predicted classes in turn. Source: Du, Zhao, Chen, Zhao
    & Zheng (2021), "Contrastive coding for active learning under class distribution mismatch"
    (CCAL), who train two contrastive encoders for the scores and do not use refused rows.

    Args:
        space: A name in `lal.strategies.spaces.SPACES`.
        steepness: k, of the gate.
    """

    def __init__(self, space: str = "view", steepness: float = 30.0) -> None:
        self.space, self.steepness = SPACES[space], steepness

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return semantic minus distinctive score, shape (N,); zeros before two classes."""
        if state.proba is None or len(np.unique(state.labels)) < 2:
            return np.zeros(state.N)
        points = self.space(state, type(self).__name__)
        unit = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
        similar = unit @ unit[state.labelled].T
        classes = [similar[:, state.labels == c].max(axis=1) for c in np.unique(state.labels)]
        second, first = np.sort(np.stack(classes), axis=0)[-2:]
        if len(state.refused):
            enough = (unit @ unit[state.refused].T).max(axis=1)
        else:
            among = similar[state.labelled] - 3.0 * np.eye(len(state.labelled))
            enough = np.quantile(among.max(axis=1), STRANGE)
        utilities: Floats = np.tanh(0.5 * self.steepness * (first - enough)) - (first - second)
        return utilities

    def batch(
        self, state: QueryState, rng: np.random.Generator, ties: np.random.Generator, size: int
    ) -> Ints:
        """Return the best rows of each predicted class in turn, shape (size,)."""
        order = select_top(self.utilities(state, rng), state.open, ties, len(state.open))
        codes = np.asarray(state.proba)[order].argmax(axis=1)
        turn = np.empty(len(order), dtype=np.int64)
        for code in np.unique(codes):
            turn[codes == code] = np.arange((codes == code).sum())
        best: Ints = order[np.argsort(turn, kind="stable")][:size]
        return best
