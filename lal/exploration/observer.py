"""The observer: a map of what it has seen, of what the detector says, and where it could go.

The reward is that of Chaplot et al. (2021), "SEAL: self-supervised embodied active learning using
exploration and 3D consistency" (gainful curiosity): cells of the map whose largest score of a class
has newly passed a threshold. No label is looked at.
"""

from dataclasses import dataclass

import numpy as np

from lal.arrays import Bools, Floats, Ints
from lal.exploration.detector import Detector
from lal.exploration.rooms import MOVES, SIZE, Room, beside_any, distances

CONFIDENT = 0.9
"""A cell is confident when the largest score that it got for a class is at least this."""

UNKNOWN, FREE, BLOCKED = 0, 1, 2
"""What the map holds of a cell."""


@dataclass(frozen=True, eq=False)
class Glance:
    """What was seen of objects in one step.

    Attributes:
        objects: Their numbers in the room, shape (m,).
        features: What was seen of each, shape (m, d).
    """

    objects: Ints
    features: Floats


class Observer:
    """Walks through a room with a detector.

    Args:
        room: The room; classes of objects are not looked at.
        detector: Scores what is seen.
        rng: Draws the noise of glances.

    Attributes:
        cell: Where it stands.
        map: UNKNOWN, FREE or BLOCKED, shape (SIZE, SIZE).
        scores: Largest score of each class that each object got in any glance, shape (n, C).
        sides: Sides of each object that were seen, shape (n, 4).
        visits: How often it stood on each cell, shape (SIZE, SIZE).
        glances: What was seen, step by step.
    """

    def __init__(self, room: Room, detector: Detector, rng: np.random.Generator) -> None:
        self.room, self.detector, self.rng = room, detector, rng
        n = len(room.codes)
        self.cell = room.start
        self.map = np.full((SIZE, SIZE), UNKNOWN)
        self.scores = np.zeros((n, room.looks.n_classes))
        self.sides = np.zeros((n, 4), dtype=bool)
        self.visits = np.zeros((SIZE, SIZE), dtype=np.int64)
        self.glances: list[Glance] = []
        self._look()

    @property
    def known(self) -> Bools:
        """Objects seen so far, shape (n,)."""
        known: Bools = np.asarray(self.sides.any(axis=1))
        return known

    @property
    def confident(self) -> Bools:
        """Objects with a confident score, shape (n,)."""
        sure: Bools = self.scores.max(axis=1) >= CONFIDENT
        return sure

    def open_moves(self) -> Bools:
        """Return which of `MOVES` lead to a free cell, shape (4,)."""
        found = np.zeros(4, dtype=bool)
        for move, cell in enumerate(self.neighbours()):
            found[move] = min(cell) >= 0 and max(cell) < SIZE and bool(self.room.free[cell])
        return found

    def neighbours(self) -> list[tuple[int, int]]:
        """Return the cells that the moves lead to, inside of the grid or not."""
        return [(self.cell[0] + int(down), self.cell[1] + int(right)) for down, right in MOVES]

    def move(self, move: int) -> int:
        """Take an open move and look; returns how many objects became confident."""
        before = int(self.confident.sum())
        self.cell = self.neighbours()[move]
        self._look()
        return int(self.confident.sum()) - before

    def _look(self) -> None:
        self.visits[self.cell] += 1
        seen = self.room.seen_from(self.cell)
        self.map[seen] = np.where(self.room.free[seen], FREE, BLOCKED)
        objects, features = self.room.glance(self.cell, self.rng)
        self.glances.append(Glance(objects, features))
        scores = self.detector.scores(features)
        self.scores[objects] = np.maximum(self.scores[objects], scores)
        self.sides[objects, self.room.sides_from(self.cell)[objects]] = True

    def frontier(self) -> Bools:
        """Return the cells known as free that have an unknown neighbour, shape (SIZE, SIZE)."""
        found: Bools = (self.map == FREE) & beside_any(np.pad(self.map == UNKNOWN, 1))
        return found

    def lookouts(self) -> Bools:
        """Return cells beside an object without a confident score, on a side not seen yet."""
        cells, sides = self.room.beside
        new = ~np.take_along_axis(self.sides, sides, axis=1) & (cells[..., 0] >= 0)
        new &= (self.known & ~self.confident)[:, None]
        found = np.zeros((SIZE, SIZE), dtype=bool)
        found[tuple(cells[new].T)] = True
        found &= self.map == FREE
        return found

    def steps_to(self, goals: Bools) -> Floats:
        """Return the steps from each cell to the nearest goal on the known map, inf without."""
        return distances(self.map == FREE, goals)
