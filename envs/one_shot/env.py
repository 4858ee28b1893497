"""lal/OneShot-v0: name the class of an item, or pay to be told; every episode has new classes."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.class_banks import Split, load_bank
from envs.copies import IndependentCopies
from envs.one_shot.episodes import Episodes, draw_episodes
from envs.simulator.arguments import checked_action
from envs.text_rendering import text_image
from envs.vector import checked_seed
from lal.errors import UsageError

REACH = 100.0
"""Bound of the observation space, far beyond what is drawn."""

Observation = NDArray[np.float32]


class OneShotEnv(IndependentCopies, gymnasium.Env[Observation, np.int64]):
    """Predict or ask (Woodward and Finn 2016).

    Args:
        bank: Name of a class bank; see `envs.class_banks`.
        split: "train" or "test"; the two share no class.
        n_classes: C, classes of an episode.
        n_items: T, items of an episode.
        right: Reward of a right answer.
        wrong: Reward of a wrong answer.
        ask: Reward of asking.
        render_mode: None, "ansi" or "rgb_array".
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 2}  # noqa: RUF012 (Gymnasium form)

    def __init__(
        self,
        bank: str = "vectors",
        *,
        split: Split = "train",
        n_classes: int = 3,
        n_items: int = 30,
        right: float = 1.0,
        wrong: float = -1.0,
        ask: float = -0.05,
        render_mode: str | None = None,
    ) -> None:
        if split not in ("train", "test"):
            raise UsageError(f"split must be 'train' or 'test', got {split!r}")
        if n_classes < 2 or n_items < 1:
            raise UsageError(
                f"expected two classes and one item at least, got {n_classes} and {n_items}"
            )
        self.bank, self.split = load_bank(bank), split
        self.n_classes, self.n_items = n_classes, n_items
        self.rewards = {"right": right, "wrong": wrong, "ask": ask}
        self.render_mode = render_mode
        width = n_classes + self.bank.n_columns
        self.observation_space = spaces.Box(-REACH, REACH, (width,), np.float32)
        self.action_space = spaces.Discrete(n_classes + 1)
        self._episode: Episodes | None = None
        self._t = 0
        self._told: list[str] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Draw classes, their slots and the items."""
        seed = checked_seed(seed)
        super().reset(seed=seed)
        self._episode = draw_episodes(
            self.bank, self.np_random, n=1, T=self.n_items, C=self.n_classes, split=self.split
        )
        self._t, self._told = 0, []
        return self._observation(-1), {"item": 0}

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Answer 0 .. C-1, or ask with C; what was asked for comes with the next observation."""
        if self._episode is None:
            raise UsageError("no episode yet; call reset first")
        if self._t >= self.n_items:
            raise UsageError("the episode is over; call reset before the next step")
        label, C = int(self._episode.labels[0, self._t]), self.n_classes
        instance = int(self._episode.instances[0, self._t])
        action = checked_action(action, C + 1)
        asked, right = action == C, action == label
        outcome = "ask" if asked else "right" if right else "wrong"
        self._told.append(f"  item {self._t}, number {instance} of its class: {outcome}")
        self._t += 1
        info = {"item": self._t, "outcome": outcome, "instance": instance}
        observation = self._observation(label if asked else -1)
        return observation, self.rewards[outcome], self._t == self.n_items, False, info

    def _observation(self, given: int) -> Observation:
        """Return [one-hot label acquired with the last step, item]; zeros after the last item."""
        drawn = self._episode
        item = np.zeros(self.bank.n_columns, dtype=np.float32)
        if drawn is not None and self._t < self.n_items:
            item = drawn.items[0, self._t]
        label = (np.arange(self.n_classes) == given).astype(np.float32)
        return np.concatenate([label, item])

    def render(self) -> Any:
        """Return what happened so far as text or as an image of its last lines."""
        if self.render_mode is None:
            return None
        head = f"{self.bank.name}: {self._t} of {self.n_items} items"
        lines = [head, *self._told[-10:]]
        text = "\n".join(lines)
        return text if self.render_mode == "ansi" else text_image(text, 12)
