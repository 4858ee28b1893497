"""The learner of RALIS: CandidateDQN in lal/Regions-v0, and its export."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv
from torch import nn

from agents.export.torch_layers import slate_program
from agents.ralis.config import RalisConfig
from agents.training.candidate_dqn import CandidateDQN
from agents.training.pool_envs import ShuffledRewards
from agents.training.sb3 import Sb3Learner
from envs.regions_env import RegionsEnv
from lal.episode import run_episode
from lal.features import REGION_CANDIDATE_FEATURES, REGION_CONTEXT_FEATURES
from lal.learners import make_learner
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator, integer_seed
from lal.serialization import config_hash, versions
from lal.task import Task
from lal.tasks.regions import RegionSampler


class RalisLearner(Sb3Learner[RalisConfig]):
    """Trains `CandidateDQN` on images of ever new textures and exports its Q values."""

    def __init__(self, config: RalisConfig) -> None:
        super().__init__(config)
        make_learner(config.base)  # refuses unknown names
        self.sampler = RegionSampler(budget=config.budget, bases=(config.base,))

    def make_envs(self, segment: int) -> VecEnv:
        """Return the environments of a segment."""
        config = self.config

        def make() -> Monitor[Any, Any]:
            return Monitor(
                RegionsEnv(
                    self.sampler,
                    price=config.price,
                    slate_size=config.slate_size,
                    batch_size=config.regions,
                )
            )

        envs: VecEnv = DummyVecEnv([make] * config.n_envs)
        envs.seed(integer_seed(config.seed, "environments", segment))
        if config.control == "shuffled_reward":
            envs = ShuffledRewards(envs, seed=integer_seed(config.seed, "shuffle", segment))
        return envs

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
            train_freq=1,
            gradient_steps=config.gradient_steps,
            target_update_interval=config.target_update_interval,
            exploration_fraction=config.exploration_fraction,
            exploration_final_eps=config.exploration_final_eps,
            policy_kwargs={"net_arch": list(config.net_arch)},
            replay_buffer_kwargs={"reward_scale": config.reward_scale},
            seed=seed,
            device="cpu",
        )

    def reseed(self, model: CandidateDQN, seed: int) -> None:
        """Seed torch, numpy, exploration, replay and environments."""
        model.reseed(seed)

    @cached_property
    def dev_tasks(self) -> list[Task]:
        """Tasks of textures of their own that choose the best policy."""
        config = self.config
        return [self.sampler(generator(config.seed, "dev", i)) for i in range(config.n_dev_tasks)]

    def validate(self, policy: PoolPolicy) -> float:
        """Return the mean area under the curve of mean IoU on the reward images."""
        areas = [
            run_episode(
                policy, task, seed=i, batch_size=self.config.regions, part="reward"
            ).area("mean_iou")
            for i, task in enumerate(self.dev_tasks)
        ]  # fmt: skip
        return float(np.mean(areas))

    def export(self) -> PoolPolicy:
        """Return the policy that ranks regions as the model does."""
        steps = self.model.num_timesteps
        return export(self.model.q_net.q_net, self.config, {"steps": steps})

    @classmethod
    def export_untrained(cls, config: RalisConfig, n: int) -> list[PoolPolicy]:
        """Return `n` policies with random weights; see `agents.registry.Agent`."""
        learner = cls(config)
        envs = learner.make_envs(0)
        seeds = [integer_seed(config.seed, "untrained", i) for i in range(n)]
        models: list[Any] = [learner.make_model(envs, seed=seed) for seed in seeds]
        told = {"control": "untrained", "steps": 0}
        return [export(model.q_net.q_net, config, told) for model in models]


def export(network: nn.Module, config: RalisConfig, told: Mapping[str, Any]) -> PoolPolicy:
    """Return the policy that ranks regions as a network does, equal to 1e-5."""
    program, tensors = slate_program(network)
    card = {
        "summary": f"RALIS-style: double DQN over regions, {config.total_timesteps} regions",
        "agent": "ralis",
        "control": config.control,
        "seed": config.seed,
        "config_hash": config_hash(config),
        "trained_on": "made-up scenes, new textures in every episode",
        "learners": [f"segmentation({config.base})"],
        "budget": config.budget,
        "versions": versions(),
        **told,
    }
    return PoolPolicy(
        name=f"ralis-{config.seed}",
        candidate_features=REGION_CANDIDATE_FEATURES,
        context_features=REGION_CONTEXT_FEATURES,
        program=program,
        tensors=tensors,
        card=card,
    )
