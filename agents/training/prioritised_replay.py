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
        rewards: Scaled rewards, shape (B, 1); discounted sums of up to `n_steps` of them.
        discounts: What the value of the next observation counts, shape (B, 1).
        weights: Importance weights, largest is 1, shape (B, 1).
        slots: Where the transitions lie, for `PrioritisedReplay.update_priorities`, shape (B,).
    """

    observations: TensorDict
    actions: torch.Tensor
    next_observations: TensorDict
    dones: torch.Tensor
    rewards: torch.Tensor
    discounts: torch.Tensor
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
        n_steps: Rewards that are summed before a value is looked up; sums end with the episode
            (Hessel et al. 2018, arXiv 1710.02298, without correction for exploration).
        gamma: Discount.

    Attributes:
        rates: (|TD error| + floor)^alpha of every slot; an empty slot has 0.
        seams: Rows after which other episodes follow, because learning was interrupted.
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
        n_steps: int = 1,
        gamma: float = 0.99,
    ) -> None:
        super().__init__(
            buffer_size, observation_space, action_space, device, n_envs, optimize_memory_usage
        )
        self.alpha, self.beta, self.reward_scale = alpha, beta, reward_scale
        self.n_steps, self.gamma = n_steps, gamma
        self.rates = np.zeros((self.buffer_size, n_envs), dtype=np.float64)
        self.seams = np.zeros(self.buffer_size, dtype=np.bool_)
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Start the buffer's generator anew; what is stored next follows on nothing."""
        self.rng = np.random.default_rng(seed)
        self.seams[self._newest] = True

    def add(  # type: ignore[override]
        self,
        obs: dict[str, NDArray[Any]],
        next_obs: dict[str, NDArray[Any]],
        action: NDArray[Any],
        reward: NDArray[Any],
        done: NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        """Store one transition of every environment with the largest priority so far.

        The base class copies every array once more on the way; with slates that took longer than
        the step of the environments.
        """
        row = self.pos
        for store, seen in ((self.observations, obs), (self.next_observations, next_obs)):
            for key, rows in store.items():
                rows[row] = np.reshape(seen[key], rows.shape[1:])
        self.actions[row] = np.reshape(action, self.actions.shape[1:])
        self.rewards[row] = reward * self.reward_scale
        self.dones[row] = done
        self.timeouts[row] = [info.get("TimeLimit.truncated", False) for info in infos]
        self.rates[row] = max(float(self.rates.max()), 1.0)
        self.seams[row] = False
        self.pos = (row + 1) % self.buffer_size
        self.full = self.full or self.pos == 0

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> Batch:  # type: ignore[override]
        """Draw a minibatch by priority, with replacement."""
        slots, weights = self._draw(batch_size)
        rows, envs = slots // self.n_envs, slots % self.n_envs
        rewards, discounts, last = self._followed(rows, envs)
        ended = self.dones[last, envs] * (1.0 - self.timeouts[last, envs])
        return Batch(
            observations={k: self.to_torch(v[rows, envs]) for k, v in self.observations.items()},
            actions=self.to_torch(self.actions[rows, envs]),
            next_observations={
                k: self.to_torch(v[last, envs]) for k, v in self.next_observations.items()
            },
            dones=self.to_torch(ended).reshape(-1, 1),
            rewards=self.to_torch(rewards).reshape(-1, 1),
            discounts=self.to_torch(discounts).reshape(-1, 1),
            weights=self.to_torch(weights.astype(np.float32)).reshape(-1, 1),
            slots=slots,
        )

    def _followed(
        self, rows: Ints, envs: Ints
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], Ints]:
        """Return the n-step rewards, the discounts after them and the last rows, all (B,)."""
        last = rows
        rewards = self.rewards[rows, envs]
        discounts = np.full(len(rows), self.gamma, dtype=np.float32)
        for _ in range(self.n_steps - 1):
            stop = (self.dones[last, envs] > 0) | self.seams[last] | (last == self._newest)
            last = np.where(stop, last, (last + 1) % self.buffer_size)
            rewards = rewards + np.where(stop, 0.0, discounts * self.rewards[last, envs])
            discounts = np.where(stop, discounts, self.gamma * discounts)
        return rewards.astype(np.float32), discounts.astype(np.float32), last

    @property
    def _newest(self) -> int:
        return (self.pos - 1) % self.buffer_size

    def _draw(self, batch_size: int) -> tuple[Ints, Floats]:
        """Return flat slots and importance weights, both (B,)."""
        n = self.size() * self.n_envs
        rates = self.rates.reshape(-1)
        mass = np.cumsum(rates[:n])
        drawn = np.searchsorted(mass, self.rng.random(batch_size) * mass[-1], side="right")
        slots: Ints = np.minimum(drawn, n - 1).astype(np.int64)
        weights = (n * rates[slots] / mass[-1]) ** -self.beta
        return slots, weights / weights.max()

    def update_priorities(self, slots: Ints, errors: Floats) -> None:
        """Set the priorities of sampled slots from their TD errors, both (B,)."""
        self.rates.reshape(-1)[slots] = (np.abs(errors) + PRIORITY_FLOOR) ** self.alpha
