"""GRPO: advantages by hand, the network as its policy file, runs that resume, what is refused."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
import torch

from agents import AGENTS
from agents.grpo.config import PRESETS
from agents.grpo.learner import GRPOLearner
from agents.grpo.network import CandidateScorer
from agents.grpo.rollouts import group_advantages
from agents.training.pool_envs import make_pool_vector_env
from lal.errors import UsageError
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy

SMOKE = PRESETS["smoke"]


def test_advantages_are_rewards_to_go_minus_the_rest_of_the_group():
    rewards = np.array([[1.0, 0.0, 5.0, 5.0], [0.0, 2.0, 1.0, 3.0]])
    found = group_advantages(rewards, gamma=0.5, group_size=2)
    # rewards to go: [1, 1, 5.5, 6.5] and [0, 2, 1, 3]; minus the other of the group
    ahead = np.array([[0.0, 0.0, -1.0, 1.0], [-2.0, 2.0, -2.0, 2.0]])
    assert found == pytest.approx(ahead / ahead.std(axis=1, keepdims=True))


def test_the_difficulty_of_a_task_is_no_advantage():
    rewards = np.random.default_rng(0).normal(size=(3, 8))
    harder = rewards + np.repeat([[10.0, -10.0]], 4, axis=1).reshape(1, 8)
    one, other = (group_advantages(r, gamma=0.9, group_size=4) for r in (rewards, harder))
    assert one == pytest.approx(other)


def test_equal_episodes_have_no_advantage():
    assert not group_advantages(np.ones((2, 4)), gamma=0.9, group_size=4).any()


def test_one_lucky_label_is_cut():
    rewards = np.zeros((1, 64))
    rewards[0, 0] = 100.0
    assert group_advantages(rewards, gamma=0.0, group_size=8).max() == 4.0


def test_exported_layers_are_the_network():
    torch.manual_seed(0)
    network = CandidateScorer(3, 2, (8, 4))
    network.standardise(np.random.default_rng(0).normal(2, 3, (50, 3)), np.eye(2))
    candidates, context = torch.randn(5, 6, 2), torch.randn(5, 3)
    joined = torch.cat([context[:, None].expand(-1, 6, -1), candidates], dim=2)
    logits = network(candidates, context, torch.ones(5, 6, dtype=torch.bool))
    assert torch.allclose(network.exported()(joined).squeeze(2), logits, atol=1e-5)


def test_a_policy_file_ranks_as_the_network(tmp_path):
    learner = GRPOLearner(SMOKE)
    policy = learner.export()
    assert policy.name == "grpo"
    envs = make_pool_vector_env(SMOKE, learner.features, 0)
    observation, _ = envs.reset(seed=3)
    mask = torch.from_numpy(observation["mask"] > 0)
    parts = [torch.from_numpy(observation[name]) for name in ("candidates", "context")]
    logits = learner.network(*parts, mask).detach().numpy()
    assert policy.card["control"] == "none"
    for e in range(SMOKE.n_envs):
        given = {name: observation[name][e].astype(float) for name in ("candidates", "context")}
        utilities = policy.scorer.run(given)
        assert utilities[mask[e]] == pytest.approx(logits[e][mask[e]], abs=1e-5)


def test_episodes_of_a_group_begin_alike():
    envs = make_pool_vector_env(SMOKE, GRPOLearner(SMOKE).features, 0, group_size=2)
    observation, infos = envs.reset(seed=0)
    assert infos["task"][0] == infos["task"][1]
    assert np.array_equal(observation["context"][0], observation["context"][1])
    assert not np.array_equal(observation["context"][0], observation["context"][2])


@pytest.mark.slow
def test_a_killed_run_ends_as_an_undisturbed_one(tmp_path, monkeypatch):
    agent = AGENTS["grpo"]
    whole = agent.train(SMOKE, tmp_path / "whole")
    real = GRPOLearner.train_segment

    def once(self, segment):
        if segment:
            raise KeyboardInterrupt
        return real(self, segment)

    monkeypatch.setattr(GRPOLearner, "train_segment", once)
    with pytest.raises(KeyboardInterrupt):
        agent.train(SMOKE, tmp_path / "cut")
    monkeypatch.undo()
    assert agent.train(SMOKE, tmp_path / "cut").read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_a_start_is_kept_until_something_is_learned(tmp_path):
    config = replace(SMOKE, start="lookahead-2026-11-22-b", kl_coef=0.1)
    policy = GRPOLearner(config).export()
    start = load_as(PoolPolicy, config.start)
    rng = np.random.default_rng(0)
    given = {
        "candidates": rng.random((7, len(start.candidate_features))),
        "context": rng.random(len(start.context_features)),
    }
    assert policy.candidate_features == start.candidate_features
    wanted = config.start_scale * start.scorer.run(given)
    assert policy.scorer.run(given) == pytest.approx(wanted, abs=1e-4)
    trained = AGENTS["grpo"].train(config, tmp_path / "run")
    assert load_as(PoolPolicy, trained).card["tuned_from"] == start.name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_envs": 6, "group_size": 4}, r"multiple of group_size \(4\), got 6"),
        ({"group_size": 1}, "group_size must be at least 2"),
        ({"total_timesteps": 8}, "total_timesteps must be at least 32"),
        ({"kl_coef": 0.1}, "kl_coef needs a start policy"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        replace(SMOKE, **changes)
