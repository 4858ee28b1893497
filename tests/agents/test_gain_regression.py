from dataclasses import replace

import numpy as np
import pytest

from agents import AGENTS
from agents.imitation.trees_config import PRESETS
from agents.imitation.trees_learner import centred_targets, shuffled_within
from agents.imitation.trees_states import Samples, load_samples, make_samples
from lal.errors import UsageError
from lal.policies.kinds import load_policy

AGENT = AGENTS["gain_regression"]
SMOKE = PRESETS["smoke"]


def get_samples(gains, state, bought):
    gains = np.array(gains, dtype=np.float64)
    return Samples(np.zeros((len(gains), 1)), gains, np.array(state), np.array(bought))


def test_targets_are_centred_within_their_state():
    """Two states five labels apart: each is centred, then divided by its own size."""
    samples = get_samples([0.1, 0.3, 7.0, 9.0], [0, 0, 1, 1], [0, 0, 5, 5])
    assert np.allclose(centred_targets(samples), [-1.0, 1.0, -1.0, 1.0])


def test_states_without_differences_have_targets_of_zero():
    assert np.array_equal(centred_targets(get_samples([0.2, 0.2], [0, 0], [1, 1])), [0.0, 0.0])


def test_shuffling_stays_within_the_state():
    samples = get_samples(np.arange(8), [0, 1, 0, 1, 0, 1, 0, 1], np.zeros(8, dtype=int))
    shuffled = shuffled_within(samples.gains, samples, np.random.default_rng(0))
    assert sorted(shuffled[samples.state == 0]) == [0, 2, 4, 6]
    assert sorted(shuffled[samples.state == 1]) == [1, 3, 5, 7]
    assert not np.array_equal(shuffled, samples.gains)


def test_segments_are_repeatable_and_survive_a_file(tmp_path):
    samples = make_samples(SMOKE, 1)
    samples.save(tmp_path / "a.npz")
    again = load_samples([tmp_path / "a.npz"])
    assert np.array_equal(again.inputs, make_samples(SMOKE, 1).inputs)
    assert np.array_equal(again.gains, samples.gains)
    assert set(again.state) == {3, 4, 5}


def test_an_interrupted_run_ends_as_an_undisturbed_one(tmp_path):
    whole = AGENT.train(SMOKE, tmp_path / "whole")
    broken = tmp_path / "broken"
    AGENT.train(SMOKE, broken)
    for name in ("policy.safetensors", "finished.json", "samples/0001.npz"):
        (broken / name).unlink()
    kept = (broken / "samples" / "0000.npz").stat().st_mtime_ns
    assert AGENT.train(SMOKE, broken).read_bytes() == whole.read_bytes()
    assert (broken / "samples" / "0000.npz").stat().st_mtime_ns == kept
    assert load_policy(whole).card["control"] == "none"


def test_untrained_copies_differ():
    first, second = AGENT.export_untrained(SMOKE, 2)
    assert not np.array_equal(first.tensors["trees.value"], second.tensors["trees.value"])


def test_an_unknown_metric_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"metric must be one of accuracy, .*, got 'speed'"):
        AGENT.train(replace(SMOKE, metric="speed"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
