"""MADA: rows of a target domain that are far from everything in the source domain."""

import numpy as np

from lal.arrays import Floats, Rows
from lal.errors import UsageError
from lal.features.geometry import squared_distances
from lal.state import QueryState


class MultiAnchor:
    """Prefers rows far from the nearest of several anchors of the source domain.

    ``min_k |z(x) - a_k|^2``, with a_k the centres of k-means over the rows of the source, which the
    learner "with_source" has. One anchor is the centre of the source; several suit a source of
    several modes. Source: Ning et al. (2021), "Multi-anchor active domain adaptation for semantic
    segmentation", equations 1 to 3; for rows in place of images, whose features are the view in
    place of a network's, and without the loss that pulls target features to anchors.

    Args:
        n_anchors: K, at least 1; 10 in the source.
    """

    def __init__(self, n_anchors: int = 10) -> None:
        if n_anchors < 1:
            raise UsageError(f"n_anchors must be at least 1, got {n_anchors}")
        self.n_anchors = n_anchors

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return squared distances to the nearest anchor, shape (N,).

        Without a source they are 0 as long as there is no model.

        Raises:
            UsageError: The learner, or the outermost of several, has no source domain.
        """
        source = getattr(state.learner, "source_X", None)
        if source is None:
            if state.proba is None:
                return np.zeros(state.N)
            name = getattr(state.learner, "name", "the classifier that was given")
            raise UsageError(
                "mada needs a learner with labelled rows of a source domain (its X and y), which "
                f"{name} does not have; learners that have it: 'with_source', around all others"
            )
        anchors = state.geometry.memo(
            f"mada anchors {self.n_anchors}", lambda: self.anchors(state, source)
        )
        nearest: Floats = squared_distances(state.Z, anchors).min(axis=1)
        return nearest

    def anchors(self, state: QueryState, source: Rows) -> Floats:
        """Return the centres of the source in the view of the pool, shape (K, d)."""
        from sklearn.cluster import KMeans

        Z = state.geometry.encode(source)
        n = min(self.n_anchors, len(np.unique(Z, axis=0)))
        centres: Floats = KMeans(n, n_init=4, random_state=0).fit(Z).cluster_centers_
        return centres
