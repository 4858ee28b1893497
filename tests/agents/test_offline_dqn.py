"""DQN from recorded episodes: what it learns from, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("minari")
from stable_baselines3.common.logger import Logger

from agents import AGENTS
from agents.dqn.learner import DQNLearner
from envs.pool_env import PoolEnv
from envs.recorded import read_transitions, record_episodes
from lal.errors import UsageError

NAME = "pool/margin-v0"

pytestmark = [
    pytest.mark.filterwarnings("ignore:`.*` is set to None"),
    pytest.mark.filterwarnings("ignore:env_spec is None"),
]


@pytest.fixture
def config(wine_task, tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    record_episodes(NAME, "margin", 3, env=PoolEnv(wine_task, slate_size=8))
    return replace(AGENTS["dqn"].preset("smoke"), offline=NAME)


def test_recorded_steps_are_learned_from_and_nothing_else(config):
    learner = DQNLearner(config)
    model = learner.model
    model.set_logger(Logger(folder=None, output_formats=[]))
    learner.learn(model, 16)
    recorded = read_transitions(NAME)
    n = len(recorded) // config.n_envs
    assert model.replay_buffer.size() == n
    stored = model.replay_buffer.actions[:n].ravel()
    np.testing.assert_array_equal(stored, recorded.actions[: n * config.n_envs])
    assert model.num_timesteps == 16
    assert model._n_updates == 16 // config.n_envs * config.gradient_steps


def test_a_whole_run_gives_a_policy_and_another_one_gives_the_same(config, tmp_path):
    files = [AGENTS["dqn"].train(config, tmp_path / name) for name in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()
    online = AGENTS["dqn"].train(replace(config, offline=""), tmp_path / "online")
    assert online.read_bytes() != files[0].read_bytes()


def test_the_card_says_what_was_learned_from(config):
    card = DQNLearner(config).card()
    assert card["trained_on"].startswith(f"episodes recorded as {NAME}")
    assert "share_synthetic" not in card


def test_more_steps_than_the_buffer_holds_are_refused(config):
    n = len(read_transitions(NAME))
    with pytest.raises(UsageError, match=rf"holds {n} steps, expected n_envs \(2\) to buffer_size"):
        _ = DQNLearner(replace(config, buffer_size=n - 1)).recorded


def test_episodes_of_other_slates_are_refused(config):
    with pytest.raises(UsageError, match="record it with the same features and slate_size"):
        _ = DQNLearner(replace(config, slate_size=9)).recorded
