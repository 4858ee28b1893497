"""The learner of stream policies by hand: environments, models, and what is exported."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3")

from agents.stream_dqn import learner as streams
from agents.stream_dqn.config import AGENT as STREAM_AGENT
from agents.stream_dqn.config import StreamDQNConfig
from agents.stream_dqn.learner import FEATURES, StreamDQNLearner, _difference
from envs.wrappers import ShuffleReward
from lal.errors import UsageError
from lal.rng import integer_seed
from lal.streams.policy import load_stream_policy


def make_stream_config(**changes: Any) -> StreamDQNConfig:
    smoke = STREAM_AGENT.preset("smoke")
    assert isinstance(smoke, StreamDQNConfig)
    return replace(smoke, **changes)


def test_the_difference_of_two_outputs_is_one() -> None:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    x = torch.randn(6, 3)
    skip, ask = layers(x).detach().T
    found = _difference(layers)
    assert torch.allclose(found(x)[:, 0].detach(), ask - skip, atol=1e-6)
    assert found[-1].out_features == 1
    with pytest.raises(UsageError, match="expected a last layer of type Linear, got ReLU"):
        _difference(torch.nn.Sequential(*list(layers)[:2]))


def test_a_stream_is_trained_on_as_it_is_unless_shuffled(monkeypatch: Any) -> None:
    made: list[Any] = []
    real = ShuffleReward

    def note(env: Any, **options: Any) -> Any:
        made.append(options)
        return real(env, **options)

    monkeypatch.setattr(streams, "ShuffleReward", note)
    plain = StreamDQNLearner(make_stream_config(seed=4)).make_envs(0)
    assert plain.num_envs == 1
    assert made == []
    shuffled = StreamDQNLearner(make_stream_config(seed=4, control="shuffled_reward"))
    (monitor,) = shuffled.make_envs(0).envs  # type: ignore[attr-defined]
    assert made == [{"seed": integer_seed(4, "shuffle")}]
    assert isinstance(monitor.env, real)


def test_a_stream_environment_has_the_settings_of_the_config() -> None:
    config = make_stream_config(budget_fraction=0.25, price=0.125, families=("abrupt",))
    learner = StreamDQNLearner(config)
    env = learner.make_env()
    assert tuple(env.features) == FEATURES
    assert learner.trained_on() == ["abrupt"]
    assert (env.budget, env.price) == (0.25, 0.125)


def test_a_stream_policy_is_the_model_it_was_made_of() -> None:
    config = make_stream_config(seed=4, net_arch=(5,), pace="sign")
    learner = StreamDQNLearner(config)
    policy = learner.export()
    assert policy.name == "stream_dqn-4"
    said = {name: policy.card[name] for name in ("summary", "steps", "control", "trained_on")}
    assert said == {
        "summary": "stream_dqn-4: DQN on streams, 400 steps", "steps": 0, "control": "none",
        "trained_on": ["abrupt", "hyperplane", "moving_clusters"],
    }  # fmt: skip
    assert policy.pace == "sign"
    rows = np.random.default_rng(0).normal(size=(20, len(FEATURES))).astype(np.float32)
    q = learner.model.policy.q_net(torch.from_numpy(rows)).detach().numpy()
    found = policy.scorer.run({"candidates": rows.astype(float), "context": np.zeros(0)})
    np.testing.assert_allclose(found, q[:, 1] - q[:, 0], atol=1e-5)
    names = [one.name for one in StreamDQNLearner.export_untrained(config, 2)]
    assert names == ["untrained-0", "untrained-1"]


def test_a_stream_model_has_the_settings_of_the_config() -> None:
    config = make_stream_config(
        learning_rate=0.25, gamma=0.75, exploration_final_eps=0.125, net_arch=(5, 4), seed=2
    )
    learner = StreamDQNLearner(config)
    model = learner.make_model(learner.make_envs(0), seed=7)
    found = {name: getattr(model, name) for name in (
        "learning_rate", "buffer_size", "learning_starts", "batch_size", "gamma",
        "target_update_interval", "exploration_fraction", "exploration_final_eps", "seed",
    )}  # fmt: skip
    assert found == {
        "learning_rate": 0.25, "buffer_size": 400, "learning_starts": 100, "batch_size": 128,
        "gamma": 0.75, "target_update_interval": 500, "exploration_fraction": 0.5,
        "exploration_final_eps": 0.125, "seed": 7,
    }  # fmt: skip
    assert model.train_freq.frequency == 4  # type: ignore[union-attr]
    widths = [tuple(p.shape) for p in model.policy.q_net.parameters()]
    assert widths[0] == (5, len(FEATURES))
    assert widths[2] == (4, 5)
    more = StreamDQNLearner(make_stream_config(total_timesteps=8000))
    assert more.make_model(more.make_envs(0), seed=0).learning_starts == 500


def test_exploration_falls_over_the_whole_run_and_the_best_segment_is_kept(tmp_path: Path) -> None:
    """Fails when every segment explores down to the end of its own, or starts from new weights."""
    config = make_stream_config(
        total_timesteps=80, n_items=20, n_segments=2, n_dev_streams=2, n_dev_items=30,
        families=("abrupt",),
    )  # fmt: skip
    early = StreamDQNLearner(replace(config, total_timesteps=160))
    model = early.make_model(early.make_envs(0), seed=1)
    early.learn(model, 40)
    assert model.num_timesteps == 40
    assert 0.6 <= model.exploration_rate <= 0.62  # half of the way down to 0.2, which is at 80
    policy = load_stream_policy(STREAM_AGENT.train(config, tmp_path / "run"))
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["step"] for row in rows] == [40, 80]
    best = max(rows, key=lambda row: (row["dev_accuracy"], row["step"]))
    assert (policy.card["steps"], policy.card["dev_accuracy"]) == (
        best["step"], best["dev_accuracy"],
    )  # fmt: skip
    assert StreamDQNLearner(config).validate(policy) == best["dev_accuracy"]
    assert policy.card["n_episodes"] == best["step"] // 20
    assert StreamDQNLearner(make_stream_config()).validate(policy) is None
