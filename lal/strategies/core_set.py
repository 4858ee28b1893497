"""Core-set selection: greedy k-centre, and the robust version as integer programs."""

import numpy as np

from lal.arrays import Bools, Floats, Ints
from lal.errors import UsageError
from lal.features.geometry import squared_distances
from lal.state import QueryState
from lal.strategies.selection import check_size
from lal.strategies.spaces import Farthest, Selector, SpaceStrategy
from lal.task_kind import CLASSIFICATION, TASK_KINDS, TaskKind

MOST = 200
"""Open rows that an integer program chooses among."""

SECONDS = 2.0
"""Time limit of one integer program; a radius not shown to be feasible counts as too small."""


class CoreSet(SpaceStrategy):
    """Core-set, greedy: the row farthest from all that are labelled or chosen.

    The largest distance of a row to the nearest labelled one is at most twice what the best batch
    would leave. Source: Sener & Savarese (2018), "Active learning for convolutional neural
    networks: a core-set approach".

    Args:
        space: ``"view"``, in which classes without a label are found more often, or
            ``"embedding"``, as in the paper.
    """

    kinds: tuple[TaskKind, ...] = TASK_KINDS

    def __init__(self, space: str = "view") -> None:
        super().__init__(space)
        if space != "view":  # regressors have no last layer
            self.kinds = (CLASSIFICATION,)

    def begin(self, state: QueryState, rng: np.random.Generator, size: int) -> Selector:
        """Return distances to the labelled rows."""
        return Farthest(self.points(state), state.labelled)


class RobustCoreSet(CoreSet):
    """Core-set, robust: the smallest radius that covers all rows but a few outliers.

    A binary search over the radius, each step one integer program, between half the greedy radius
    and the greedy one. The program sees the labelled rows and at most `MOST` open rows of the
    reference set. One row alone is the greedy one. Source: section 4.3 of Sener & Savarese (2018).

    Args:
        space: As for the greedy version.
        outliers: Share of the rows that may stay uncovered, in [0, 1).
    """

    def __init__(self, space: str = "view", outliers: float = 0.01) -> None:
        super().__init__(space)
        if not 0.0 <= outliers < 1.0:
            raise UsageError(f"outliers must lie in [0, 1), got {outliers}")
        self.outliers = outliers

    def select_batch(
        self,
        state: QueryState,
        rng: np.random.Generator,
        ties: np.random.Generator,
        batch_size: int,
    ) -> Ints:
        """Return the batch, shape (batch_size,); the greedy one where no better one is found."""
        check_size(batch_size, len(state.open))
        greedy = super().select_batch(state, rng, ties, batch_size)
        few = np.intersect1d(state.reference, state.open)[:MOST]
        rows = np.union1d(np.union1d(few, greedy), state.labelled)
        points = self.points(state)[rows]
        distance = np.sqrt(squared_distances(points, points))
        known = np.isin(rows, state.labelled)
        centres = cover(distance, known, np.isin(rows, greedy), self.outliers)
        return rows[np.flatnonzero(centres & ~known)]


def cover(distance: Floats, known: Bools, greedy: Bools, outliers: float) -> Bools:
    """Return the centres of smallest radius: the known ones and as many more as greedy has, (n,).

    Args:
        distance: Between all rows, shape (n, n).
        known: Rows that are centres already, shape (n,).
        greedy: Further centres that greedy took, shape (n,).
        outliers: Share of the rows that may stay uncovered.
    """
    best = known | greedy
    upper = float(distance[:, best].min(axis=1).max())
    radii = np.unique(distance[(distance >= 0.5 * upper) & (distance < upper)])
    if outliers > 0.0:
        radii = np.unique(distance[distance < upper])
    low, high = 0, len(radii)
    while low < high:
        middle = (low + high) // 2
        found = _feasible(distance <= radii[middle], known, int(greedy.sum()), outliers)
        if found is None:
            low = middle + 1
        else:
            best, high = found, middle
    return best


def _feasible(near: Bools, known: Bools, size: int, outliers: float) -> Bools | None:
    """Return centres that leave few rows without a near one, or None."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    n = len(known)
    # Variables: n centres, then n outliers. Rows have a near centre or are outliers.
    covered = LinearConstraint(np.hstack([near, np.eye(n)]), lb=1.0)
    total = np.r_[np.ones(n), np.zeros(n)]
    counts = LinearConstraint(
        np.vstack([total, 1.0 - total]),
        lb=[known.sum() + size, 0.0],
        ub=[known.sum() + size, np.floor(outliers * n)],
    )
    done = milp(
        np.r_[np.zeros(n), np.ones(n)],
        integrality=np.ones(2 * n),
        bounds=Bounds(np.r_[known.astype(float), np.zeros(n)], 1.0),
        constraints=[covered, counts],
        options={"time_limit": SECONDS},
    )
    return None if done.x is None else np.asarray(done.x[:n] > 0.5)
