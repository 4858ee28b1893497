"""Learners in pool and region environments by hand: what is made of a config, and what is exported.

Everything that costs time is a stand-in which notes what it is given.
"""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")

from agents.dqn import learner as dqn
from agents.dqn.config import PRESETS as DQN
from agents.dqn.learner import DQNLearner
from agents.ppo import learner as ppo
from agents.ppo.config import PRESETS as PPO
from agents.ppo.learner import PPOLearner
from agents.ppo.network import CandidatePPOPolicy
from agents.training import pool_envs, pool_learner, tasks
from agents.training.config import PoolConfig, PoolEnvConfig
from agents.training.pool_envs import make_pool_envs, make_pool_vector_env
from agents.training.pool_learner import PoolLearner, PoolSb3Learner
from agents.training.tasks import dev_tasks, feature_lists, training_datasets, training_tasks
from lal.data.families import get_family
from lal.data.prior import PriorConfig, sample_dataset
from lal.errors import UsageError
from lal.policies.margin import margin_policy
from lal.rng import generator, integer_seed

FEATURES: Any = (("margin@1",), ("n_labelled@1",))


def take(values: dict[str, Any], names: str) -> dict[str, Any]:
    return {name: values[name] for name in names.split()}


# tasks


def test_training_tasks_are_drawn_as_the_config_says(monkeypatch: Any) -> None:
    monkeypatch.setattr(tasks, "training_datasets", lambda config: "data sets")
    monkeypatch.setattr(tasks, "TaskSampler", lambda **options: options)
    monkeypatch.setattr(tasks, "PlayableTasks", lambda sampler, budget: (sampler, budget))
    told: dict[str, Any] = {
        "learners": ("knn",),
        "budget": 7,
        "share_synthetic": 0.25,
        "max_pool": 90,
    }
    config = PoolEnvConfig(
        **told, hold_out=("wdbc",), rows=(50, 60), columns=(2, 3), rare=0.5, reward_share=0.75
    )
    found: Any = training_tasks(config)
    synthetic = found[0].pop("synthetic")
    shared = {**told, "datasets": "data sets", "hold_out": (get_family("wdbc"),)}
    assert found == ({**shared, "reward_share": 0.75}, 7)
    assert (synthetic.func, synthetic.args) == (sample_dataset, ())
    assert synthetic.keywords == {"config": PriorConfig(rows=(50, 60), columns=(2, 3), rare=0.5)}
    plain: Any = training_tasks(PoolConfig(**told, hold_out=("wdbc",)))
    assert plain == (shared, 7)


def test_dev_tasks_have_a_stream_each(monkeypatch: Any) -> None:
    monkeypatch.setattr(tasks, "training_tasks", lambda config: lambda rng: rng.integers(10**9))
    found: Any = dev_tasks(PoolConfig(seed=4), 3)
    assert found == [generator(4, "dev", i).integers(10**9) for i in range(3)]


def test_nothing_left_to_train_on_is_refused_unless_all_is_synthetic() -> None:
    config = PoolConfig(datasets=("sklearn:iris",), hold_out=("iris",), share_synthetic=0.5)
    with pytest.raises(UsageError, match="holding out iris leaves no real data set to train on"):
        training_datasets(config)
    with pytest.raises(UsageError, match="holding out nothing leaves no real data set"):
        training_datasets(replace(config, datasets=(), hold_out=()))
    assert training_datasets(replace(config, share_synthetic=1.0)) == []


# environments


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environments are what they are made of."""
    monkeypatch.setattr(pool_envs, "_options", lambda *given: {"made of": given})
    for name in ("PoolVecEnv", "PoolVectorEnv"):
        made: Callable[..., Any] = lambda n, name=name, **options: (name, n, options)  # noqa: E731
        monkeypatch.setattr(pool_envs, name, made)
    monkeypatch.setattr(pool_envs, "ShuffledRewards", lambda envs, *, seed: ("other", envs, seed))
    monkeypatch.setattr(pool_envs, "ScaledRewards", lambda envs, by: ("scaled", envs, by))


def test_environments_pay_as_the_config_says(stand_ins: None) -> None:
    config = PoolEnvConfig(seed=2, n_envs=3)
    plain = ("PoolVecEnv", 3, {"made of": (config, FEATURES, 5)})
    found: Any = make_pool_envs(config, FEATURES, 5)
    assert found == plain
    scaled: Any = make_pool_envs(config, FEATURES, 5, reward_scale=0.5)
    assert scaled == ("scaled", plain, 0.5)
    control = replace(config, control="shuffled_reward")
    envs = ("PoolVecEnv", 3, {"made of": (control, FEATURES, 5)})
    shuffled: Any = make_pool_envs(control, FEATURES, 5)
    assert shuffled == ("other", envs, integer_seed(2, "shuffle", 5))
    both: Any = make_pool_envs(control, FEATURES, 5, reward_scale=2.0)
    assert both == ("scaled", shuffled, 2.0)


def test_vector_environments_stand_in_groups(stand_ins: None) -> None:
    config = PoolEnvConfig(n_envs=6)
    for size, options in ((1, {}), (3, {"group_size": 3})):
        found: Any = make_pool_vector_env(config, FEATURES, "scales", **options)
        made = {"made of": (config, FEATURES, "scales"), "group_size": size}
        assert found == ("PoolVectorEnv", 6, made)


# what learners of pools share


class Copies(PoolSb3Learner[PoolEnvConfig]):
    """Its models are what they are made of, its networks what they are scored by."""

    name = "copies"

    def make_model(self, envs: Any, *, seed: int) -> Any:
        return SimpleNamespace(envs=envs, seed=seed, num_timesteps=11)

    def scorer(self, model: Any) -> Any:
        return ("scorer", model)

    def export_network(self, network: Any, name: str, card: Any) -> Any:
        return network, name, card


class Envs:
    """Environments that note how they were made, and when they are closed."""

    def __init__(self, calls: list[Any]) -> None:
        self.calls = calls

    def __call__(self, *given: Any, **options: Any) -> "Envs":
        self.calls.append((*given, options) if options else given)
        return self

    def close(self) -> None:
        self.calls.append("closed")


def test_names_are_checked_in_one_environment_that_is_closed(monkeypatch: Any) -> None:
    calls: list[Any] = []
    envs = Envs(calls)
    monkeypatch.setattr(pool_learner, "make_pool_envs", lambda *a, **options: envs(*a, **options))
    monkeypatch.setattr(pool_learner, "training_card", lambda config, start: {"start": start})
    config = PoolEnvConfig(n_envs=8, candidate_features=FEATURES[0], context_features=FEATURES[1])
    learner = Copies(config)
    assert calls == [(replace(config, n_envs=1), FEATURES, {"segment": 0}), "closed"]
    made_envs: Any = learner.make_envs(3)
    assert made_envs is envs
    assert calls[2:] == [(config, FEATURES, 3)]
    learner._model = model = learner.make_model(envs, seed=3)
    found: Any = learner.export()
    assert found == (("scorer", model), "copies", {"start": None, "steps": 11})
    made: Any = learner.untrained_networks([4, 5])
    assert calls[3:] == [(config, FEATURES, 0)]
    assert [(kind, one.envs is envs, one.seed) for kind, one in made] == [
        ("scorer", True, 4), ("scorer", True, 5),
    ]  # fmt: skip


class Networks(PoolLearner[PoolEnvConfig]):
    name = "networks"

    def untrained_networks(self, seeds: list[int]) -> Any:
        return [f"network {seed}" for seed in seeds]

    train_segment = export = None  # type: ignore[assignment]


def test_a_learner_of_pools_has_the_features_of_its_start(monkeypatch: Any) -> None:
    plain = Networks(PoolEnvConfig())
    assert plain.features == feature_lists(plain.config)
    assert plain.start is None
    monkeypatch.setattr(pool_learner, "Start", lambda name, scale: (name, scale))
    config = replace(PPO["smoke"], start="margin", start_scale=3.0)
    tuned: Any = Networks(config)
    assert tuned.start == ("margin", 3.0)
    tuned.start = SimpleNamespace(policy=margin_policy())
    assert tuned.features == (("margin@1",), ())
    monkeypatch.setattr(pool_learner, "training_card", lambda *given: given)
    assert tuned.card() == (config, tuned.start.policy)
    assert plain.card() == (plain.config, None)  # type: ignore[comparison-overlap]


def test_validation_is_on_slates_like_those_of_training(monkeypatch: Any) -> None:
    made: list[Any] = []

    def validation(*given: Any, **options: Any) -> Any:
        made.append((given, options))
        return SimpleNamespace(score=lambda p: ("score", p), slate_check=lambda p: ("check", p))

    monkeypatch.setattr(pool_learner, "PoolValidation", validation)
    monkeypatch.setattr(pool_learner, "training_card", lambda *given: {"data": "the data"})
    config = PoolEnvConfig(n_dev_tasks=5, slate_size=9, slate_rule="random")
    learner = Networks(config)
    assert made == []
    found: Any = learner.data()
    assert found == "the data"
    assert made == [((config, 5), {"slate_size": 9, "slate_rule": "random"})]
    policy: Any = "policy"
    results: Any = (learner.validate(policy), learner.check(policy))
    assert results == (("score", "policy"), ("check", "policy"))
    assert len(made) == 1


def test_a_network_is_exported_with_the_features_it_looks_at(monkeypatch: Any) -> None:
    config = PoolEnvConfig(candidate_features=("entropy@1",), context_features=("n_classes@1",))
    learner: Any = Networks(config)
    network = torch.nn.Sequential(torch.nn.Linear(2, 1))
    policy = learner.export_network(network, "mine", {"summary": "x"})
    assert (policy.name, policy.candidate_features) == ("mine", ("entropy@1",))
    assert policy.context_features == ("n_classes@1",)
    assert dict(policy.card) == {"summary": "x"}
    margin = margin_policy()
    learner.start = SimpleNamespace(
        policy=margin, program=lambda net: (margin.program, margin.tensors) if net is network else 0
    )
    tuned = learner.export_network(network, "tuned", {})
    assert tuned.candidate_features == ("margin@1",)
    assert dict(tuned.program) == dict(margin.program)


def test_untrained_copies_are_numbered_and_marked(monkeypatch: Any) -> None:
    monkeypatch.setattr(pool_learner, "training_card", lambda *given: {"seed": 2, "control": "x"})
    monkeypatch.setattr(Networks, "export_network", lambda self, *given: given)
    found: Any = Networks.export_untrained(PoolEnvConfig(seed=2), 2)
    card = {"seed": 2, "control": "untrained"}
    assert found == [
        (f"network {integer_seed(2, 'untrained', i)}", f"networks_untrained_{i}", card)
        for i in range(2)
    ]


# DQN


SHARED = "learning_rate learning_starts batch_size gamma gradient_steps target_update_interval " \
    "buffer_size exploration_fraction exploration_final_eps"  # fmt: skip


def test_a_dqn_is_made_of_its_config(monkeypatch: Any) -> None:
    monkeypatch.setattr(dqn, "CandidateDQN", lambda **options: options)
    config = replace(DQN["smoke"], n_steps=3, reward_scale=7.0, net_arch=(5, 4), train_freq=6)
    learner: Any = object.__new__(DQNLearner)
    learner.config = config
    assert learner.make_model("envs", seed=9) == {
        **take(vars(config), SHARED + " train_freq"), "env": "envs", "seed": 9, "device": "cpu",
        "planned_steps": config.total_timesteps, "policy_kwargs": {"net_arch": [5, 4]},
        "replay_buffer_kwargs": {"alpha": config.priority_alpha, "beta": config.priority_beta,
                                 "reward_scale": 7.0, "n_steps": 3},
    }  # fmt: skip
    seeds: list[int] = []
    learner.reseed(SimpleNamespace(reseed=seeds.append), 8)
    assert seeds == [8]
    model: Any = SimpleNamespace(ep_info_buffer=[{"r": 2.0}], num_timesteps=4, _n_updates=3,
                                 exploration_rate=0.25)  # fmt: skip
    figures = {"step": 4, "mean_return": 2.0, "n_updates": 3, "exploration_rate": 0.25}
    assert learner.figures(model) == figures


@pytest.mark.parametrize("filled", [0, 5])
def test_recorded_steps_fill_an_empty_replay_once(monkeypatch: Any, filled: int) -> None:
    learner: Any = object.__new__(DQNLearner)
    learner.config = replace(DQN["smoke"], offline="recorded")
    learner.recorded = "the steps"
    calls: list[Any] = []
    learner.progress = SimpleNamespace(at=lambda n: calls.append(n))
    monkeypatch.setattr(dqn, "fill", lambda buffer, steps: calls.append((buffer, steps)))
    model: Any = SimpleNamespace(num_timesteps=2)
    model.replay_buffer = SimpleNamespace(size=lambda: filled)

    def learn() -> None:
        model.num_timesteps += 4

    model.learn_offline = learn
    learner.learn(model, 10)
    fills = [] if filled else [(model.replay_buffer, "the steps")]
    assert calls == [*fills, 6, 10]
    learner.learn(model, 10)
    assert calls[len(fills) :] == [6, 10, *fills]
    model.replay_buffer = None
    learner.learn(model, 14)
    assert calls[-1] == 14


def test_recorded_steps_must_fit_environments_and_replay(monkeypatch: Any) -> None:
    learner: Any = object.__new__(DQNLearner)
    config = replace(DQN["smoke"], offline="recorded", n_envs=2, buffer_size=4, slate_size=6)
    n_candidate, n_context = map(len, feature_lists(config))
    shapes = {"candidates": (6, n_candidate), "context": (n_context,), "mask": (6,)}

    class Steps(SimpleNamespace):
        def __len__(self) -> int:
            return len(self.observations["mask"])

    def read(n: int, **other: Any) -> Any:
        observations = {key: np.zeros((n, *s)) for key, s in {**shapes, **other}.items()}
        learner.__dict__.pop("recorded", None)
        monkeypatch.setattr(dqn, "read_transitions", lambda name: Steps(observations=observations))
        learner.config = config
        return learner.recorded

    assert [len(read(n)) for n in (2, 4)] == [2, 4]
    for n in (1, 5):
        with pytest.raises(UsageError, match=rf"'recorded' holds {n} steps, expected n_envs \(2\) "
                           r"to buffer_size \(4\) of them"):  # fmt: skip
            read(n)
    with pytest.raises(UsageError, match=r"'recorded' has observations of shapes .*, expected .*: "
                       "record it with the same features and slate_size"):  # fmt: skip
        read(3, mask=(5,))


# PPO


def test_a_ppo_is_made_of_its_config(monkeypatch: Any) -> None:
    monkeypatch.setattr(ppo, "MaskablePPO", lambda *given, **options: (given, options))
    monkeypatch.setattr(ppo, "make_pool_envs", lambda *given, **options: (given, options))
    config = replace(PPO["smoke"], reward_scale=7.0, net_arch=(5, 4), start="margin")
    learner: Any = object.__new__(PPOLearner)
    learner.config, learner.start = config, SimpleNamespace(policy=margin_policy())
    names = "learning_rate n_steps batch_size n_epochs gamma gae_lambda ent_coef"
    kwargs = {"widths": (5, 4), "start": "margin", "start_scale": config.start_scale}
    assert learner.make_model("envs", seed=9) == (
        (CandidatePPOPolicy, "envs"),
        {**take(vars(config), names), "policy_kwargs": kwargs, "seed": 9, "device": "cpu"},
    )
    assert learner.make_envs(4) == ((config, (("margin@1",), ()), 4), {"reward_scale": 7.0})
