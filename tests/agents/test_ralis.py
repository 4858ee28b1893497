"""RALIS: it trains, a run that was cut goes on to the same bytes, its policy ranks regions."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

import lal
from agents import AGENTS
from agents.ralis.config import RalisConfig
from agents.ralis.learner import RalisLearner
from agents.training.run_folder import RunFolder
from lal.errors import UnknownNameError, UsageError
from lal.policies.kinds import load_policy
from lal.tasks.regions import RegionSampler

SMOKE = AGENTS["ralis"].preset("smoke")


def test_a_cut_run_ends_in_the_same_bytes_and_its_policy_ranks_regions(tmp_path, monkeypatch):
    agent = AGENTS["ralis"]
    whole = agent.train(SMOKE, tmp_path / "whole")
    real, calls = RunFolder.save_checkpoint, []

    def stop(self, segment, *rest):
        real(self, segment, *rest)
        calls.append(segment)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "save_checkpoint", stop)
    with pytest.raises(KeyboardInterrupt):
        agent.train(SMOKE, tmp_path / "cut")
    cut = agent.train(SMOKE, tmp_path / "cut")
    assert calls == [0, 1]
    assert cut.read_bytes() == whole.read_bytes()

    policy: Any = load_policy(whole)
    task = RegionSampler(budget=4, n_pool=2, n_reward=1)(np.random.default_rng(0))
    curve = lal.run_episode(policy, task, seed=0, batch_size=2, part="reward")
    assert len(curve.n_labels) == 3
    assert policy.class_symmetric


def test_the_policy_ranks_as_the_network_does():
    torch = pytest.importorskip("torch")
    learner = RalisLearner(SMOKE)
    policy = learner.export()
    envs: Any = learner.make_envs(0)
    observation = envs.reset()
    with torch.no_grad():
        q = learner.model.q_net({k: torch.as_tensor(v) for k, v in observation.items()}).numpy()
    for i, env in enumerate(envs.envs):
        offered = env.unwrapped._slate
        utilities = policy.utilities(env.unwrapped.state)
        np.testing.assert_allclose(utilities[offered], q[i], atol=1e-5)


def test_shuffled_rewards_change_what_is_learned(tmp_path):
    agent = AGENTS["ralis"]
    paths = [
        agent.train(replace(SMOKE, control=control), tmp_path / control)
        for control in ("none", "shuffled_reward")
    ]
    ours, shuffled = (load_policy(path) for path in paths)
    assert shuffled.card["control"] == "shuffled_reward"
    assert any(
        not np.array_equal(tensor, shuffled.tensors[role]) for role, tensor in ours.tensors.items()
    )


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="slate_size must be at least 8, got 4"):
        RalisConfig(regions=8, slate_size=4)
    with pytest.raises(UsageError, match="gamma must lie between 0 and 1, got 2"):
        RalisConfig(gamma=2.0)
    with pytest.raises(UnknownNameError, match="nothing"):
        RalisLearner(RalisConfig(base="nothing"))
