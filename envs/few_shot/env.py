"""lal/FewShot-v0: acquire a few labels of a small pool; a prototype learner answers the queries."""

from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.class_banks import Split, load_bank
from envs.copies import IndependentCopies
from envs.few_shot.episodes import FewShot, Layout, draw_few_shot, prototype_accuracy
from envs.simulator.arguments import checked_action
from envs.text_rendering import text_image
from envs.vector import checked_seed
from lal.errors import UsageError

Observation = dict[str, NDArray[Any]]

REACH = 100.0
"""Bound of the observed samples, far beyond what is drawn."""


class FewShotEnv(IndependentCopies, gymnasium.Env[Any, np.int64]):
    """Select items of a pool for labelling in short episodes over classes drawn afresh.

    Args:
        bank: Name of a class bank; see `envs.class_banks`.
        split: "train" or "test"; the two share no class.
        mode: sequential: an acquired label shows in the next observation, and the reward is what it
            adds to the query accuracy. one_shot: no label shows, and the reward, query accuracy
            above that of the support alone, comes at the end.
        budget: B, labels to acquire.
        n_classes: C, classes of an episode.
        n_pool: N, items that may be labelled.
        n_distractors: Items of the pool that belong to none of the classes; their label is C.
        shots: Labelled samples of every class at the start.
        n_query: Samples that accuracy is measured on.
        n_other_classes: Classes that the distractors are drawn from.
        render_mode: None, "ansi" or "rgb_array".
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 2}  # noqa: RUF012 (Gymnasium form)

    def __init__(
        self,
        bank: str = "vectors",
        *,
        split: Split = "train",
        mode: Literal["sequential", "one_shot"] = "sequential",
        budget: int = 5,
        n_classes: int = 5,
        n_pool: int = 30,
        n_distractors: int = 0,
        shots: int = 0,
        n_query: int = 15,
        n_other_classes: int = 5,
        render_mode: str | None = None,
    ) -> None:
        if mode not in ("sequential", "one_shot") or split not in ("train", "test"):
            raise UsageError(f"unknown mode {mode!r} or split {split!r}")
        if not 1 <= budget <= n_pool:
            raise UsageError(f"budget must be 1 to {n_pool}, the pool's size; got {budget}")
        self.bank, self.split, self.mode, self.budget = load_bank(bank), split, mode, budget
        self.layout = Layout(n_classes, n_pool, n_distractors, shots, n_query, n_other_classes)
        self.render_mode = render_mode
        D, support = self.bank.n_columns, n_classes * shots
        self.observation_space = spaces.Dict(
            {
                "candidates": spaces.Box(-REACH, REACH, (n_pool, D), np.float32),
                "labels": spaces.Box(-1, n_classes, (n_pool,), np.int64),
                "support": spaces.Box(-REACH, REACH, (max(support, 1), D), np.float32),
                "mask": spaces.MultiBinary(n_pool),
            }
        )
        self.action_space = spaces.Discrete(n_pool)
        self._episode: FewShot | None = None
        self._chosen: list[int] = []
        self._accuracy = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Draw classes, pool, support and queries; support samples come class by class."""
        seed = checked_seed(seed)
        super().reset(seed=seed)
        self._episode = draw_few_shot(self.bank, self.np_random, self.layout, n=1, split=self.split)
        self._chosen = []
        self._accuracy = self._score(self._episode)
        return self._observation(self._episode), self._info(False)

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Acquire a label; an item acquired already is replaced by one drawn from the others."""
        drawn = self._running()
        if len(self._chosen) >= self.budget:
            raise UsageError("the episode is over; call reset before the next step")
        index = checked_action(action, self.layout.n_pool)
        invalid = index in self._chosen
        if invalid:
            index = int(self.np_random.choice(np.flatnonzero(self.action_masks())))
        self._chosen.append(index)
        over = len(self._chosen) == self.budget
        reward = 0.0
        if over or self.mode == "sequential":
            after = self._score(drawn)
            reward, self._accuracy = after - self._accuracy, after
        return self._observation(drawn), reward, over, False, self._info(invalid)

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which items can still be acquired, shape (N,)."""
        self._running()
        mask = np.ones(self.layout.n_pool, dtype=bool)
        mask[self._chosen] = False
        return mask

    def _running(self) -> FewShot:
        if self._episode is None:
            raise UsageError("no episode yet; call reset first")
        return self._episode

    def _score(self, drawn: FewShot) -> float:
        samples = np.concatenate([drawn.support[0], drawn.pool[0, self._chosen]])
        labels = np.concatenate([drawn.support_labels[0], drawn.labels[0, self._chosen]])
        C = self.layout.n_classes
        return float(prototype_accuracy(samples, labels, drawn.query[0], drawn.query_labels[0], C))

    def _observation(self, drawn: FewShot) -> Observation:
        labels = np.full(self.layout.n_pool, -1, dtype=np.int64)
        if self.mode == "sequential":
            labels[self._chosen] = drawn.labels[0, self._chosen]
        support = drawn.support[0]
        if len(support) == 0:
            support = np.zeros((1, self.bank.n_columns), dtype=np.float32)
        return {
            "candidates": drawn.pool[0].copy(), "labels": labels, "support": support.copy(),
            "mask": self.action_masks().astype(np.int8),
        }  # fmt: skip

    def _info(self, invalid: bool) -> dict[str, Any]:
        return {
            "invalid_action": invalid, "n_labelled": len(self._chosen),
            "action_mask": self.action_masks().astype(np.int8), "accuracy": self._accuracy,
        }  # fmt: skip

    def render(self) -> Any:
        """Return the items acquired as text or as an image of it."""
        if self.render_mode is None:
            return None
        text = (
            f"{self.bank.name}: {len(self._chosen)} of {self.budget} labels\n"
            f"  items {self._chosen}\n  accuracy {self._accuracy:.2f}"
        )
        return text if self.render_mode == "ansi" else text_image(text, 4)
