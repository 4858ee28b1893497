"""The learner of the PPO agent; see `agents.training.trainer` for the run around it."""

from typing import Any

from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from agents.ppo.config import PPOConfig
from agents.ppo.network import CandidatePPOPolicy
from agents.training.pool_envs import make_pool_envs
from agents.training.pool_learner import PoolSb3Learner


class PPOLearner(PoolSb3Learner[PPOConfig]):
    """Trains sb3-contrib's `MaskablePPO` with `CandidatePPOPolicy` and exports its logits."""

    name = "ppo"

    def make_envs(self, segment: int) -> VecEnv:
        """Return the environments of a segment, with scaled rewards."""
        scale = self.config.reward_scale
        return make_pool_envs(self.config, self.features, segment, reward_scale=scale)

    def make_model(self, envs: VecEnv, *, seed: int) -> MaskablePPO:
        """Return a model with fresh weights."""
        config = self.config
        return MaskablePPO(
            CandidatePPOPolicy,
            envs,
            learning_rate=config.learning_rate,
            n_steps=config.n_steps,
            batch_size=config.batch_size,
            n_epochs=config.n_epochs,
            gamma=config.gamma,
            gae_lambda=config.gae_lambda,
            ent_coef=config.ent_coef,
            policy_kwargs={
                "widths": config.net_arch,
                "start": config.start,
                "start_scale": config.start_scale,
            },
            seed=seed,
            device="cpu",
        )

    def scorer(self, model: MaskablePPO) -> nn.Module:
        """Return the network of the logits, without a start's part."""
        heads: Any = model.policy.mlp_extractor
        network: nn.Module = heads.scorer
        return network
