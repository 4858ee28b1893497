"""GEAL: rows whose patterns lie far from all patterns chosen so far, without any label."""

import numpy as np

from lal.arrays import Floats
from lal.errors import DataError
from lal.pool import dense
from lal.state import QueryState
from lal.strategies.spaces import Selector, SpaceStrategy


class Geal(SpaceStrategy):
    """Draws rows in proportion to the squared distances of their patterns to those chosen.

    A row has one pattern, itself, or those of the quadrants of a square drawing. Distances are
    those of patterns of unit length. With one pattern this is k-means++ seeding. No label and no
    model is looked at, but for which rows are taken already. Source: Xie, Tomizuka & Zhan (2021),
    "Towards general and efficient active learning".

    Args:
        space: A name in `lal.strategies.spaces.SPACES`; not used with quadrants.
        quadrants: Cut rows, read as square drawings, into four patterns.
    """

    def __init__(self, space: str = "view", quadrants: bool = False) -> None:
        super().__init__(space)
        self.quadrants = quadrants

    def begin(self, state: QueryState, rng: np.random.Generator, size: int) -> Selector:
        """Return the patterns and their distances to those of the labelled rows."""
        patterns = quadrants(dense(state.X)) if self.quadrants else self.points(state)[:, None]
        selector = Patterns(patterns, rng)
        for row in state.labelled:
            selector.take(int(row))
        return selector


def quadrants(X: Floats) -> Floats:
    """Return the four quadrants of square drawings, (N, side^2) to (N, 4, side^2 / 4).

    Raises:
        DataError: The rows are not squares of even side.
    """
    side = int(np.sqrt(X.shape[1]))
    if side * side != X.shape[1] or side % 2:
        raise DataError(f"rows of {X.shape[1]} columns are no square drawings of even side")
    half = side // 2
    cut = X.reshape(-1, 2, half, 2, half).transpose(0, 1, 3, 2, 4)
    return cut.reshape(len(X), 4, half * half)


class Patterns:
    """Squared distances of all patterns to the nearest one taken.

    Args:
        patterns: Shape (N, K, h).
        rng: Draws.
    """

    def __init__(self, patterns: Floats, rng: np.random.Generator) -> None:
        length = np.linalg.norm(patterns, axis=2, keepdims=True)
        self.patterns = patterns / np.where(length > 0, length, 1.0)
        self.rng = rng
        self.squares = np.full(patterns.shape[:2], np.inf)

    def utilities(self) -> Floats:
        """Return ``log sum_k D^2`` plus Gumbel noise, shape (N,); noise alone at first."""
        if not np.isfinite(self.squares).all():
            return self.rng.gumbel(size=len(self.squares))
        total = np.log(np.maximum(self.squares.sum(axis=1), 1e-300))
        drawn: Floats = total + self.rng.gumbel(size=len(total))
        return drawn

    def take(self, row: int) -> None:
        """Take the patterns of a row."""
        for pattern in self.patterns[row]:
            new = np.square(self.patterns - pattern).sum(axis=2)
            np.minimum(self.squares, new, out=self.squares)
        self.squares[row] = 0.0
