"""Fisher kernel: unlabelled rows that resemble those the model gets wrong."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.learners.capabilities import require_capability
from lal.pool import take
from lal.state import QueryState
from lal.strategies.selection import ModelBatch, select_top
from lal.strategies.spaces import Farthest, embedding


class FisherKernel(ModelBatch):
    """Centres of the labelled rows that are predicted wrong, and the rows most similar to each.

    Similarity is the correlation of embeddings plus that of the last layer's gradients. Each
    labelled row is predicted by the learner refitted without its half of the labels, so that no
    label is spent on validation. Source: Gudovskiy, Hodgkinson, Yamaguchi & Tsukizawa (2020),
    "Deep active learning for biased datasets via Fisher kernel self-supervision".
    """

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the similarity to the wrongly predicted row of largest uncertainty, shape (N,)."""
        if state.proba is None:
            return np.zeros(state.N)
        nearest: Floats = self._similarities(state, rng, 1)[0]
        return nearest

    def batch(
        self, state: QueryState, rng: np.random.Generator, ties: np.random.Generator, size: int
    ) -> Ints:
        """Return the rows most similar to each centre in turn, shape (size,)."""
        similar, left, chosen = self._similarities(state, rng, size), state.open, []
        for turn in range(size):
            row = int(select_top(similar[turn % len(similar)], left, ties)[0])
            left = left[left != row]
            chosen.append(row)
        return np.array(chosen, dtype=np.int64)

    def _similarities(self, state: QueryState, rng: np.random.Generator, size: int) -> Floats:
        """Return the similarity of all rows to each of at most `size` centres, (k, N)."""
        points = embedding(state, "FisherKernel")
        gradients = require_capability(state, "gradient_embedding", "FisherKernel")
        true = out_of_fold_proba(state, rng)
        wrong = np.flatnonzero(true < 0.5)
        wrong = wrong if len(wrong) else np.array([true.argmin()])
        both = np.hstack([_standard(points), _standard(gradients)])
        first = wrong[true[wrong].argmin()]
        selector = Farthest(both[state.labelled[wrong]], np.flatnonzero(wrong == first))
        centres = [int(first)]
        while len(centres) < min(size, len(wrong)):
            place = int(selector.utilities().argmax())
            selector.take(place)
            centres.append(int(wrong[place]))
        similar: Floats = both[state.labelled[centres]] @ both.T
        return similar


def out_of_fold_proba(state: QueryState, rng: np.random.Generator) -> Floats:
    """Return the probability of the true class of each labelled row, its half left out, (L,).

    Raises:
        UsageError: The state has no learner to refit.
    """
    if state.learner is None:
        raise UsageError(
            "FisherKernel refits the learner to halves of the labels, and only probabilities were "
            "given; pass a classifier"
        )
    half = by_content(state)
    true = np.empty(len(half))
    for held in (half, ~half):
        rows, codes = state.labelled[~held], state.labels[~held]
        model = state.learner.fit(
            take(state.X, rows), codes, n_classes=state.n_classes, seed=int(rng.integers(2**31))
        )
        proba = model.predict_proba(take(state.X, state.labelled[held]))
        true[held] = proba[np.arange(len(proba)), state.labels[held]]
    return true


def by_content(state: QueryState) -> np.ndarray:
    """Return which labelled rows are in the first half, by their content, shape (L,)."""
    hashes = state.geometry.view.hashes()[state.labelled]
    half: np.ndarray = np.argsort(np.argsort(hashes)) % 2 == 0  # the order of rows has no part
    return half


def _standard(points: Floats) -> Floats:
    """Return rows of mean 0 and length 1, so that products are correlations."""
    centred = points - points.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    scaled: Floats = centred / np.where(length > 0, length, 1.0)
    return scaled
