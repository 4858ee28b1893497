"""lal/Explore-v0: walk through rooms and look at objects until a detector is sure of them."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.copies import IndependentCopies
from envs.simulator.arguments import checked_action, checked_count
from envs.text_rendering import text_image
from envs.vector import checked_seed
from lal.arrays import Floats
from lal.errors import UsageError
from lal.exploration.detector import Detector, MadeUpRooms
from lal.exploration.observer import FREE, UNKNOWN, Observer
from lal.exploration.rooms import REACH, SIZE, Room
from lal.exploration.strategies import EXPLORERS
from lal.rng import generator

Observation = dict[str, NDArray[Any]]

CANDIDATE_FEATURES = ("unknown", "frontier", "lookout", "new_sides", "fresh", "straight_on")
"""Columns of ``candidates``, one row for each of the four moves, all between 0 and 1."""

CONTEXT_FEATURES = ("left", "confident", "known", "mean_score")
"""Columns of ``context``, all between 0 and 1."""


class ExploreEnv(IndependentCopies, gymnasium.Env[Any, np.int64]):
    """A grid-world observer rewarded for confident cells; see docs/envs/explore.md.

    Args:
        rooms: Hands out rooms: a generator to a room and a detector; None for `MadeUpRooms`.
        steps: Moves of an episode.
        render_mode: None, "ansi" or "rgb_array".
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}  # noqa: RUF012 (Gymnasium form)

    def __init__(
        self,
        rooms: Callable[[np.random.Generator], tuple[Room, Detector]] | None = None,
        *,
        steps: int = 40,
        render_mode: str | None = None,
    ) -> None:
        self._rooms = MadeUpRooms() if rooms is None else rooms
        self.steps, self.render_mode = checked_count("steps", steps), render_mode
        self.observation_space = spaces.Dict(
            {
                "candidates": spaces.Box(0.0, 1.0, (4, len(CANDIDATE_FEATURES)), np.float32),
                "context": spaces.Box(0.0, 1.0, (len(CONTEXT_FEATURES),), np.float32),
                "mask": spaces.MultiBinary(4),
            }
        )
        self.action_space = spaces.Discrete(4)
        self._observer: Observer | None = None
        self._taken = 0
        self._last = -1

    @property
    def observer(self) -> Observer:
        """The observer and its map, for rules and for self-labels."""
        if self._observer is None:
            raise UsageError("no episode yet; call reset first")
        return self._observer

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin in a new room; `seed` names its draw, `options` are not used."""
        seed = checked_seed(seed)
        super().reset(seed=seed)
        number = int(self.np_random.integers(2**31)) if seed is None else int(seed)
        room, detector = self._rooms(generator(number, "room"))
        observer = Observer(room, detector, generator(number, "glances"))
        if not observer.open_moves().any():
            raise UsageError("the start of the room has no free cell beside it; open one")
        self._observer = observer
        self._taken, self._last = 0, -1
        return self._observation(), self._info(invalid=False)

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Move and look; a blocked move is replaced by one drawn from the open ones."""
        observer = self.observer
        if self._taken >= self.steps:
            raise UsageError("the episode is over; call reset before the next step")
        move = checked_action(action, 4)
        invalid = not observer.open_moves()[move]
        if invalid:
            move = int(self.np_random.choice(np.flatnonzero(observer.open_moves())))
        reward = float(observer.move(move))
        self._taken, self._last = self._taken + 1, move
        over = self._taken == self.steps
        return self._observation(), reward, over, False, self._info(invalid=invalid)

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which moves are open, shape (4,): north, east, south, west."""
        return self.observer.open_moves()

    def act(self, strategy: str, rng: np.random.Generator) -> int:
        """Return what a rule of `lal.exploration.strategies.EXPLORERS` would do now."""
        return EXPLORERS[strategy](self.observer, rng)

    def render(self) -> Any:
        """Return the map so far as text or as an image of it; None without a mode."""
        if self.render_mode is None:
            return None
        observer = self.observer
        shown = np.array([" ", ".", "#"])[observer.map]
        for number in np.flatnonzero(observer.known):
            shown[tuple(observer.room.cells[number])] = "O" if observer.confident[number] else "o"
        shown[observer.cell] = "@"
        head = f"move {self._taken} of {self.steps}, {int(observer.confident.sum())} confident (O)"
        text = "\n".join([head, *("".join(row) for row in shown)])
        return text if self.render_mode == "ansi" else text_image(text, SIZE + 2)

    def _observation(self) -> Observation:
        observer = self.observer
        mask = observer.open_moves()
        steps = [observer.steps_to(observer.frontier()), observer.steps_to(observer.lookouts())]
        columns = np.zeros((4, len(CANDIDATE_FEATURES)))
        for move in np.flatnonzero(mask):
            cell = observer.neighbours()[move]
            unknown, new_sides = _window(observer, cell)
            near = [1.0 / (1.0 + some[cell]) for some in steps]
            fresh = 1.0 / (1.0 + observer.visits[cell])
            columns[move] = unknown, *near, new_sides, fresh, move == self._last
        known, best = observer.known, observer.scores.max(axis=1)
        context = [
            1.0 - self._taken / self.steps,
            observer.confident.sum() / max(known.sum(), 1),
            (observer.map != UNKNOWN).mean(),
            best[known].mean() if known.any() else 0.0,
        ]
        return {
            "candidates": np.clip(columns, 0.0, 1.0).astype(np.float32),
            "context": np.clip(context, 0.0, 1.0).astype(np.float32),
            "mask": mask.astype(np.int8),
        }

    def _info(self, *, invalid: bool) -> dict[str, Any]:
        observer = self.observer
        return {
            "invalid_action": invalid, "n_confident": int(observer.confident.sum()),
            "n_seen": int(observer.known.sum()), "n_free": int((observer.map == FREE).sum()),
            "action_mask": observer.open_moves().astype(np.int8),
        }  # fmt: skip


def _window(observer: Observer, cell: tuple[int, int]) -> Floats:
    """Return the share of unknown cells around a cell, and new sides of unsure objects over 4."""
    rows, columns = (slice(max(at - REACH, 0), at + REACH + 1) for at in cell)
    unknown = (observer.map[rows, columns] == UNKNOWN).sum() / (2 * REACH + 1) ** 2
    far = np.abs(observer.room.cells - np.array(cell)).max(axis=1)
    unsure = np.flatnonzero(observer.known & ~observer.confident & (far <= REACH))
    new = ~observer.sides[unsure, observer.room.sides_from(cell)[unsure]]
    return np.array([unknown, min(new.sum() / 4.0, 1.0)])
