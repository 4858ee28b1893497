"""ProbCover: the rows whose neighbourhoods cover most of the pool."""

import numpy as np

from lal.arrays import Bools, Floats, Ints
from lal.errors import UsageError
from lal.features.geometry import squared_distances
from lal.state import QueryState
from lal.strategies.spaces import Selector, SpaceStrategy


class ProbCover(SpaceStrategy):
    """Asks for the row whose ball covers most rows that no labelled or chosen row covers.

    The radius is the largest at which a share `purity` of the balls lies within one k-means
    cluster. Only the reference set and the labelled rows are covered and chosen. Where nothing is
    left to cover, the row farthest from those taken comes first. Source: Yehuda, Dekel, Hacohen &
    Weinshall (2022), "Active learning through a covering lens".

    Args:
        space: A name in `lal.strategies.spaces.SPACES`.
        purity: Share of pure balls, in (0, 1).
    """

    def __init__(self, space: str = "view", purity: float = 0.95) -> None:
        super().__init__(space)
        if not 0.0 < purity < 1.0:
            raise UsageError(f"purity must lie in (0, 1), got {purity}")
        self.purity = purity

    def begin(self, state: QueryState, rng: np.random.Generator, size: int) -> Selector:
        """Return the balls of the reference set and what is covered already."""
        rows = np.union1d(state.reference, state.labelled)
        rows = rows[rows < state.N]
        points = self.points(state)[rows]
        distance = np.sqrt(squared_distances(points, points))
        radius = pure_radius(distance, _clusters(points, state.n_classes, rng), self.purity)
        return Balls(rows, distance, radius, state)


def pure_radius(distance: Floats, clusters: Ints, purity: float) -> float:
    """Return the largest radius at which a share `purity` of the balls lies within one cluster.

    A ball is pure below the distance of its centre to the nearest row of another cluster.
    """
    foreign = np.where(clusters[:, None] != clusters, distance, np.inf).min(axis=1)
    foreign = foreign[np.isfinite(foreign)]
    return float(np.quantile(foreign, 1.0 - purity)) if len(foreign) else 0.0


class Balls:
    """Counts of uncovered rows in each row's ball."""

    def __init__(self, rows: Ints, distance: Floats, radius: float, state: QueryState) -> None:
        self.rows, self.distance, self.n = rows, distance, state.N
        self.near: Bools = distance <= radius
        self.open = np.ones(len(rows), dtype=bool)
        self.nearest = np.full(len(rows), distance.max(initial=0.0))
        for row in state.labelled:
            self.take(int(row))

    def utilities(self) -> Floats:
        """Return counts plus a fraction for the distance to what is taken; -1 outside, (N,)."""
        values = np.full(self.n, -1.0)
        counts = self.near[:, self.open].sum(axis=1)
        values[self.rows] = counts + 0.5 * self.nearest / (1.0 + self.nearest)
        return values

    def take(self, row: int) -> None:
        """Cover a row's ball."""
        place = np.flatnonzero(self.rows == row)
        if len(place):  # a row outside the reference set covers nothing that is counted
            self.open &= ~self.near[place[0]]
            np.minimum(self.nearest, self.distance[place[0]], out=self.nearest)


def _clusters(points: Floats, n_classes: int, rng: np.random.Generator) -> Ints:
    from sklearn.cluster import KMeans

    n = min(max(n_classes, 2), len(np.unique(points, axis=0)))
    found: Ints = KMeans(n, n_init=1, random_state=int(rng.integers(2**31))).fit_predict(points)
    return found
