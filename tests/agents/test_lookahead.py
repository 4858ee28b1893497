"""Imitation of look-ahead: targets by hand, training twice and resumed, export, controls."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.naive_bayes import GaussianNB

pytest.importorskip("numba")

from agents import AGENTS
from agents.imitation.config import LOOKAHEAD_PRESETS as PRESETS
from agents.imitation.export import Fitted, export_policy
from agents.imitation.margin_prior import lean_on_margin, spread_within
from agents.imitation.networks import scorer_network
from agents.imitation.states import (
    BEHAVIOURS,
    States,
    _Behaviour,
    _no_gains,
    load_states,
    make_states,
)
from agents.imitation.targets import get_standard, get_targets, shuffled
from agents.training.prior_tasks import prior_tasks
from envs.simulator.pool import PoolSimulator
from lal.errors import UsageError
from lal.features import DEFAULT_CANDIDATE_FEATURES
from lal.policies.kinds import load_policy
from lal.policies.scoring.scorer import run
from lal.rng import generator

SMOKE = PRESETS["smoke"]


@pytest.fixture(scope="module")
def states():
    return make_states(SMOKE, 0)


def tiny_states(gains, mask, n_labelled):
    gains, mask = np.asarray(gains, dtype=np.float32), np.asarray(mask, dtype=bool)
    S, K = mask.shape
    return States(
        candidates=np.zeros((S, K, 1), np.float32),
        context=np.zeros((S, 1), np.float32),
        gains=np.stack([gains, np.zeros_like(gains)], axis=2),
        mask=mask,
        n_labelled=np.asarray(n_labelled),
    )


def test_targets_are_centred_and_scaled_by_hand():
    found, size = get_targets(tiny_states([[0.2, 0.0, 9.0]], [[1, 1, 0]], [2]), 0.0)
    assert size[0] == pytest.approx(0.1)  # two gains 0.1 from their mean
    assert found[0] == pytest.approx([1.0, -1.0, 0.0])


def test_targets_of_few_and_of_many_labels_have_their_own_size():
    _, size = get_targets(tiny_states([[0.2, 0.0], [0.02, 0.0]], np.ones((2, 2)), [2, 40]), 0.0)
    assert size == pytest.approx([0.1, 0.01])


def test_balanced_share_mixes_the_two_gains():
    states = tiny_states([[0.2, 0.0]], [[1, 1]], [2])
    assert get_targets(states, 0.5)[1][0] == pytest.approx(0.05)


def test_shuffling_stays_within_a_state():
    targets = np.arange(12.0).reshape(3, 4)
    mask = np.ones((3, 4), bool)
    mask[0, 3] = False
    found = shuffled(targets, mask, np.random.default_rng(0))
    assert np.array_equal(np.sort(found, axis=1), targets)
    assert found[0, 3] == targets[0, 3]
    assert not np.array_equal(found, targets)


def test_states_are_a_function_of_config_and_block(states):
    again = make_states(SMOKE, 0)
    other = make_states(SMOKE, 1)
    assert np.array_equal(states.candidates, again.candidates)
    assert np.array_equal(states.gains, again.gains)
    assert states.candidates.shape != other.candidates.shape or not np.array_equal(
        states.candidates, other.candidates
    )
    assert set(states.n_labelled) <= set(SMOKE.sizes)
    assert np.abs(states.gains[states.mask]).max() > 0
    assert not states.gains[~states.mask].any()


@pytest.mark.parametrize("maker", BEHAVIOURS)
def test_sets_grow_by_what_their_maker_prefers(maker, monkeypatch):
    config = replace(SMOKE, own_policy="default")
    monkeypatch.setattr(
        "agents.imitation.states.BEHAVIOUR_WEIGHTS",
        {True: [float(name == maker) for name in BEHAVIOURS]},
    )
    tasks = [prior_tasks(config, config.budget // 2)(generator(0, "t", i)) for i in range(4)]
    simulator = PoolSimulator(tasks, 4, slate_size=8)
    seen = simulator.reset(tasks=np.arange(4))
    keep: Any = _no_gains  # called after a step only, which this is not
    scores = _Behaviour(simulator, config, generator(0, "b"), keep)(np.ones(4, bool))
    policy = load_policy("default")
    columns = {"margin": ("margin@1", -1.0), "far": ("min_distance@1", 1.0)}
    for e in range(4):
        rows = seen.candidates[e].astype(float)
        if maker == "own":
            inputs = {"candidates": rows, "context": seen.context[e].astype(float)}
            assert scores[e] == pytest.approx(policy.scorer.run(inputs), abs=1e-6)
        elif maker in columns:
            name, sign = columns[maker]
            column = rows[:, simulator.candidate_features.index(name)]
            assert scores[e] == pytest.approx(sign * column)
        elif maker == "random":
            assert len(set(scores[e])) == 8


def test_states_of_an_episode_end_with_it():
    """Episodes begin anew in the simulator; those that follow the first are not looked at."""
    config = replace(SMOKE, sizes=(2, 3, 4, 30), budget=3, block_tasks=6)
    states = make_states(config, 0)
    assert 0 < (states.n_labelled == 3).sum() <= 6
    assert 0 < (states.n_labelled == 4).sum() <= 6
    assert set(states.n_labelled) <= {2, 3, 4}


def test_states_survive_the_disk(states, tmp_path):
    states.save(tmp_path / "a.npz")
    both = load_states([tmp_path / "a.npz", tmp_path / "a.npz"])
    n = len(states.mask)
    assert len(both.mask) == 2 * n
    assert np.array_equal(both.gains[n:], states.gains)


def test_export_is_the_mean_of_the_networks(states, tmp_path):
    standard = get_standard(states)
    networks = [scorer_network(len(standard.mean), SMOKE, i) for i in range(3)]
    policy = export_policy(Fitted(networks, standard, 1.0), SMOKE, name="x", card={"summary": "x"})
    policy.save(tmp_path / "x.safetensors")
    loaded = load_policy(tmp_path / "x.safetensors")
    x = np.concatenate(
        [np.repeat(states.context[:1], states.mask.shape[1], 0), states.candidates[0]], axis=1
    )
    unit = torch.from_numpy(np.clip((x - standard.mean) / standard.scale, -5, 5)).float()
    with torch.no_grad():
        expected = torch.stack([n(unit[None], None)[0] for n in networks]).mean(0).numpy()
    inputs = {
        "candidates": states.candidates[0].astype(float),
        "context": states.context[0].astype(float),
    }
    assert run(loaded.program, loaded.tensors, inputs) == pytest.approx(expected, abs=1e-5)


def test_same_config_same_file_and_resumed_equals_undisturbed(tmp_path):
    agent = AGENTS["lookahead"]
    first = agent.train(SMOKE, tmp_path / "first")
    folder = tmp_path / "second"
    second = agent.train(SMOKE, folder)
    assert first.read_bytes() == second.read_bytes()
    # as a kill leaves it: one block there, one not, nothing finished
    for name in ("finished.json", "policy.safetensors", "blocks/0001.npz"):
        (folder / name).unlink()
    assert agent.train(SMOKE, folder).read_bytes() == first.read_bytes()
    shuffled_file = agent.train(replace(SMOKE, control="shuffled_reward"), tmp_path / "shuffled")
    assert shuffled_file.read_bytes() != first.read_bytes()


def test_untrained_copies_differ_and_play():
    one, two = AGENTS["lookahead"].export_untrained(SMOKE, 2)
    assert any(not np.array_equal(one.tensors[k], two.tensors[k]) for k in one.tensors)
    X = np.random.default_rng(0).normal(size=(20, 3))
    y = np.array([0, 1, *[np.nan] * 18])
    assert one.query(X, y, GaussianNB()).shape == (1,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_blocks": 0}, "n_blocks must be at least 1"),
        ({"sizes": (1,)}, "sizes must be numbers of labels from 2 up"),
        ({"candidate_features": ("entropy@1",)}, "must have margin@1"),
    ],
)
def test_bad_configs_are_refused(change, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        AGENTS["lookahead"].train(replace(SMOKE, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_margin_has_no_part_early_and_its_whole_weight_late():
    ops = {"ops": [{"op": "select", "in": ["candidates"], "out": ["s"], "columns": [0]}]}
    program, tensors = lean_on_margin(
        {**ops, "output": "s"},
        {},
        weight=0.5,
        spread=2.0,
        candidate_features=("density@1", "margin_z@1"),
        context_features=("n_classes@1", "n_labelled@1"),
    )
    candidates = np.array([[2.0, 1.0], [4.0, -1.0]])

    def utilities(labels):
        context = np.array([0.3, np.log1p(labels) / np.log(1001)])
        return run(program, tensors, {"candidates": candidates, "context": context})

    assert utilities(3) == pytest.approx([1.0, 2.0])
    assert utilities(70) == pytest.approx([1.0 - 0.5, 2.0 + 0.5], abs=1e-6)
    half = np.expm1((np.log1p(5) + np.log1p(50)) / 2)
    assert utilities(half) == pytest.approx([1.0 - 0.25, 2.0 + 0.25], abs=1e-6)


def test_spread_is_the_mean_deviation_within_states_by_hand():
    scores = np.array([[0.0, 2.0, 99.0], [5.0, 5.0, 5.0]])
    mask = np.array([[True, True, False], [True, True, True]])
    assert spread_within(scores, mask) == pytest.approx(0.5)


def test_states_of_a_policy_of_ones_own_differ_from_those_of_the_rules(states):
    own = make_states(replace(SMOKE, own_policy="lookahead-2026-11-22", block_tasks=6), 0)
    rules = make_states(replace(SMOKE, block_tasks=6), 0)
    assert own.gains.shape != rules.gains.shape or not np.array_equal(own.gains, rules.gains)


def test_an_own_policy_is_given_its_own_features_among_more():
    config = replace(SMOKE, own_policy="lookahead-2026-11-22", block_tasks=3)
    more = replace(config, candidate_features=("herding@1", *DEFAULT_CANDIDATE_FEATURES))
    plain, wide = make_states(config, 0), make_states(more, 0)
    np.testing.assert_array_equal(wide.candidates[:, :, 1:], plain.candidates)
    np.testing.assert_array_equal(wide.gains, plain.gains)
    assert 0.2 < wide.candidates[wide.mask][:, 0].mean() < 0.8


def test_an_own_policy_of_other_features_is_refused_before_work(tmp_path):
    config = replace(SMOKE, own_policy="lal-independent")
    with pytest.raises(UsageError, match="lal_forest@1, which this run does not compute"):
        AGENTS["lookahead"].train(config, tmp_path / "run")


@pytest.mark.slow
def test_a_fiftieth_of_the_default_run_ranks_its_own_states_above_chance(tmp_path):
    agent = AGENTS["lookahead"]
    config = replace(PRESETS["fiftieth"], n_epochs=4, n_jobs=1)
    policy = load_policy(agent.train(config, tmp_path / "run"))
    found = json.loads((tmp_path / "run" / "finished.json").read_text())["best"]
    assert found["n_states"] > 1000
    assert found["pick_advantage"] > 0.001  # a tenth of a point over the mean candidate
    assert policy.program["output"] == "mp_utility"
