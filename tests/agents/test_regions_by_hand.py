"""RALIS by hand: environments, models, validation and cards."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("stable_baselines3")

import torch

from agents.ralis import learner as ralis
from agents.ralis.config import RalisConfig
from agents.ralis.learner import RalisLearner, export
from lal.features import FEATURES, REGION_CANDIDATE_FEATURES, REGION_CONTEXT_FEATURES
from lal.rng import generator, integer_seed
from lal.serialization import config_hash, versions

CONFIG = RalisConfig(
    base="gaussian_nb", budget=6, regions=2, slate_size=7, price=0.25, n_envs=3, seed=5,
    total_timesteps=120, n_dev_tasks=2, net_arch=(5, 4), reward_scale=9.0,
)  # fmt: skip


class Watched(tuple[Any, ...]):
    """A monitored environment."""

    def __new__(cls, env: Any) -> "Watched":
        return super().__new__(cls, ("watched", env))


class Vector:
    """Environments in a row: notes their seed."""

    def __init__(self, makers: Any) -> None:
        self.envs = [make() for make in makers]
        self.seeds: list[int] = []

    def seed(self, seed: int) -> None:
        self.seeds.append(seed)


def test_environments_show_regions_as_the_config_says(monkeypatch: Any) -> None:
    monkeypatch.setattr(ralis, "RegionsEnv", lambda sampler, **options: (sampler, options))
    monkeypatch.setattr(ralis, "Monitor", Watched)
    monkeypatch.setattr(ralis, "DummyVecEnv", Vector)
    monkeypatch.setattr(ralis, "ShuffledRewards", lambda envs, *, seed: (envs, seed))
    learner = RalisLearner(CONFIG)
    assert (learner.sampler.budget, learner.sampler.bases) == (6, ("gaussian_nb",))
    envs: Any = learner.make_envs(4)
    options = {"price": 0.25, "slate_size": 7, "batch_size": 2}
    assert envs.envs == [("watched", (learner.sampler, options))] * 3
    assert envs.seeds == [integer_seed(5, "environments", 4)]
    control: Any = RalisLearner(replace(CONFIG, control="shuffled_reward"))
    envs, seed = control.make_envs(4)
    assert (type(envs), seed) == (Vector, integer_seed(5, "shuffle", 4))


def test_a_model_is_made_of_its_config(monkeypatch: Any) -> None:
    monkeypatch.setattr(ralis, "CandidateDQN", lambda **options: options)
    names = (
        "learning_rate", "buffer_size", "learning_starts", "batch_size", "gamma", "gradient_steps",
        "target_update_interval", "exploration_fraction", "exploration_final_eps",
    )  # fmt: skip
    envs: Any = "envs"
    found: Any = RalisLearner(CONFIG).make_model(envs, seed=9)
    assert found == {
        **{name: getattr(CONFIG, name) for name in names}, "env": "envs", "planned_steps": 120,
        "train_freq": 1, "policy_kwargs": {"net_arch": [5, 4]}, "seed": 9, "device": "cpu",
        "replay_buffer_kwargs": {"reward_scale": 9.0},
    }  # fmt: skip
    seeds: list[int] = []
    model: Any = SimpleNamespace(reseed=seeds.append)
    RalisLearner(CONFIG).reseed(model, 8)
    assert seeds == [8]


def test_the_best_policy_is_chosen_on_tasks_of_its_own(monkeypatch: Any) -> None:
    seen: list[Any] = []

    def run_episode(policy: Any, task: Any, **options: Any) -> Any:
        seen.append((policy, task, options))
        return SimpleNamespace(area=lambda metric: {"mean_iou": 0.25 * len(seen)}[metric])

    monkeypatch.setattr(ralis, "run_episode", run_episode)
    learner: Any = RalisLearner(CONFIG)
    learner.sampler = lambda rng: int(rng.integers(10**9))
    assert learner.validate("policy") == pytest.approx((0.25 + 0.5) / 2)
    drawn = [int(generator(5, "dev", i).integers(10**9)) for i in range(2)]
    assert seen == [
        ("policy", task, {"seed": i, "batch_size": 2, "part": "reward"})
        for i, task in enumerate(drawn)
    ]


def test_a_policy_of_regions_says_what_it_is() -> None:
    width = sum(FEATURES[i].dim for i in REGION_CANDIDATE_FEATURES + REGION_CONTEXT_FEATURES)
    network = torch.nn.Sequential(torch.nn.Linear(width, 1))
    policy = export(network, CONFIG, {"steps": 3})
    assert policy.name == "ralis-5"
    assert policy.candidate_features == REGION_CANDIDATE_FEATURES
    assert policy.context_features == REGION_CONTEXT_FEATURES
    assert dict(policy.card) == {
        "summary": "RALIS-style: double DQN over regions, 120 regions", "agent": "ralis",
        "control": "none", "seed": 5, "config_hash": config_hash(CONFIG), "steps": 3,
        "trained_on": "made-up scenes, new textures in every episode",
        "learners": ["segmentation(gaussian_nb)"], "budget": 6, "versions": versions(),
    }  # fmt: skip


def test_copies_and_the_trained_one_are_exported_from_their_q_values(monkeypatch: Any) -> None:
    monkeypatch.setattr(ralis, "export", lambda *given: given)
    monkeypatch.setattr(RalisLearner, "make_envs", lambda self, segment: f"envs {segment}")
    monkeypatch.setattr(
        RalisLearner, "make_model",
        lambda self, envs, *, seed: SimpleNamespace(
            q_net=SimpleNamespace(q_net=(envs, seed)), num_timesteps=7
        ),
    )  # fmt: skip
    told = {"control": "untrained", "steps": 0}
    found: Any = RalisLearner.export_untrained(CONFIG, 2)
    assert found == [
        (("envs 0", integer_seed(5, "untrained", i)), CONFIG, told) for i in range(2)
    ]  # fmt: skip
    trained: Any = RalisLearner(CONFIG).export()
    assert trained == (("envs 0", integer_seed(5, "weights")), CONFIG, {"steps": 7})
