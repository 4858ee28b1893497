"""Space x selector: rows as points in a space, and what to take from it one after another."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import numpy as np

from lal.arrays import Floats, Ints
from lal.learners.capabilities import require_capability
from lal.registry import Registry
from lal.state import QueryState
from lal.strategies.selection import check_size, select_top
from lal.task_kind import CLASSIFICATION

Space = Callable[[QueryState, str], Floats]
"""State and the name of who asks to the coordinates of all rows, shape (N, h)."""

SPACES: Registry[Space] = Registry("space")


@SPACES.register("view")
def view(state: QueryState, who: str) -> Floats:
    """Return the encoded rows Z."""
    return state.Z


@SPACES.register("embedding")
def embedding(state: QueryState, who: str) -> Floats:
    """Return what the learner's last layer sees; the encoded rows while there is no model."""
    if state.proba is None and state.kind == CLASSIFICATION:
        return state.Z
    found: Floats = state.memo(
        "spaces.embedding", lambda: require_capability(state, "embed", who), lambda same: same
    )
    return found


@SPACES.register("gradient")
def gradient(state: QueryState, who: str) -> Floats:
    """Return the last layer's gradients for the predicted labels; zeros without a model."""
    if state.proba is None:
        return np.zeros((state.N, 1))
    found: Floats = require_capability(state, "gradient_embedding", who)
    return found


class Selector(Protocol):
    """Scores the points of a space and is told which of them are taken."""

    def utilities(self) -> Floats:
        """Return the utility of every point, given those taken, shape (N,)."""
        ...

    def take(self, row: int) -> None:
        """Take a point."""
        ...


class Nearest:
    """Squared distances of points to the nearest of those taken, kept up to date.

    Args:
        points: Shape (N, h).
        taken: Points taken already.
    """

    def __init__(self, points: Floats, taken: Ints) -> None:
        self.points = points
        self.norms = np.einsum("ij,ij->i", points, points)
        self.squares = np.full(len(points), np.inf)
        for row in taken:
            self.take(int(row))

    def take(self, row: int) -> None:
        """Take a point; its own distance is 0 from now on."""
        new = self.norms + self.norms[row] - 2.0 * (self.points @ self.points[row])
        new[new < 1e-12 * (self.norms + self.norms[row])] = 0.0  # rounding noise: equal points
        new[row] = 0.0
        np.minimum(self.squares, new, out=self.squares)


class Farthest(Nearest):
    """Utility: the distance to the nearest point taken; all equal before any is."""

    def utilities(self) -> Floats:
        """Return distances, shape (N,)."""
        some = np.isfinite(self.squares)
        distance: Floats = np.sqrt(np.where(some, self.squares, 0.0))
        return distance


class SquaredDistance(Nearest):
    """D^2 sampling: the next point is drawn in proportion to its squared distance.

    The draw is an arg-max: ``log D^2`` plus Gumbel noise. The first point is the one of largest
    norm. Source: Arthur & Vassilvitskii (2007), "k-means++: the advantages of careful seeding".

    Args:
        points: Shape (N, h).
        taken: Points taken already; none for the first.
        rng: Draws.
    """

    def __init__(self, points: Floats, taken: Ints, rng: np.random.Generator) -> None:
        super().__init__(points, taken)
        self.rng = rng

    def utilities(self) -> Floats:
        """Return norms before the first point, noisy logarithms of D^2 after, shape (N,)."""
        if np.isinf(self.squares).all():
            lengths: Floats = np.sqrt(self.norms)
            return lengths
        noise = self.rng.gumbel(size=len(self.squares))
        logs: Floats = np.log(np.maximum(self.squares, 1e-300)) + noise
        return logs


class SpaceStrategy(ABC):
    """Takes rows from a space, one after another.

    A subclass says which selector it begins with; `utilities` are the selector's before the first
    pick, and a batch is taken pick by pick.

    Args:
        space: A name in `SPACES`.
    """

    def __init__(self, space: str = "view") -> None:
        self.space = SPACES[space]

    @abstractmethod
    def begin(self, state: QueryState, rng: np.random.Generator, size: int) -> Selector:
        """Return the selector for a batch of `size` rows."""

    def points(self, state: QueryState) -> Floats:
        """Return the coordinates of all rows, shape (N, h)."""
        return self.space(state, type(self).__name__)

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the selector's utilities before the first pick, shape (N,)."""
        return self.begin(state, rng, 1).utilities()

    def select_batch(
        self,
        state: QueryState,
        rng: np.random.Generator,
        ties: np.random.Generator,
        batch_size: int,
    ) -> Ints:
        """Return the batch in the order of the picks, shape (batch_size,)."""
        check_size(batch_size, len(state.open))
        selector, left = self.begin(state, rng, batch_size), state.open
        chosen: list[int] = []
        while len(chosen) < batch_size:
            row = int(select_top(selector.utilities(), left, ties)[0])
            left = left[left != row]
            chosen.append(row)
            selector.take(row)
        return np.array(chosen, dtype=np.int64)
