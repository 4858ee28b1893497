"""Rollouts of GRPO: groups of paired episodes, and how much better than its group each step did."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from envs.observations import Observation
from envs.pool_vector_env import PoolVectorEnv
from lal.arrays import Floats

LARGEST = 4.0
"""Standardised advantages are cut here; a few lucky labels would else decide an update."""

Logits = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Candidates (B, K, F), context (B, G) and mask (B, K) to logits (B, K)."""


@dataclass(frozen=True, eq=False)
class Slates:
    """What the policy saw.

    Attributes:
        candidates: Shape (n, K, F).
        context: Shape (n, G).
        mask: Open slots, shape (n, K).
        added: Logits that a start policy adds, shape (n, K); zeros without one.
    """

    candidates: torch.Tensor
    context: torch.Tensor
    mask: torch.Tensor
    added: torch.Tensor

    def __getitem__(self, rows: torch.Tensor) -> "Slates":
        """Return some of the slates."""
        return Slates(self.candidates[rows], self.context[rows], self.mask[rows], self.added[rows])

    def log_probabilities(self, network: Logits) -> torch.Tensor:
        """Return the log-probabilities of all slots, shape (n, K)."""
        logits = network(self.candidates, self.context, self.mask) + self.added
        return torch.log_softmax(logits, dim=1)


@dataclass(frozen=True, eq=False)
class Rollout:
    """T steps of E episodes, step after step.

    Attributes:
        slates: What was seen, n = T E.
        actions: Slots chosen, shape (n,).
        log_probabilities: Of the actions when they were chosen, shape (n,).
        rewards: Shape (T, E).
    """

    slates: Slates
    actions: torch.Tensor
    log_probabilities: torch.Tensor
    rewards: Floats


def collect(
    envs: PoolVectorEnv,
    observation: Observation,
    network: Logits,
    *,
    n_steps: int,
    added: Callable[[Observation], torch.Tensor],
    generator: torch.Generator,
) -> tuple[Rollout, Observation]:
    """Act for `n_steps` steps; return what happened and the observation after it.

    Args:
        envs: Environments.
        observation: What they show now.
        network: The policy's logits.
        n_steps: Steps T of every environment.
        added: Gives the logits of a start policy.
        generator: Draws the actions.
    """
    seen, actions, chosen, rewards = [], [], [], []
    for _ in range(n_steps):
        slates = get_slates(observation, added(observation))
        with torch.no_grad():
            log_p = slates.log_probabilities(network)
            action = torch.multinomial(log_p.exp(), 1, generator=generator)
        seen.append(slates)
        actions.append(action[:, 0])
        chosen.append(log_p.gather(1, action)[:, 0])
        observation, reward, *_ = envs.step(action[:, 0].numpy())
        rewards.append(reward)
    slates = Slates(
        torch.cat([s.candidates for s in seen]),
        torch.cat([s.context for s in seen]),
        torch.cat([s.mask for s in seen]),
        torch.cat([s.added for s in seen]),
    )
    return Rollout(slates, torch.cat(actions), torch.cat(chosen), np.stack(rewards)), observation


def get_slates(observation: Observation, added: torch.Tensor) -> Slates:
    """Return an observation as tensors."""
    return Slates(
        torch.from_numpy(observation["candidates"]),
        torch.from_numpy(observation["context"]),
        torch.from_numpy(observation["mask"] > 0),
        added,
    )


def group_advantages(rewards: Floats, *, gamma: float, group_size: int) -> Floats:
    """Return how much better than the rest of its group each step's rewards to go were.

    Rewards to go minus the mean of the others in the group at the same step (leave one out), in
    units of the step's standard deviation over all episodes: late labels gain less than early
    ones and would else count for nothing.

    Args:
        rewards: Shape (T, E); groups are `group_size` neighbours in E, T is a whole episode.
        gamma: Discount.
        group_size: Episodes of a group, M.

    Returns:
        Shape (T, E), cut at 4 standard deviations.
    """
    to_go = np.zeros_like(rewards)
    later = np.zeros(rewards.shape[1])
    for t in range(len(rewards) - 1, -1, -1):
        later = rewards[t] + gamma * later
        to_go[t] = later
    groups = to_go.reshape(len(rewards), -1, group_size)
    ahead = (groups - groups.mean(axis=2, keepdims=True)) * (group_size / (group_size - 1))
    flat = ahead.reshape(rewards.shape)
    scale = flat.std(axis=1, keepdims=True)
    advantages: Floats = np.clip(flat / np.where(scale > 0, scale, 1.0), -LARGEST, LARGEST)
    return advantages
