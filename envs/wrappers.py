"""Wrappers: what is changed about the rewards paid."""

from typing import Any, SupportsFloat

import gymnasium
import numpy as np

from envs.observations import Observation
from lal.errors import UsageError


class ShuffleReward(gymnasium.Wrapper[Observation, np.int64, Observation, np.int64]):
    """Pays a reward drawn from the latest ones instead of the one earned.

    The distribution of rewards stays, what they depend on is lost: a control that a policy which
    learned something must beat.

    Args:
        env: The environment.
        memory: Rewards remembered.
        seed: Names the draws.
    """

    def __init__(
        self, env: gymnasium.Env[Observation, np.int64], *, memory: int = 1000, seed: int = 0
    ) -> None:
        super().__init__(env)
        if memory < 1:
            raise UsageError(f"memory must be at least 1 reward, got {memory}")
        self._memory = memory
        self._rewards: list[float] = []
        self._rng = np.random.default_rng(seed)

    def step(
        self, action: np.int64
    ) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        """Step and replace the reward; the one earned is in ``info["earned_reward"]``."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        earned = float(reward)
        self._rewards = [*self._rewards[-(self._memory - 1) :], earned][-self._memory :]
        paid = self._rewards[int(self._rng.integers(len(self._rewards)))]
        return observation, paid, terminated, truncated, {**info, "earned_reward": earned}
