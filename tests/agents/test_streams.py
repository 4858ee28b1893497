from dataclasses import replace

import numpy as np
import pytest

import lal
from agents import AGENTS
from agents.stream_dqn.config import StreamDQNConfig
from lal.errors import UsageError
from lal.streams.features import StreamItem


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stream_dqn", "pal"])
def test_agent_trains_and_exports_what_torch_says(name, tmp_path):
    import torch

    from agents.pal import train as pal
    from agents.stream_dqn import train as stream

    if name == "pal":
        pytest.importorskip("pycrfsuite")
    config = AGENTS[name].preset("smoke")
    assert isinstance(config, StreamDQNConfig)
    path = AGENTS[name].train(config, tmp_path / "run")
    policy = lal.load_stream_policy(path)
    assert AGENTS[name].train(config, tmp_path / "run") == path  # finished: nothing is done
    assert policy.card["steps"] == config.n_steps
    env = (pal if name == "pal" else stream).make_env(config)
    model = stream.make_model(config, env, seed=0)
    exported = stream.export_policy(model, config, env, name="copy")
    rows = np.random.default_rng(0).normal(size=(20, env.observation_space.shape[0]))
    q = model.policy.q_net(torch.tensor(rows, dtype=torch.float32)).detach().numpy()
    found = exported.scorer.run({"candidates": rows, "context": np.zeros(0)})
    np.testing.assert_allclose(found, q[:, 1] - q[:, 0], atol=1e-5)


def test_untrained_copies_differ():
    config = AGENTS["stream_dqn"].preset("smoke")
    one, two = AGENTS["stream_dqn"].export_untrained(config, 2)
    item = StreamItem(np.array([0.6, 0.4]))
    assert one.utility(one.start(), item) != two.utility(two.start(), item)


def test_pool_settings_are_refused(tmp_path):
    config = replace(AGENTS["stream_dqn"].preset("smoke"), budget=7)
    with pytest.raises(UsageError, match="budget has no meaning on streams"):
        AGENTS["stream_dqn"].train(config, tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stream_dqn", "pal"])
def test_a_run_that_was_killed_ends_in_the_same_policy(name, tmp_path, monkeypatch):
    """Runs are short: one that was cut off starts again and ends in the same bytes."""
    from agents.stream_dqn import train as stream

    if name == "pal":
        pytest.importorskip("pycrfsuite")
    config = AGENTS[name].preset("smoke")
    whole = AGENTS[name].train(config, tmp_path / "whole")
    real = stream.export_policy

    def stop(*arguments, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(stream, "export_policy", stop)
    with pytest.raises(KeyboardInterrupt):
        AGENTS[name].train(config, tmp_path / "cut")
    assert not (tmp_path / "cut" / "finished.json").exists()
    monkeypatch.setattr(stream, "export_policy", real)
    cut = AGENTS[name].train(config, tmp_path / "cut")
    assert cut.read_bytes() == whole.read_bytes()
