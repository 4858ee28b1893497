"""Cartography: rows near the border between labelled rows learned early and those learned late."""

import numpy as np

from lal.arrays import Floats
from lal.learners.capabilities import TrainingDiary, require_capability
from lal.state import QueryState
from lal.strategies.spaces import embedding
from lal.strategies.uncertainty import margin_utility

EARLY = 1.0 / 3.0
"""Share of the epochs that count; after all of them most rows are easy."""

HARD = 0.2
"""Correctness up to which a labelled row is hard to learn."""


def correctness(diary: TrainingDiary) -> Floats:
    """Return the share of early epochs in which a labelled row was right, in steps of 0.2, (L,)."""
    n_epochs = max(int(np.ceil(EARLY * len(diary.correct))), 1)
    share: Floats = np.round(5.0 * diary.correct[:n_epochs].mean(axis=0)) / 5.0
    return share


class Cartography:
    """Cartography active learning: a classifier tells hard from easy labelled rows.

    It sees what the model's last layer sees; asked for are the rows of which it is least sure.
    Where all labelled rows are hard, or none is, this is margin sampling. Source: Zhang & Plank
    (2021), "Cartography active learning".
    """

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return ``-|p - 1/2|`` with p = P(hard), or margins, shape (N,); zeros without a model."""
        from sklearn.linear_model import LogisticRegression

        if state.proba is None:
            return np.zeros(state.N)
        diary: TrainingDiary = require_capability(state, "diary", "Cartography")
        hard = correctness(diary) <= HARD + 1e-9
        if hard.all() or not hard.any():
            return margin_utility(state.proba)
        points = embedding(state, "Cartography")
        points = (points - points.mean(axis=0)) / np.maximum(points.std(axis=0), 1e-9)
        model = LogisticRegression(max_iter=1000, tol=1e-6).fit(points[state.labelled], hard)
        unsure: Floats = -np.abs(model.predict_proba(points)[:, 1] - 0.5)
        return unsure
