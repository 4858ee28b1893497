"""Typical rows of unlabelled clusters for the first labels, margin afterwards."""

from typing import ClassVar

import numpy as np

from lal.arrays import Floats, Ints
from lal.state import QueryState
from lal.strategies.farthest import exploration_labels
from lal.strategies.selection import select_top
from lal.strategies.uncertainty import Margin
from lal.task_kind import TASK_KINDS, TaskKind

NEIGHBOURS = 20
"""Neighbours within its cluster that a row's typicality is measured by, as in the source."""

MAX_CLUSTERS = 500
"""Upper limit of the number of clusters, as in the source."""


def typicality(Z: Floats, clusters: Ints) -> Floats:
    """Return the inverse mean distance to the nearest rows of the own cluster, shape (n,).

    Source: Hacohen, Dekel & Weinshall (2022), "Active learning on a budget: opposite strategies
    suit high and low budgets". A row that is alone in its cluster has 0.

    Args:
        Z: Encoded rows, shape (n, d).
        clusters: Their clusters, shape (n,).
    """
    from sklearn.neighbors import NearestNeighbors

    values = np.zeros(len(Z))
    for cluster in np.unique(clusters):
        rows = np.flatnonzero(clusters == cluster)
        k = min(NEIGHBOURS, len(rows) - 1)
        if k < 1:
            continue
        distance, _ = NearestNeighbors(n_neighbors=k).fit(Z[rows]).kneighbors()
        values[rows] = 1.0 / (distance.mean(axis=1) + 1e-12)
    return values


class TypiclustThenMargin:
    """Asks for the most typical row of the largest cluster without a label, later by margin.

    While exploring, the rows are cut into one more k-means cluster than there are labels. Only the
    reference set and the labelled rows are clustered, so a large pool costs no more. The start
    counts among the k labels, as in `FarthestThenMargin`.

    Args:
        k: Labels until margin takes over, at least 0; ``"2C"`` for twice the classes known. 7 came
            out best on synthetic sets, by no clear lead.
    """

    def __init__(self, k: int | str = 7) -> None:
        exploration_labels(k, 2)
        self.k = k

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return ranks by cluster and typicality while exploring, margins after, shape (N,)."""
        exploring = len(state.labelled) < exploration_labels(self.k, state.n_classes)
        if not exploring and state.proba is not None:
            return Margin().utilities(state, rng)
        return typiclust_utilities(state, 1, rng)


class Typiclust:
    """Asks for the most typical row of each of the largest clusters without a label.

    For a batch of b, the rows are cut into b more k-means clusters than there are labels. Source:
    Hacohen et al. (2022), see `typicality`.
    """

    kinds: ClassVar[tuple[TaskKind, ...]] = TASK_KINDS

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return ranks by cluster and typicality, shape (N,)."""
        return typiclust_utilities(state, 1, rng)

    def select_batch(
        self,
        state: QueryState,
        rng: np.random.Generator,
        ties: np.random.Generator,
        batch_size: int,
    ) -> Ints:
        """Return one row for each of the largest clusters without a label, shape (batch_size,)."""
        utilities = typiclust_utilities(state, batch_size, rng)
        return select_top(utilities, state.open, ties, batch_size)


def typiclust_utilities(state: QueryState, size: int, rng: np.random.Generator) -> Floats:
    """Return ranks by cluster and typicality for a batch of `size`, 0 outside R, shape (N,)."""
    rows = np.union1d(state.reference, state.labelled)
    rows = rows[rows < state.N]
    Z = state.Z[rows]
    clusters = _clusters(Z, len(state.labelled) + size, rng)
    utilities = np.zeros(state.N)
    utilities[rows] = _utilities(Z, clusters, np.isin(rows, state.labelled))
    return utilities


def _clusters(Z: Floats, n: int, rng: np.random.Generator) -> Ints:
    from sklearn.cluster import KMeans

    n = min(n, MAX_CLUSTERS, len(np.unique(Z, axis=0)))
    found: Ints = KMeans(n, n_init=1, random_state=int(rng.integers(2**31))).fit_predict(Z)
    return found


def _utilities(Z: Floats, clusters: Ints, labelled: np.ndarray) -> Floats:
    """Return 1 + typicality within (0, 1), and for each uncovered cluster's best a higher rank."""
    typical = typicality(Z, clusters)
    values = 1.0 + typical / (1.0 + typical)
    sizes = np.bincount(clusters)
    free = np.setdiff1d(np.arange(len(sizes)), clusters[labelled])
    for rank, cluster in enumerate(free[np.argsort(-sizes[free], kind="stable")]):
        rows = np.flatnonzero(clusters == cluster)
        best = values[rows].max()
        top = rows[values[rows] == best]
        values[top] = 3.0 + len(free) - rank
    return values
