"""The learner of the DQN agent; see `agents.training.trainer` for the run around it."""

from functools import cached_property
from typing import Any

from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from agents.dqn.config import DQNConfig
from agents.training.candidate_dqn import CandidateDQN
from agents.training.candidate_q_network import CandidateQNetwork
from agents.training.pool_learner import PoolSb3Learner
from agents.training.replay import fill
from envs.recorded import Transitions, read_transitions
from lal.errors import UsageError


class DQNLearner(PoolSb3Learner[DQNConfig]):
    """Trains `CandidateDQN` and exports its Q values."""

    name = "dqn"

    def make_model(self, envs: VecEnv, *, seed: int) -> CandidateDQN:
        """Return a model with fresh weights."""
        config = self.config
        return CandidateDQN(
            env=envs,
            planned_steps=config.total_timesteps,
            learning_rate=config.learning_rate,
            buffer_size=config.buffer_size,
            learning_starts=config.learning_starts,
            batch_size=config.batch_size,
            gamma=config.gamma,
            train_freq=config.train_freq,
            gradient_steps=config.gradient_steps,
            target_update_interval=config.target_update_interval,
            exploration_fraction=config.exploration_fraction,
            exploration_final_eps=config.exploration_final_eps,
            policy_kwargs={"net_arch": list(config.net_arch)},
            replay_buffer_kwargs={
                "alpha": config.priority_alpha,
                "beta": config.priority_beta,
                "reward_scale": config.reward_scale,
                "n_steps": config.n_steps,
            },
            seed=seed,
            device="cpu",
        )

    def learn(self, model: CandidateDQN, goal: int) -> None:
        """Learn up to a number of steps, by acting or from recorded episodes."""
        if not self.config.offline:
            super().learn(model, goal)
            return
        if model.replay_buffer is not None and model.replay_buffer.size() == 0:
            fill(model.replay_buffer, self.recorded)
        while model.num_timesteps < goal:
            model.learn_offline()
            self.progress.at(model.num_timesteps)

    @cached_property
    def recorded(self) -> Transitions:
        """The recorded steps, in place of what acting would give."""
        found = read_transitions(self.config.offline)
        shapes = {key: values.shape[1:] for key, values in found.observations.items()}
        features = [len(ids) for ids in self.features]
        wanted = {
            "candidates": (self.config.slate_size, features[0]), "context": (features[1],),
            "mask": (self.config.slate_size,),
        }  # fmt: skip
        if shapes != wanted:
            raise UsageError(
                f"data set {self.config.offline!r} has observations of shapes {shapes}, expected "
                f"{wanted}: record it with the same features and slate_size"
            )
        if not self.config.n_envs <= len(found) <= self.config.buffer_size:
            raise UsageError(
                f"data set {self.config.offline!r} holds {len(found)} steps, expected n_envs "
                f"({self.config.n_envs}) to buffer_size ({self.config.buffer_size}) of them"
            )
        return found

    def card(self) -> dict[str, Any]:
        """Return the run's card; recorded episodes do not say which data sets they are of."""
        card = super().card()
        if not self.config.offline:
            return card
        said = f"episodes recorded as {self.config.offline}; of which data sets, they do not say"
        return {**{k: v for k, v in card.items() if k != "share_synthetic"}, "trained_on": said}

    def reseed(self, model: CandidateDQN, seed: int) -> None:
        """Seed torch, numpy, exploration, replay and environments."""
        model.reseed(seed)

    def figures(self, model: CandidateDQN) -> dict[str, Any]:
        """Return the figures of a segment, with the share of random steps."""
        return {**super().figures(model), "exploration_rate": model.exploration_rate}

    def scorer(self, model: CandidateDQN) -> nn.Module:
        """Return the network of the Q values."""
        network = model.q_net
        if not isinstance(network, CandidateQNetwork):
            raise UsageError(f"expected a CandidateQNetwork, got {type(network).__name__}")
        return network.q_net
