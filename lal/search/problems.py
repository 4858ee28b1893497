"""What is searched: rows, hidden targets, and the model that the searcher believes in."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from lal.arrays import Bools, Floats, Ints
from lal.errors import UsageError
from lal.search.models import EnumeratedModel, NeighbourModel, SearchModel, ising_model


@dataclass(frozen=True, eq=False)
class SearchProblem:
    """A search.

    Attributes:
        neighbours: Which rows are neighbours, shape (N, N).
        targets: Which rows are targets, 0 or 1, shape (N,); hidden.
        known: Labels before the first step: 0, 1, or -1 where there is none, shape (N,).
        model: What the searcher believes.
    """

    neighbours: Bools
    targets: Ints
    known: Ints
    model: SearchModel


@dataclass(frozen=True)
class ClusteredSearch:
    """Rows in the plane in clusters, a few of which hold most targets.

    One target is known from the beginning. Neighbours are the nearest rows; the model is
    `NeighbourModel`.

    Attributes:
        n: Rows N.
        n_clusters: Clusters of equal chance.
        n_rich: Clusters that are rich in targets.
        rich: Share of targets in those.
        poor: Share of targets in the others.
        n_neighbours: Nearest rows that count.
    """

    n: int = 60
    n_clusters: int = 8
    n_rich: int = 2
    rich: float = 0.8
    poor: float = 0.05
    n_neighbours: int = 6

    def __call__(self, rng: np.random.Generator) -> SearchProblem:
        """Return a new search."""
        centres = rng.uniform(-4.0, 4.0, (self.n_clusters, 2))
        cluster = rng.integers(self.n_clusters, size=self.n)
        X = centres[cluster] + 0.6 * rng.normal(size=(self.n, 2))
        share = np.where(cluster < self.n_rich, self.rich, self.poor)
        targets = (rng.random(self.n) < share).astype(np.int64)
        if not targets.any():
            targets[int(rng.integers(self.n))] = 1
        known = np.full(self.n, -1)
        known[int(rng.choice(np.flatnonzero(targets)))] = 1
        neighbours = nearest(X, self.n_neighbours)
        return SearchProblem(neighbours, targets, known, NeighbourModel(neighbours))


@dataclass(frozen=True)
class SmallGraph:
    """Twelve rows on a ring with chords; targets are drawn from the model, an Ising prior.

    The model is then right, and the best search of all can be computed
    (`lal.search.strategies.optimal`).

    Attributes:
        n: Rows N, at most 14.
        coupling: How much neighbours agree; see `ising_model`.
        field: Below 0: targets are rare.
    """

    n: int = 12
    coupling: float = 1.5
    field: float = -0.3

    def __call__(self, rng: np.random.Generator) -> SearchProblem:
        """Return a new labelling of the graph."""
        neighbours, model = _ring(self.n, self.coupling, self.field)
        return SearchProblem(neighbours, model.draw(rng), np.full(self.n, -1), model)


@lru_cache(maxsize=8)
def _ring(n: int, coupling: float, field: float) -> tuple[Bools, EnumeratedModel]:
    if n < 4:
        raise UsageError(f"a small graph needs at least 4 rows, got {n}")
    around = np.arange(n)
    edges = np.zeros((n, n), dtype=np.bool_)
    edges[around, (around + 1) % n] = True
    edges[around[::4], (around[::4] + 2) % n] = True  # chords, so that rows differ
    edges |= edges.T
    return edges, ising_model(edges, coupling=coupling, field=field)


def nearest(X: Floats, k: int) -> Bools:
    """Return which rows are among each other's k nearest, either way round, shape (N, N)."""
    squares = ((X[:, None] - X[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    near = np.zeros(squares.shape, dtype=np.bool_)
    np.put_along_axis(near, np.argsort(squares, axis=1, kind="stable")[:, :k], True, axis=1)
    both: Any = near | near.T
    return both  # type: ignore[no-any-return]
