"""RegionsEnv: lal/Pool-v0 where a row is a region of an image, answered pixel by pixel."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from envs.observations import Observation
from envs.pool_env import PoolEnv
from lal.arrays import Ints
from lal.data.scenes import count_clicks
from lal.episode import Episode
from lal.errors import UsageError
from lal.features import REGION_CANDIDATE_FEATURES, REGION_CONTEXT_FEATURES
from lal.registry import Registry
from lal.task import Task
from lal.tasks.regions import RegionSampler
from lal.tasks.rewards import REGION_REWARDS, Reward
from lal.tasks.sources import TaskSource


class RegionsEnv(PoolEnv):
    """One episode of labelling regions; spaces and steps are `PoolEnv`'s.

    Metrics and rewards are of the pixels of the reward images, mean IoU first. ``info["clicks"]``
    is what the regions labelled so far took to label; see `lal.data.scenes.count_clicks`.

    Args:
        tasks: As of `PoolEnv`, made by `lal.tasks.regions`; None for its `RegionSampler`.
        price: What a click takes off the reward.
        redraw: Offer fresh random regions in every step of a batch, so that a batch of B takes one
            region from each of B slates; otherwise all come from one slate.
        candidate_features: Ids of features; None for `lal.features.REGION_CANDIDATE_FEATURES`.
        context_features: Ids of features; None for `lal.features.REGION_CONTEXT_FEATURES`.
        slate_size: Regions offered at once, K.
        reward: Name of `lal.tasks.rewards.REGION_REWARDS`.
        batch_size: Regions that are labelled between two refits, B.
        **options: Further ones of `PoolEnv`.
    """

    rewards: ClassVar[Registry[Reward]] = REGION_REWARDS

    def __init__(
        self,
        tasks: TaskSource | Task | Sequence[Task] | None = None,
        *,
        price: float = 0.0,
        redraw: bool = True,
        candidate_features: Sequence[str] | None = None,
        context_features: Sequence[str] | None = None,
        slate_size: int = 20,
        reward: str = "mean_iou_gain",
        batch_size: int = 1,
        **options: Any,
    ) -> None:
        if price < 0:
            raise UsageError(f"price must not be negative, got {price}")
        candidates = REGION_CANDIDATE_FEATURES if candidate_features is None else candidate_features
        contexts = REGION_CONTEXT_FEATURES if context_features is None else context_features
        super().__init__(
            tasks,
            candidate_features=candidates,
            context_features=contexts,
            slate_size=slate_size,
            reward=reward,
            batch_size=batch_size,
            **options,
        )
        self.price, self.redraw = price, redraw
        self._clicks = 0

    @staticmethod
    def _default_source() -> TaskSource:
        return RegionSampler()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; see `PoolEnv.reset`."""
        observation, info = super().reset(seed=seed, options=options)
        self._clicks = self._count(self._running().pool.order)
        return observation, {**info, "clicks": self._clicks}

    def _count(self, rows: Ints) -> int:
        """Return the clicks that regions take to label."""
        task = self.task
        if task.pool.pixels is None:
            raise UsageError(
                f"task {task.name!r} has rows without pixels; make it with lal.tasks.regions, or "
                'use gymnasium.make("lal/Pool-v0", ...)'
            )
        return int(count_clicks(task.pool.pixels[rows]).sum())

    def _acquire(self, episode: Episode) -> float:
        """Acquire the pending regions and return the reward less the price of their clicks."""
        clicks = self._count(np.array(self._pending, dtype=np.int64))
        self._clicks += clicks
        return super()._acquire(episode) - self.price * clicks

    def _within_batch(self) -> None:
        """Draw the next slate of a batch from the regions that are not taken yet."""
        if not self.redraw:
            return
        left = len(self._state.open) - len(self._pending)
        n = min(self._observer.slate_size, left)
        drawn = self._slate_rule(
            self._state, n + len(self._pending), self._running().streams["slate"]
        )
        self._slate = np.full(self._observer.slate_size, -1, dtype=np.int64)
        self._slate[:n] = drawn[~np.isin(drawn, self._pending)][:n]

    def _info(self, *, queried: int, invalid: bool) -> dict[str, Any]:
        return {**super()._info(queried=queried, invalid=invalid), "clicks": self._clicks}
