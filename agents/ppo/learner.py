"""The learner of the PPO agent; see `agents.training.trainer` for the run around it."""

from functools import cached_property
from typing import Any

import numpy as np
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import VecEnv

from agents.export.start import Start, load_start
from agents.export.torch_layers import slate_program
from agents.ppo.config import PPOConfig
from agents.ppo.network import CandidatePPOPolicy
from agents.training.pool_envs import make_pool_envs
from agents.training.pool_learner import PoolSb3Learner
from agents.training.tasks import feature_lists
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy

Features = tuple[tuple[str, ...], tuple[str, ...]]


class PPOLearner(PoolSb3Learner[PPOConfig]):
    """Trains sb3-contrib's `MaskablePPO` with `CandidatePPOPolicy` and exports its logits."""

    name = "ppo"

    @cached_property
    def start(self) -> PoolPolicy | None:
        """The policy that is fine-tuned, if the config names one."""
        return load_start(self.config.start) if self.config.start else None

    @property
    def features(self) -> Features:
        """Ids of the features: the start's where there is one."""
        if self.start is None:
            return feature_lists(self.config)
        return self.start.candidate_features, self.start.context_features

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

    def card(self) -> dict[str, Any]:
        """Return the run's card; what the start was trained on was seen in training, too."""
        card = super().card()
        if self.start is None:
            return card
        seen = {**dict(self.start.card.get("data", {}) or {}), **card["data"]}
        return {**card, "data": seen, "tuned_from": self.start.name}

    def scorer_program(self, model: MaskablePPO) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return the program whose utilities are the logits."""
        heads: Any = model.policy.mlp_extractor
        start: Start | None = heads.start
        return start.program(heads.scorer) if start else slate_program(heads.scorer)

    @classmethod
    def export_untrained(cls, config: PPOConfig, n: int) -> list[PoolPolicy]:
        """Return `n` policies with random weights; see `agents.registry.Agent`."""
        if config.start:
            raise UsageError("untrained copies of a tuned policy are its start; compare with that")
        return super().export_untrained(config, n)
