"""Prioritised replay for dict observations."""

from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.buffers import DictReplayBuffer
from stable_baselines3.common.type_aliases import TensorDict
from stable_baselines3.common.vec_env import VecNormalize

from lal.arrays import Floats, Ints

PRIORITY_FLOOR = 1e-3
"""Added to every |TD error|, so that no transition is ever out of reach."""


class Batch(NamedTuple):
    """A minibatch of B transitions.

    Attributes:
        observations: Dict of tensors with B rows.
        actions: Slots taken, shape (B, 1).
        next_observations: Dict of tensors with B rows.
        dones: 1 where the episode ended (time limits do not count), shape (B, 1).
        rewards: Scaled rewards, shape (B, 1).
        weights: Importance weights, largest is 1, shape (B, 1).
        slots: Where the transitions lie, for `PrioritisedReplay.update_priorities`, shape (B,).
    """

    observations: TensorDict
    actions: torch.Tensor
    next_observations: TensorDict
    dones: torch.Tensor
    rewards: torch.Tensor
    weights: torch.Tensor
    slots: Ints


class PrioritisedReplay(DictReplayBuffer):
    """Samples transitions with P proportional to (|TD error| + floor)^alpha.

    Source: Schaul et al. 2016, proportional variant, arXiv 1511.05952. All draws come from the
    buffer's own generator. Sampling is a cumulative sum over the filled slots, about 0.1 ms for
    10 000.

    Args:
        buffer_size: Transitions kept, divided by `n_envs`.
        observation_space: The environment's.
        action_space: The environment's.
        device: Where batches go.
        n_envs: Environments that fill it.
        optimize_memory_usage: Must be False; stable-baselines3 passes it.
        alpha: 0 samples uniformly, 1 in proportion to the error.
        beta: Exponent of the importance weights; 1 corrects the bias in full.
        seed: Of the sampling draws.
        reward_scale: Rewards are multiplied by it when stored.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Dict,
        action_space: spaces.Space[Any],
        device: torch.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        *,
        alpha: float = 0.6,
        beta: float = 0.6,
        seed: int = 0,
        reward_scale: float = 1.0,
    ) -> None:
        super().__init__(
            buffer_size, observation_space, action_space, device, n_envs, optimize_memory_usage
        )
        self.alpha, self.beta, self.reward_scale = alpha, beta, reward_scale
        self.priorities = np.zeros((self.buffer_size, n_envs), dtype=np.float64)
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Start the buffer's generator anew."""
        self.rng = np.random.default_rng(seed)

    def add(  # type: ignore[override]
        self,
        obs: dict[str, NDArray[Any]],
        next_obs: dict[str, NDArray[Any]],
        action: NDArray[Any],
        reward: NDArray[Any],
        done: NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        """Store one transition of every environment with the largest priority so far."""
        row = self.pos
        super().add(obs, next_obs, action, reward * self.reward_scale, done, infos)
        self.priorities[row] = max(float(self.priorities.max()), 1.0)

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> Batch:  # type: ignore[override]
        """Draw a minibatch by priority, with replacement."""
        slots, weights = self._draw(batch_size)
        rows, envs = slots // self.n_envs, slots % self.n_envs
        ended = self.dones[rows, envs] * (1.0 - self.timeouts[rows, envs])
        return Batch(
            observations={k: self.to_torch(v[rows, envs]) for k, v in self.observations.items()},
            actions=self.to_torch(self.actions[rows, envs]),
            next_observations={
                k: self.to_torch(v[rows, envs]) for k, v in self.next_observations.items()
            },
            dones=self.to_torch(ended).reshape(-1, 1),
            rewards=self.to_torch(self.rewards[rows, envs]).reshape(-1, 1),
            weights=self.to_torch(weights.astype(np.float32)).reshape(-1, 1),
            slots=slots,
        )

    def _draw(self, batch_size: int) -> tuple[Ints, Floats]:
        """Return flat slots and importance weights, both (B,)."""
        n = self.size() * self.n_envs
        mass = np.cumsum(self.priorities.reshape(-1)[:n] ** self.alpha)
        drawn = np.searchsorted(mass, self.rng.random(batch_size) * mass[-1], side="right")
        slots: Ints = np.minimum(drawn, n - 1).astype(np.int64)
        chance = self.priorities.reshape(-1)[slots] ** self.alpha / mass[-1]
        weights = (n * chance) ** -self.beta
        return slots, weights / weights.max()

    def update_priorities(self, slots: Ints, errors: Floats) -> None:
        """Set the priorities of sampled slots from their TD errors, both (B,)."""
        self.priorities.reshape(-1)[slots] = np.abs(errors) + PRIORITY_FLOOR
