"""Sb3Learner for ``lal/Pool-v0``: environments, validation and card."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from agents.training.config import PoolEnvConfig
from agents.training.pool_envs import make_pool_envs
from agents.training.sb3 import Sb3Learner
from agents.training.tasks import feature_lists, training_card
from agents.training.validation import PoolValidation
from lal.policies.pool_policy import PoolPolicy
from lal.rng import integer_seed

P = TypeVar("P", bound=PoolEnvConfig)


class PoolSb3Learner(Sb3Learner[P]):
    """A stable-baselines3 algorithm that acts in ``lal/Pool-v0``."""

    name: ClassVar[str]
    """Of the policies."""

    def __init__(self, config: P) -> None:
        super().__init__(config)
        one = replace(config, n_envs=1)
        make_pool_envs(one, self.features, segment=0).close()  # refuses unknown names

    @cached_property
    def validation(self) -> PoolValidation:
        """Scores policies on training-side tasks."""
        config = self.config
        return PoolValidation(
            config, config.n_dev_tasks, slate_size=config.slate_size, slate_rule=config.slate_rule
        )

    @property
    def features(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Ids of the candidate features and of the context features."""
        return feature_lists(self.config)

    def make_envs(self, segment: int) -> VecEnv:
        """Return the environments of a segment."""
        return make_pool_envs(self.config, self.features, segment)

    def card(self) -> dict[str, Any]:
        """Return what the policy's card says of its training."""
        return training_card(self.config)

    def data(self) -> Mapping[str, Any]:
        """Return the real data sets of the run; learners are made, and so their names checked."""
        _ = self.validation
        data: Mapping[str, Any] = self.card()["data"]
        return data

    @abstractmethod
    def scorer_program(self, model: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return the program and tensors whose utilities are what the model ranks slots by."""

    def export(self) -> PoolPolicy:
        """Return the policy that ranks as the model does, equal to 1e-5."""
        model = self.model
        return self.export_model(model, self.name, {**self.card(), "steps": model.num_timesteps})

    def export_model(self, model: Any, name: str, card: Mapping[str, Any]) -> PoolPolicy:
        """Return the policy of any model of this learner."""
        program, tensors = self.scorer_program(model)
        candidate_features, context_features = self.features
        return PoolPolicy(
            name=name,
            candidate_features=candidate_features,
            context_features=context_features,
            program=program,
            tensors=tensors,
            card=dict(card),
        )

    @classmethod
    def export_untrained(cls, config: P, n: int) -> list[PoolPolicy]:
        """Return `n` policies with random weights; see `agents.registry.Agent`."""
        learner = cls(replace(config, n_envs=1))
        envs = learner.make_envs(0)
        card = {**learner.card(), "control": "untrained"}
        seeds = [integer_seed(config.seed, "untrained", i) for i in range(n)]
        models = [learner.make_model(envs, seed=seed) for seed in seeds]
        return [
            learner.export_model(model, f"{cls.name}_untrained_{i}", card)
            for i, model in enumerate(models)
        ]

    def validate(self, policy: PoolPolicy) -> float:
        """Return the mean AUBC on training-side tasks."""
        return self.validation.score(policy)

    def check(self, policy: PoolPolicy) -> Mapping[str, Any]:
        """Return the comparison of whole pools with slates."""
        return self.validation.slate_check(policy)
