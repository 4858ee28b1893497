"""DropQuery: one row for each cluster of those whose predictions change under dropout."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.learners.capabilities import require_capability
from lal.state import QueryState
from lal.strategies.selection import check_size, select_top
from lal.strategies.spaces import embedding


class DropQuery:
    """Drops parts of the embedding, and clusters the rows whose predicted label then changes.

    Rows whose label changes under more than half of the masks are candidates; the row nearest to
    each centre of k-means among them is chosen. Source: Gupta, Vasconcelos, Leong & others (2024),
    "Revisiting active learning in the era of vision foundation models".

    Args:
        n_masks: Dropout masks.
        rate: Share of the embedding that a mask drops, in (0, 1).
    """

    def __init__(self, n_masks: int = 3, rate: float = 0.75) -> None:
        if n_masks < 1 or not 0.0 < rate < 1.0:
            raise UsageError(f"expected n_masks >= 1, 0 < rate < 1; got {n_masks} and {rate}")
        self.n_masks, self.rate = n_masks, rate

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return how near a row is to the mean candidate; others below by inconsistency, (N,)."""
        return self._utilities(state, rng, 1)

    def select_batch(
        self,
        state: QueryState,
        rng: np.random.Generator,
        ties: np.random.Generator,
        batch_size: int,
    ) -> Ints:
        """Return one row a cluster of the candidates, shape (batch_size,)."""
        check_size(batch_size, len(state.open))
        return select_top(self._utilities(state, rng, batch_size), state.open, ties, batch_size)

    def _utilities(self, state: QueryState, rng: np.random.Generator, size: int) -> Floats:
        if state.proba is None:
            return np.zeros(state.N)
        points = embedding(state, "DropQuery")
        changed = self._changed(state, points, rng)
        candidates = state.open[changed[state.open] > 0.5]
        if len(candidates) > size:
            chosen = nearest_to_centres(points[candidates], size, rng)
            changed[candidates[chosen[0]]] = 2.0 + 1.0 / (1.0 + chosen[1])
        return changed

    def _changed(self, state: QueryState, points: Floats, rng: np.random.Generator) -> Floats:
        """Return the share of masks under which the predicted label changes, shape (N,)."""
        labels = require_capability(state, "head_proba", "DropQuery", points).argmax(axis=1)
        changed = np.zeros(state.N)
        for _ in range(self.n_masks):
            kept = rng.random(points.shape) >= self.rate
            dropped = points * kept / (1.0 - self.rate)
            proba = require_capability(state, "head_proba", "DropQuery", dropped)
            changed += proba.argmax(axis=1) != labels
        share: Floats = changed / self.n_masks
        return share


def nearest_to_centres(points: Floats, n: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Return the point nearest to each of n k-means centres and its distance, without repeats."""
    from sklearn.cluster import KMeans

    n = min(n, len(np.unique(points, axis=0)))
    model = KMeans(n, n_init=1, random_state=int(rng.integers(2**31))).fit(points)
    distance = model.transform(points)
    rows, where = np.unique(distance.argmin(axis=0), return_index=True)
    return rows, distance[rows, where]
