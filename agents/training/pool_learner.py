"""What learners share whose policies act in ``lal/Pool-v0``: features, validation, export, card."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from agents.export.start import Start
from agents.export.torch_layers import Arrays, slate_program
from agents.training.config import FineTuningConfig, PoolEnvConfig
from agents.training.learner import Learner
from agents.training.pool_envs import make_pool_envs
from agents.training.sb3 import Sb3Learner
from agents.training.tasks import feature_lists, training_card
from agents.training.validation import PoolValidation
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy
from lal.rng import integer_seed

P = TypeVar("P", bound=PoolEnvConfig)

Program = tuple[dict[str, Any], Arrays]


class PoolLearner(Learner[P]):
    """A method whose policy scores the candidates of ``lal/Pool-v0`` by one network."""

    name: ClassVar[str]
    """Of the policies."""

    @cached_property
    def start(self) -> Start | None:
        """The policy that is fine-tuned, if the config names one."""
        config = self.config
        if not isinstance(config, FineTuningConfig) or not config.start:
            return None
        return Start(config.start, config.start_scale)

    @property
    def features(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Ids of the candidate and the context features: the start's where there is one."""
        if self.start is None:
            return feature_lists(self.config)
        return self.start.policy.candidate_features, self.start.policy.context_features

    @cached_property
    def validation(self) -> PoolValidation:
        """Scores policies on training-side tasks."""
        config = self.config
        return PoolValidation(
            config, config.n_dev_tasks, slate_size=config.slate_size, slate_rule=config.slate_rule
        )

    def card(self) -> dict[str, Any]:
        """Return what the policy's card says of its training."""
        return training_card(self.config, self.start.policy if self.start else None)

    def data(self) -> Mapping[str, Any]:
        """Return the real data sets of the run; learners are made, and so their names checked."""
        _ = self.validation
        data: Mapping[str, Any] = self.card()["data"]
        return data

    def network_program(self, network: nn.Module) -> Program:
        """Return a network (with the start added) as a scorer program and its tensors."""
        return self.start.program(network) if self.start else slate_program(network)

    def export_network(self, network: nn.Module, name: str, card: Mapping[str, Any]) -> PoolPolicy:
        """Return the policy that ranks as a network does (with the start added), equal to 1e-5."""
        program, tensors = self.network_program(network)
        candidate_features, context_features = self.features
        return PoolPolicy(
            name=name,
            candidate_features=candidate_features,
            context_features=context_features,
            program=program,
            tensors=tensors,
            card=dict(card),
        )

    @abstractmethod
    def untrained_networks(self, seeds: list[int]) -> Iterable[nn.Module]:
        """Return a network with random weights for each seed."""

    @classmethod
    def export_untrained(cls, config: P, n: int) -> list[PoolPolicy]:
        """Return `n` policies with random weights; see `agents.registry.Agent`."""
        learner = cls(config)
        if learner.start is not None:
            raise UsageError("untrained copies of a tuned policy are its start; compare with that")
        card = {**learner.card(), "control": "untrained"}
        seeds = [integer_seed(config.seed, "untrained", i) for i in range(n)]
        return [
            learner.export_network(network, f"{cls.name}_untrained_{i}", card)
            for i, network in enumerate(learner.untrained_networks(seeds))
        ]

    def validate(self, policy: PoolPolicy) -> float:
        """Return the mean AUBC on training-side tasks."""
        return self.validation.score(policy)

    def check(self, policy: PoolPolicy) -> Mapping[str, Any]:
        """Return the comparison of whole pools with slates."""
        return self.validation.slate_check(policy)


class PoolSb3Learner(PoolLearner[P], Sb3Learner[P]):
    """A stable-baselines3 algorithm that acts in ``lal/Pool-v0``."""

    def __init__(self, config: P) -> None:
        super().__init__(config)
        one = replace(config, n_envs=1)
        make_pool_envs(one, self.features, segment=0).close()  # refuses unknown names

    def make_envs(self, segment: int) -> VecEnv:
        """Return the environments of a segment."""
        return make_pool_envs(self.config, self.features, segment)

    @abstractmethod
    def scorer(self, model: Any) -> nn.Module:
        """Return the network of a model that gives each slot the number it is ranked by."""

    def export(self) -> PoolPolicy:
        """Return the policy that ranks as the model does."""
        model = self.model
        return self.export_model(model, self.name, {**self.card(), "steps": model.num_timesteps})

    def export_model(self, model: Any, name: str, card: Mapping[str, Any]) -> PoolPolicy:
        """Return the policy of any model of this learner."""
        return self.export_network(self.scorer(model), name, card)

    def untrained_networks(self, seeds: list[int]) -> Iterable[nn.Module]:
        """Return the scorers of fresh models."""
        envs = self.make_envs(0)
        return [self.scorer(self.make_model(envs, seed=seed)) for seed in seeds]

    @classmethod
    def export_untrained(cls, config: P, n: int) -> list[PoolPolicy]:
        """Return `n` policies with random weights, made for one environment to save time."""
        return super().export_untrained(replace(config, n_envs=1), n)
