from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sb3_contrib")

import torch

from agents import AGENTS
from agents.ppo.config import PRESETS
from agents.ppo.learner import PPOLearner
from agents.training.trainer import Trainer
from lal.errors import UsageError
from lal.policies.kinds import load_policy

AGENT = AGENTS["ppo"]
SMOKE = PRESETS["smoke"]
START = "lookahead-2026-11-22-b"
TUNE = replace(SMOKE, start=START, learners=("gaussian_nb",))


@pytest.fixture(scope="module")
def model():
    learner = PPOLearner(SMOKE)
    return learner.make_model(learner.make_envs(0), seed=3)


def test_the_exported_policy_gives_the_models_logits(model):
    observation = model.env.reset()
    policy = PPOLearner(SMOKE).export_model(model, "p", {})
    tensors = {k: torch.as_tensor(v) for k, v in observation.items()}
    with torch.no_grad():
        logits = model.policy.mlp_extractor.forward_actor(tensors).numpy()
    for e in range(2):
        given = {"candidates": observation["candidates"][e], "context": observation["context"][e]}
        found = policy.scorer.run({k: v.astype(np.float64) for k, v in given.items()})
        np.testing.assert_allclose(found, logits[e], atol=1e-5)


def test_closed_slots_are_never_taken(model):
    observation = model.env.reset()
    masks = np.zeros((2, SMOKE.slate_size), dtype=bool)
    masks[0, 2] = masks[1, 5] = True
    for deterministic in (True, False):
        actions, _ = model.predict(observation, action_masks=masks, deterministic=deterministic)
        assert actions.tolist() == [2, 5]


def test_the_order_of_the_slate_does_not_matter(model):
    observation = model.env.reset()
    order = np.arange(SMOKE.slate_size)[::-1].copy()
    tensors = {k: torch.as_tensor(v) for k, v in observation.items()}
    turned = {**tensors, "candidates": tensors["candidates"][:, order],
              "mask": tensors["mask"][:, order]}  # fmt: skip
    with torch.no_grad():
        (ours, value), (theirs, same) = (model.policy.mlp_extractor(t) for t in (tensors, turned))
    np.testing.assert_allclose(theirs, ours[:, order], atol=1e-5)
    np.testing.assert_allclose(value, same, atol=1e-5)


def test_tuning_begins_where_the_start_stands():
    learner = PPOLearner(TUNE)
    envs = learner.make_envs(0)
    model = learner.make_model(envs, seed=3)
    observation: Any = envs.reset()
    heads: Any = model.policy.mlp_extractor
    tuned, start = learner.export_model(model, "p", {}), load_policy(START)
    assert tuned.candidate_features == start.candidate_features
    tensors = {k: torch.as_tensor(v) for k, v in observation.items()}
    with torch.no_grad():
        logits = heads.forward_actor(tensors).numpy()
        heads.scorer[-1].bias += 1.0
    moved = learner.export_model(model, "p", {})
    for e in range(2):
        given = {
            "candidates": observation["candidates"][e].astype(np.float64),
            "context": observation["context"][e].astype(np.float64),
        }
        wanted = TUNE.start_scale * start.scorer.run(given)
        assert wanted.std() > 0
        np.testing.assert_allclose(tuned.scorer.run(given), wanted, atol=1e-6)
        np.testing.assert_allclose(logits[e], wanted, atol=1e-4)
        np.testing.assert_allclose(moved.scorer.run(given), wanted + 1.0, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"candidate_features": ("margin@1",)}, "features are those of the start"),
        ({"control": "uncertainty_only"}, "no meaning with a start"),
        ({"start_scale": 0.0}, "start_scale must be above 0"),
    ],
)
def test_what_cannot_be_tuned_is_refused(tmp_path, change, message):
    with pytest.raises(UsageError, match=message):
        AGENT.train(replace(TUNE, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_tuned_policy_is_no_start(tmp_path):
    path = AGENT.train(TUNE, tmp_path / "run")
    tuned = load_policy(path)
    assert tuned.card["tuned_from"] == START
    assert tuned.program != load_policy(START).program
    with pytest.raises(UsageError, match="was tuned in this way already"):
        AGENT.train(replace(TUNE, start=str(path)), tmp_path / "again")


@pytest.mark.slow
@pytest.mark.parametrize("config", [SMOKE, TUNE], ids=["from nothing", "tuned"])
def test_interrupted_or_not_the_same_seed_gives_the_same_file(tmp_path, monkeypatch, config):
    whole = AGENT.train(config, tmp_path / "whole").read_bytes()
    finish = Trainer._finish
    monkeypatch.setattr(Trainer, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        AGENT.train(config, tmp_path / "broken")
    monkeypatch.setattr(Trainer, "_finish", finish)
    assert AGENT.train(config, tmp_path / "broken").read_bytes() == whole
    assert AGENT.train(replace(config, seed=1), tmp_path / "other").read_bytes() != whole


def test_too_few_steps_are_refused(tmp_path):
    with pytest.raises(UsageError, match="total_timesteps must be at least 32 for 2 segments"):
        AGENT.train(replace(SMOKE, total_timesteps=8), tmp_path / "run")
