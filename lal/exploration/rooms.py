"""Made-up rooms: a grid with walls and objects that look different from each of their sides.

Nothing here is Habitat's: a cell is free, a wall or an object; an observer sees the 5 x 5 cells
around it, as far as nothing stands in between.
"""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from lal.arrays import Bools, Floats, Ints
from lal.errors import UsageError

SIZE, REACH = 12, 2
"""Cells of a side of the grid; how far an observer sees."""

MOVES: Ints = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]])
"""North, east, south and west, as steps of row and column."""

OFFSETS: Ints = np.array(
    [(i, j) for i in range(-REACH, REACH + 1) for j in range(-REACH, REACH + 1)]
)
"""Cells around a cell, as steps of row and column."""

WALLS = 0.12
"""Share of the cells that are walls, about."""


@dataclass(frozen=True, eq=False)
class Looks:
    """How objects look, the same in all rooms of a world.

    Attributes:
        sides: What each class looks like from its front, right, back and left, shape (C, 4, d).
        noise: Standard deviations: of an object's own looks, and of a glance.
    """

    sides: Floats
    noise: tuple[float, float] = (0.3, 0.4)

    @property
    def n_classes(self) -> int:
        """Number of classes C."""
        return len(self.sides)

    def glance(self, codes: Ints, sides: Ints, own: Floats, rng: np.random.Generator) -> Floats:
        """Return what is seen of objects, shape (n, d).

        Args:
            codes: Their classes, shape (n,).
            sides: Side seen of each, shape (n,).
            own: What is particular to each, shape (n, d).
            rng: Draws the noise of the glance.
        """
        noise = self.noise[1] * rng.normal(size=own.shape)
        seen: Floats = self.sides[codes, sides] + own + noise
        return seen


@dataclass(frozen=True, eq=False)
class Room:
    """A room and what stands in it.

    Attributes:
        free: Cells that can be walked on, shape (SIZE, SIZE).
        cells: Rows and columns of the objects, shape (n, 2).
        codes: Their hidden classes, shape (n,).
        facing: The move, by its place in `MOVES`, that leads away from each front, shape (n,).
        own: What is particular to the looks of each, shape (n, d).
        looks: How objects look.
        start: Cell of the observer at the start.
    """

    free: Bools
    cells: Ints
    codes: Ints = field(repr=False)
    facing: Ints = field(repr=False)
    own: Floats = field(repr=False)
    looks: Looks = field(repr=False)
    start: tuple[int, int]

    def sides_from(self, cell: tuple[int, int]) -> Ints:
        """Return which side of each object faces a cell, shape (n,): 0 is the front."""
        down, right = (np.array(cell) - self.cells).T
        towards = np.where(
            np.abs(down) >= np.abs(right), np.where(down < 0, 0, 2), np.where(right < 0, 3, 1)
        )
        sides: Ints = (towards - self.facing) % 4
        return sides

    @cached_property
    def sight(self) -> Bools:
        """Which cells are seen from which; see `lines_of_sight`."""
        return lines_of_sight(self.free)

    @cached_property
    def numbers(self) -> Ints:
        """Number of the object in each cell, -1 without one, shape (SIZE, SIZE)."""
        numbers = np.full(self.free.shape, -1)
        numbers[tuple(self.cells.T)] = np.arange(len(self.codes))
        return numbers

    @cached_property
    def beside(self) -> tuple[Ints, Ints]:
        """Cells beside each object, (n, 4, 2), -1 outside of the grid; sides seen, (n, 4)."""
        cells = self.cells[:, None] + MOVES
        inside = ((cells >= 0) & (cells < SIZE)).all(axis=2, keepdims=True)
        return np.where(inside, cells, -1), (np.arange(4) - self.facing[:, None]) % 4

    def seen_from(self, cell: tuple[int, int]) -> tuple[Ints, Ints]:
        """Return rows and columns of the cells seen from a cell."""
        found = np.array(cell) + OFFSETS[self.sight[:, cell[0], cell[1]]]
        return found[:, 0], found[:, 1]

    def glance(self, cell: tuple[int, int], rng: np.random.Generator) -> tuple[Ints, Floats]:
        """Return the objects seen from a cell, (m,), and what is seen of them, (m, d)."""
        found = self.numbers[self.seen_from(cell)]
        found = found[found >= 0]
        sides = self.sides_from(cell)[found]
        return found, self.looks.glance(self.codes[found], sides, self.own[found], rng)


def lines_of_sight(free: Bools) -> Bools:
    """Return which cells around each cell are seen from it, shape (25, SIZE, SIZE).

    The first axis is that of `OFFSETS`. A cell two steps away is hidden when each of the one or
    two cells between is not free.
    """
    n = SIZE + 2 * REACH
    inside, open_cells = np.zeros((n, n), dtype=bool), np.zeros((n, n), dtype=bool)
    inside[REACH:-REACH, REACH:-REACH] = True
    open_cells[REACH:-REACH, REACH:-REACH] = free

    def shifted(cells: Bools, down: int, right: int) -> Bools:
        return cells[REACH + down : REACH + down + SIZE, REACH + right : REACH + right + SIZE]

    seen = np.zeros((len(OFFSETS), SIZE, SIZE), dtype=bool)
    for place, (down, right) in enumerate(OFFSETS.tolist()):
        seen[place] = shifted(inside, down, right)
        if max(abs(down), abs(right)) == REACH:
            first = shifted(open_cells, _half(down, up=False), _half(right, up=False))
            seen[place] &= first | shifted(open_cells, _half(down, up=True), _half(right, up=True))
    return seen


def _half(step: int, *, up: bool) -> int:
    """Return half of a step; of a step of one, none or all of it."""
    return step // 2 if step % 2 == 0 else (step if up else 0)


@lru_cache(maxsize=256)
def make_looks(seed: int, n_classes: int = 4, n_columns: int = 8) -> Looks:
    """Return how the objects of a world look.

    From its front an object shows its class plainly. Its other sides have looks of their own, and
    more of them is the same for all classes, most at the back.
    """
    rng = np.random.default_rng(seed)
    front, other, shared = (
        rng.normal(size=shape)
        for shape in ((n_classes, n_columns), (n_classes, 4, n_columns), (4, n_columns))
    )
    plain, own, alike = np.array([[1.0, 0.3, 0.0, 0.3], [0.0, 0.4, 0.5, 0.4], [0.0, 0.3, 0.4, 0.3]])
    sides = plain[:, None] * front[:, None] + own[:, None] * other + alike[:, None] * shared
    return Looks(sides)


def make_room(looks: Looks, rng: np.random.Generator, n_objects: int = 12) -> Room:
    """Return a room whose objects can all be reached.

    Raises:
        UsageError: Fewer than one object, or more than a fifth of the cells.
    """
    if not 1 <= n_objects <= SIZE * SIZE // 5:
        raise UsageError(f"n_objects must be 1 to {SIZE * SIZE // 5}, got {n_objects}")
    while True:
        free = rng.random((SIZE, SIZE)) >= WALLS
        cells = np.argwhere(free)[rng.permutation(int(free.sum()))[: n_objects + 1]]
        start, objects = (int(cells[0, 0]), int(cells[0, 1])), cells[1:]
        free[tuple(objects.T)] = False
        goal = np.zeros_like(free)
        goal[start] = True
        reached = np.pad(np.isfinite(distances(free, goal)), 1)
        beside = objects[:, None] + MOVES + 1
        can_be_seen = reached[beside[..., 0], beside[..., 1]].any(axis=1)
        if reached.sum() >= SIZE * SIZE // 2 and can_be_seen.all():
            break
    codes = rng.integers(looks.n_classes, size=n_objects)
    facing = rng.integers(4, size=n_objects)
    own = looks.noise[0] * rng.normal(size=(n_objects, looks.sides.shape[2]))
    return Room(free, objects, codes, facing, own, looks, start)


def distances(free: Bools, goals: Bools) -> Floats:
    """Return the steps from each free cell to the nearest goal, inf where none is reached.

    Args:
        free: Cells that can be walked on, shape (SIZE, SIZE).
        goals: Cells at distance 0; those that are not free are left out, shape (SIZE, SIZE).
    """
    steps = np.full(free.shape, np.inf)
    wide = np.zeros((SIZE + 2, SIZE + 2), dtype=bool)
    front, n = goals & free, 0
    while front.any():
        steps[front] = n
        wide[1:-1, 1:-1] = front
        front, n = beside_any(wide) & free & np.isinf(steps), n + 1
    return steps


def beside_any(wide: Bools) -> Bools:
    """Return which cells have a marked neighbour, (SIZE + 2, SIZE + 2) to (SIZE, SIZE)."""
    near: Bools = wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
    return near
