"""Consistency: rows whose predictions change under slight changes of the row."""

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.pool import dense
from lal.state import QueryState


class Consistency:
    """Asks for the largest variance of the predictions over augmented copies of a row.

    ``C(x) = sum_y Var_k p(y | x_k)``, x_k the row with noise. A model that does not change under
    noise has C = 0. Source: Gao, Zhang, Yu, Arik, Davis & Pfister (2020), "Consistency-based
    semi-supervised active learning".

    Args:
        n_copies: At least 2.
        noise: Standard deviation, in those of the columns.
    """

    def __init__(self, n_copies: int = 10, noise: float = 0.1) -> None:
        if n_copies < 2 or noise <= 0.0:
            raise UsageError(f"expected n_copies >= 2 and noise > 0, got {n_copies} and {noise}")
        self.n_copies, self.noise = n_copies, noise

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return C of every row, shape (N,); zeros without a model."""
        if state.proba is None or state.model is None:
            return np.zeros(state.N)
        X = dense(state.X)
        size = self.noise * X.std(axis=0)
        copies = [
            state.model.predict_proba(X + size * rng.normal(size=X.shape))
            for _ in range(self.n_copies)
        ]
        change: Floats = np.var(copies, axis=0).sum(axis=1)
        return change
