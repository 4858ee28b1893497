import json

import numpy as np
import pytest

import lal
from agents import AGENTS
from agents.stream_dqn.config import StreamQConfig
from agents.stream_dqn.learner import StreamLearner
from agents.training.config import StreamConfig
from lal.streams.features import StreamItem


def stream_preset(name) -> StreamQConfig:
    config = AGENTS[name].preset("smoke")
    assert isinstance(config, StreamQConfig)
    return config


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stream_dqn", "pal"])
def test_agent_trains_and_exports_what_torch_says(name, tmp_path):
    import torch

    if name == "pal":
        pytest.importorskip("pycrfsuite")
    config = stream_preset(name)
    path = AGENTS[name].train(config, tmp_path / "run")
    policy = lal.load_stream_policy(path)
    assert AGENTS[name].train(config, tmp_path / "run") == path  # finished: nothing is done
    assert policy.card["steps"] == config.total_timesteps
    learner = AGENTS[name].learner_type(config)
    assert isinstance(learner, StreamLearner)
    envs = learner.make_envs(0)
    model = learner.make_model(envs, seed=0)
    exported = learner.export_model(model, "copy")
    width = len(np.asarray(envs.reset())[0])
    rows = np.random.default_rng(0).normal(size=(20, width))
    q = model.policy.q_net(torch.tensor(rows, dtype=torch.float32)).detach().numpy()
    found = exported.scorer.run({"candidates": rows, "context": np.zeros(0)})
    np.testing.assert_allclose(found, q[:, 1] - q[:, 0], atol=1e-5)


def test_untrained_copies_differ():
    config = AGENTS["stream_dqn"].preset("smoke")
    one, two = AGENTS["stream_dqn"].export_untrained(config, 2)
    item = StreamItem(np.array([0.6, 0.4]))
    assert one.utility(one.start(), item) != two.utility(two.start(), item)


@pytest.mark.parametrize("name", ["stream_dqn", "pal"])
def test_a_stream_agent_has_no_settings_of_pools(name):
    """What means nothing on a stream is not a field, so there is nothing to refuse."""
    config = AGENTS[name].preset("smoke")
    assert isinstance(config, StreamConfig)
    for field in ("datasets", "hold_out", "max_pool", "candidate_features", "n_dev_tasks"):
        assert not hasattr(config, field)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stream_dqn", "pal"])
def test_a_run_that_was_killed_ends_in_the_same_policy(name, tmp_path, monkeypatch):
    """Runs are short: one that was cut off starts again and ends in the same bytes."""
    if name == "pal":
        pytest.importorskip("pycrfsuite")
    config = stream_preset(name)
    whole = AGENTS[name].train(config, tmp_path / "whole")

    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(StreamLearner, "export", stop)
    with pytest.raises(KeyboardInterrupt):
        AGENTS[name].train(config, tmp_path / "cut")
    assert not (tmp_path / "cut" / "finished.json").exists()
    monkeypatch.undo()
    cut = AGENTS[name].train(config, tmp_path / "cut")
    assert cut.read_bytes() == whole.read_bytes()
    finished = json.loads((tmp_path / "cut" / "finished.json").read_text())
    assert finished["best"]["step"] == config.total_timesteps
