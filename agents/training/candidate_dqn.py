"""CandidateDQN: stable-baselines3's DQN for slates of candidates.

Overridden: the train step (double Q, importance weights, priorities) and when it is taken (during
the next step of the environments), exploration (legal slots only, one draw per environment), the
progress of schedules (of the whole run, not of a segment). Learning loop, callbacks, saving and
loading are stable-baselines3's.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import DQN
from stable_baselines3.common.noise import ActionNoise
from stable_baselines3.common.type_aliases import GymEnv, TrainFreq
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.dqn.policies import DQNPolicy
from torch.nn import functional

from agents.training.candidate_q_network import CandidateDQNPolicy, CandidateQNetwork
from agents.training.overlap import SteppedMeanwhile
from agents.training.prioritised_replay import Batch, PrioritisedReplay
from lal.errors import UsageError

Observation = dict[str, NDArray[Any]]

DISCOUNT = 0.99
"""Of stable-baselines3's DQN."""


class CandidateDQN(DQN):
    """Double DQN with prioritised replay over dict observations with a mask.

    Args:
        policy: As for `stable_baselines3.DQN`.
        env: As for `stable_baselines3.DQN`.
        planned_steps: Environment steps of the whole run; schedules follow it, so that a run cut
            into segments anneals as an uncut one. None follows each call of `learn`.
        **kwargs: As for `stable_baselines3.DQN`.
    """

    def __init__(
        self,
        policy: str | type[DQNPolicy] = CandidateDQNPolicy,
        env: GymEnv | str | None = None,
        *,
        planned_steps: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.planned_steps = planned_steps
        self.explorer = np.random.default_rng(kwargs.get("seed") or 0)
        kwargs.setdefault("replay_buffer_class", PrioritisedReplay)
        replay = {
            "gamma": kwargs.get("gamma", DISCOUNT),
            **(kwargs.get("replay_buffer_kwargs") or {}),
        }
        kwargs["replay_buffer_kwargs"] = replay
        self._postpones, self._due = False, (0, 0)
        super().__init__(policy, env, **kwargs)  # type: ignore[arg-type]

    def reseed(self, seed: int) -> None:
        """Seed every generator that learning draws from (torch, numpy, exploration, replay)."""
        self.set_random_seed(seed)
        self.explorer = np.random.default_rng(seed)
        if isinstance(self.replay_buffer, PrioritisedReplay):
            self.replay_buffer.reseed(seed)

    def learn(self, *args: Any, **kwargs: Any) -> Self:
        """Learn as stable-baselines3 does, but take gradient steps during the next step.

        The transitions of that step are therefore replayed one round later. None is left over.
        """
        envs = cast("VecEnv", self.env)
        with ThreadPoolExecutor(1) as executor:
            self.env = SteppedMeanwhile(envs, executor, self._take_due)
            self._postpones = True
            try:
                super().learn(*args, **kwargs)
            finally:
                self._postpones, self.env = False, envs
        self._take_due()
        return self

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Take gradient steps on prioritised minibatches with double-Q targets.

        Within `learn` they become due and are taken during the next step of the environments.
        """
        self._due = (gradient_steps, batch_size)
        if not self._postpones:
            self._take_due()

    def _take_due(self) -> None:
        (gradient_steps, batch_size), self._due = self._due, (0, 0)
        if not gradient_steps:
            return
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        replay = self.replay_buffer
        if not isinstance(replay, PrioritisedReplay):
            raise UsageError("CandidateDQN learns from a PrioritisedReplay; pass no other buffer")
        losses, online = [], cast("CandidateQNetwork", self.q_net)
        for _ in range(gradient_steps):
            batch = replay.sample(batch_size)
            error = online.get_value(batch.observations, batch.actions) - self._targets(batch)
            loss = _weighted_huber(error, batch.weights)
            self.policy.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
            self.policy.optimizer.step()
            replay.update_priorities(batch.slots, error.detach().cpu().numpy().reshape(-1))
            losses.append(float(loss.detach()))
        self._n_updates += gradient_steps
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/loss", float(np.mean(losses)))

    def learn_offline(self) -> None:
        """Count `train_freq` steps of all environments and take the gradient steps due for them."""
        frequency = cast("TrainFreq", self.train_freq).frequency
        for _ in range(frequency):
            self.num_timesteps += self.n_envs
            self._on_step()
        self._update_current_progress_remaining(self.num_timesteps, self.num_timesteps)
        self.train(self.gradient_steps, self.batch_size)

    def _targets(self, batch: Batch) -> torch.Tensor:
        """Return r + discount * Q_target(s', argmax Q_online(s')), shape (B, 1).

        r is the sum of the replay's n steps and s' what came after them. A next state without a
        legal slot is worth nothing, whether or not the environment called it an end.
        Source: van Hasselt et al. 2016, arXiv 1509.06461.
        """
        target = cast("CandidateQNetwork", self.q_net_target)
        with torch.no_grad():
            best = self.q_net(batch.next_observations).argmax(dim=1, keepdim=True)
            following = target.get_value(batch.next_observations, best)
            legal = batch.next_observations["mask"].bool().any(dim=1, keepdim=True)
            goes_on = (1.0 - batch.dones) * legal
            return batch.rewards + batch.discounts * goes_on * torch.where(legal, following, 0.0)

    def predict(
        self,
        observation: NDArray[Any] | Observation,
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[Any], tuple[NDArray[Any], ...] | None]:
        """Return slots; unless deterministic, each environment explores on its own coin."""
        action, state = self.policy.predict(observation, state, episode_start, deterministic)
        if deterministic or not isinstance(observation, dict):
            return action, state
        return self._explored(action, observation["mask"], self.exploration_rate), state

    def _explored(
        self, greedy: NDArray[Any], mask: NDArray[Any], epsilon: float
    ) -> NDArray[np.int64]:
        """Return the greedy slots with a share `epsilon` replaced by uniformly drawn legal ones."""
        legal = np.atleast_2d(mask).astype(bool)
        actions = np.atleast_1d(greedy).astype(np.int64)
        coins = self.explorer.random(len(actions)) < epsilon
        keys = np.where(legal, self.explorer.random(legal.shape), -1.0)
        drawn = np.where(coins & legal.any(axis=1), keys.argmax(axis=1), actions)
        return drawn.reshape(np.shape(greedy))

    def _sample_action(
        self, learning_starts: int, action_noise: ActionNoise | None = None, n_envs: int = 1
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        if self.num_timesteps >= learning_starts:
            return super()._sample_action(learning_starts, action_noise, n_envs)
        if not isinstance(self._last_obs, dict):
            raise UsageError("CandidateDQN needs dict observations with a mask")
        warm_up = self._explored(np.zeros(n_envs, dtype=np.int64), self._last_obs["mask"], 1.0)
        return warm_up, warm_up

    def _update_current_progress_remaining(self, num_timesteps: int, total_timesteps: int) -> None:
        whole = total_timesteps if self.planned_steps is None else self.planned_steps
        super()._update_current_progress_remaining(num_timesteps, whole)


def _weighted_huber(error: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    loss = functional.smooth_l1_loss(error, torch.zeros_like(error), reduction="none")
    return (weights * loss).mean()
