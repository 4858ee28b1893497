"""Tiles of a slide: every kind of texture once before any of them twice, uncertain ones first."""

from typing import ClassVar

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.features.geometry import squared_distances
from lal.features.labelled import unchanged
from lal.state import QueryState
from lal.strategies.regions import pixel_mean, region_pixels
from lal.strategies.uncertainty import entropy_utility


class RegionClusters:
    """Prefers regions of clusters with few labelled ones, typical and uncertain within them.

    ``-n_c + t H``: n_c labelled regions of the cluster c that k-means puts the region in,
    ``t = exp(-|z - centre_c|^2 / v)`` with v the mean square over the reference set, and H the mean
    entropy of the pixels over log C (1 before there is a model, so that it begins without a label).
    In a batch, n_c counts what is taken. Source: Lai et al. (2021), "Joint semi-supervised and
    active learning for segmentation of gigapixel pathology images with cost-effective labeling",
    whose formula was not seen: regions that widen the diversity of those labelled, while a
    semi-supervised learner (here ``segmentation`` on ``pseudo_labels``) uses the others.

    Args:
        n_clusters: At least 2. Chosen on slides of five classes, 24 runs of ten labelled tiles.
    """

    batch_rule: ClassVar[str] = "greedy"

    def __init__(self, n_clusters: int = 8) -> None:
        if n_clusters < 2:
            raise UsageError(f"n_clusters must be at least 2, got {n_clusters}")
        self.n_clusters = n_clusters

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the utility of every region, shape (N,)."""
        clusters, typical = state.geometry.memo(
            f"region clusters {self.n_clusters} {state.N}", lambda: self.clusters(state)
        )
        counts = np.bincount(clusters[state.labelled], minlength=self.n_clusters)[clusters]
        return typical * self.uncertainty(state) - counts

    def uncertainty(self, state: QueryState) -> Floats:
        """Return the mean entropy of the pixels over log C, 1 before there is a model, (N,)."""
        if state.proba is None:
            return np.ones(state.N)

        def make() -> Floats:
            proba = region_pixels(state, "region_clusters")
            uncertainty: Floats = pixel_mean(entropy_utility, proba) / np.log(proba.shape[2])
            return uncertainty

        return state.memo("region_clusters.uncertainty", make, unchanged)

    def clusters(self, state: QueryState) -> tuple[Ints, Floats]:
        """Return the cluster and the typicality t of every region, two (N,)."""
        from sklearn.cluster import KMeans

        hashes = state.geometry.view.hashes()[state.reference]
        rows = state.geometry.Z_reference[np.argsort(hashes)]  # whatever the order of the rows
        n = min(self.n_clusters, len(np.unique(rows, axis=0)))
        centres = KMeans(n, n_init=4, random_state=0).fit(rows).cluster_centers_
        squares = squared_distances(state.Z, centres)
        scale = squared_distances(rows, centres).min(axis=1).mean()
        found: Ints = squares.argmin(axis=1)
        return found, np.exp(-squares.min(axis=1) / max(float(scale), 1e-12))
