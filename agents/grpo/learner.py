"""The learner of the GRPO agent; see `agents.training.trainer` for the run around it."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from agents.grpo.config import GRPOConfig
from agents.grpo.network import CLOSED, CandidateScorer
from agents.grpo.rollouts import Rollout, collect, group_advantages
from agents.training.pool_envs import make_pool_vector_env
from agents.training.pool_learner import PoolLearner
from agents.training.torch_learner import TorchLearner
from envs.observations import Observation
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator, integer_seed

LEAST_RATE = 0.05
"""The learning rate ends at this share of itself."""


class GRPOLearner(PoolLearner[GRPOConfig], TorchLearner[GRPOConfig]):
    """Trains a candidate scorer by the group-relative policy gradient."""

    name = "grpo"
    network: CandidateScorer

    def __init__(self, config: GRPOConfig) -> None:
        super().__init__(config)
        self.network = self._make_network(integer_seed(config.seed, "weights"))
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate)

    @cached_property
    def first_slates(self) -> tuple[np.ndarray, np.ndarray]:
        """Context (n, G) and candidate rows (m, F) of random episodes, which scale the inputs."""
        envs = make_pool_vector_env(self.config, self.features, "scales")
        observation, _ = envs.reset(seed=integer_seed(self.config.seed, "scales"))
        contexts, rows = [], []
        for _ in range(self.config.budget):
            contexts.append(observation["context"])
            rows.append(observation["candidates"][observation["mask"] > 0])
            observation, *_ = envs.step(np.argmax(observation["mask"], axis=1))
        return np.concatenate(contexts), np.concatenate(rows)

    @property
    def n_units(self) -> int:
        """Length of the progress bar: environment steps."""
        return self.config.total_timesteps

    def _make_network(self, seed: int) -> CandidateScorer:
        context, candidates = self.first_slates
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self.fresh_network(context.shape[1], candidates.shape[1])
        network.standardise(context, candidates)
        return network

    def fresh_network(self, n_context: int, n_candidate: int) -> CandidateScorer:
        """Return a scorer with fresh weights from torch's generator."""
        zero = self.start is not None
        return CandidateScorer(n_context, n_candidate, self.config.net_arch, zero=zero)

    def train_segment(self, segment: int) -> Mapping[str, Any]:
        """Roll out and update up to the segment's end; return the figures."""
        config = self.config
        envs = make_pool_vector_env(config, self.features, segment, group_size=config.group_size)
        observation, _ = envs.reset(seed=integer_seed(config.seed, "envs", segment))
        draws = torch.Generator().manual_seed(integer_seed(config.seed, "actions", segment))
        numbers = generator(config.seed, "updates", segment)
        size = config.n_envs * config.budget
        n_updates = config.total_timesteps // (config.n_segments * size)
        figures: dict[str, float] = {}
        returns = []
        for update in range(n_updates):
            self._set_rate((segment + update / n_updates) / config.n_segments)
            rollout, observation = collect(
                envs, observation, self.network,
                n_steps=config.budget, added=self._start_logits, generator=draws,
            )  # fmt: skip
            returns.append(float(rollout.rewards.sum(axis=0).mean()))
            figures = self._update(rollout, numbers)
            done = (segment * n_updates + update + 1) * size
            self.progress.at(done)
        envs.close()
        return {
            "step": (segment + 1) * n_updates * size, "mean_return": float(np.mean(returns)),
            **figures,
        }  # fmt: skip

    def _set_rate(self, done: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * max(LEAST_RATE, 1.0 - done)

    def _start_logits(self, observation: Observation) -> torch.Tensor:
        if self.start is None:
            return torch.zeros(observation["mask"].shape)
        return self.start.logits(observation)

    def _update(self, rollout: Rollout, numbers: np.random.Generator) -> dict[str, float]:
        """Take the gradient steps of one rollout; return the last entropy."""
        config, rewards = self.config, rollout.rewards
        if config.control == "shuffled_reward":
            rewards = numbers.permutation(rewards.ravel()).reshape(rewards.shape)
        found = group_advantages(rewards, gamma=config.gamma, group_size=config.group_size)
        advantages = torch.from_numpy(found.ravel()).float()
        entropy = 0.0
        for _ in range(config.n_epochs):
            order = torch.from_numpy(numbers.permutation(len(advantages)))
            for rows in torch.split(order, config.batch_size):
                loss, entropy = self._loss(rollout, rows, advantages[rows])
                self.step(loss, max_norm=config.max_grad_norm)
        return {"entropy": entropy}

    def _loss(
        self, rollout: Rollout, rows: torch.Tensor, advantages: torch.Tensor
    ) -> tuple[torch.Tensor, float]:
        config, slates = self.config, rollout.slates[rows]
        log_p = slates.log_probabilities(self.network)
        chosen = log_p.gather(1, rollout.actions[rows][:, None])[:, 0]
        ratio = (chosen - rollout.log_probabilities[rows]).exp()
        cut = ratio.clamp(1 - config.clip_range, 1 + config.clip_range)
        p = log_p.exp()
        entropy = -(p * log_p).sum(dim=1).mean()  # closed slots: exactly 0 times a finite number
        loss = -torch.min(ratio * advantages, cut * advantages).mean() - config.ent_coef * entropy
        if config.kl_coef:
            start = torch.log_softmax(slates.added.masked_fill(~slates.mask, CLOSED), dim=1)
            apart = (p * (log_p - start)).sum(dim=1).mean()
            loss = loss + config.kl_coef * apart
        return loss, float(entropy.detach())

    def export(self) -> PoolPolicy:
        """Return the policy that ranks as the network does."""
        return self.export_network(self.network.exported(), self.name, self.card())

    def untrained_networks(self, seeds: list[int]) -> Iterable[nn.Module]:
        """Return fresh networks."""
        return [self._make_network(seed).exported() for seed in seeds]
