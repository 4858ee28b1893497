"""Negative controls: every agent has them by one flag, and they are what they say."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sb3_contrib")
pytest.importorskip("numba")

from agents import AGENTS
from agents.training.config import Control
from lal.errors import UsageError
from lal.policies.kinds import load_policy

POOL_AGENTS = (
    "dqn",
    "gain_regression",
    "lal",
    "lal_rl",
    "lal_rl_search",
    "lookahead",
    "imitation",
    "refine",
    "evolution",
    "ppo",
    "ralis",
)


@pytest.mark.parametrize("name", POOL_AGENTS)
def test_every_agent_has_an_untrained_copy(name, tmp_path):
    agent = AGENTS[name]
    config = replace(agent.preset("smoke"), control="untrained")
    policy = load_policy(agent.train(config, tmp_path / "run"))
    assert policy.card["control"] == "untrained"
    same = agent.export_untrained(agent.preset("smoke"), 1)[0]
    for role, tensor in same.tensors.items():
        np.testing.assert_array_equal(policy.tensors[role], tensor)


@pytest.mark.parametrize("name", ["gain_regression", "dqn", "ppo"])
def test_uncertainty_alone_is_one_candidate_feature(name, tmp_path):
    agent = AGENTS[name]
    config = replace(agent.preset("smoke"), control="uncertainty_only")
    policy = load_policy(agent.train(config, tmp_path / "run"))
    assert policy.candidate_features == ("margin@1",)
    assert policy.card["control"] == "uncertainty_only"


@pytest.mark.parametrize("name", POOL_AGENTS)
def test_a_control_that_is_not_there_is_refused(name, tmp_path):
    agent = AGENTS[name]
    optional: tuple[Control, ...] = ("shuffled_everywhere", "uncertainty_only")
    for control in set(optional) - set(agent.controls):
        config = replace(agent.preset("smoke"), control=control)
        with pytest.raises(UsageError, match=f"{name!r} has no control {control!r}; expected"):
            agent.train(config, tmp_path / "run")


@pytest.mark.parametrize(("name", "preset"), [("few_shot", "smoke"), ("active_one_shot", "smoke")])
def test_small_agents_have_both_controls(name, preset, tmp_path):
    """Their cards let the benchmarks play them; shuffled rewards change what is learned."""
    agent, files = AGENTS[name], {}
    controls: tuple[Control, ...] = ("none", "untrained", "shuffled_reward")
    for control in controls:
        config = replace(agent.preset(preset), control=control)
        files[control] = load_policy(agent.train(config, tmp_path / control))
        assert files[control].card["control"] == control
        trained = {"dev_accuracy", "dev_return", "n_episodes"} - files[control].card.keys()
        assert files[control].card.keys() == files["none"].card.keys() - trained
        assert bool(trained & files["none"].card.keys()) == (control == "untrained")
    for control in controls[1:]:
        assert any(
            not np.array_equal(tensor, files[control].tensors[role])
            for role, tensor in files["none"].tensors.items()
        )
