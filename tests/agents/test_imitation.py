"""Variants of the look-ahead imitation: losses by hand, export of every network, rounds, gates."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.naive_bayes import GaussianNB

pytest.importorskip("numba")

from agents import AGENTS
from agents.imitation.config import IMITATION_PRESETS
from agents.imitation.evaluation import HeldOut, pick_table, score_states
from agents.imitation.export import Fitted, export_policy
from agents.imitation.fit import batchable, fit_fallback, get_set, mean_scores
from agents.imitation.losses import LOSSES, listwise, pairwise, regression
from agents.imitation.networks import NETWORKS, scorer_network
from agents.imitation.states import States, make_states, pick_gains
from agents.imitation.targets import get_standard
from agents.imitation.teacher import multi_step_gains
from lal.errors import UsageError
from lal.policies.kinds import load_policy
from lal.policies.scoring.scorer import run

SMOKE = IMITATION_PRESETS["smoke"]


@pytest.fixture(scope="module")
def states():
    return make_states(SMOKE, 0)


def row(*values):
    return torch.tensor([values], dtype=torch.float32)


def test_losses_by_hand():
    target, mask = row(1.0, -1.0, 9.0), row(1.0, 1.0, 0.0)
    assert float(regression(row(3.0, 1.0, 5.0), target, mask, 1.0)) == pytest.approx(0.0)
    assert float(regression(row(1.0, 1.0, 5.0), target, mask, 1.0)) == pytest.approx(1.0)
    equal = row(0.0, 0.0, 0.0)
    assert float(listwise(equal, target, mask, 1.0)) == pytest.approx(np.log(2))
    assert float(pairwise(equal, target, mask, 1.0)) == pytest.approx(2 * np.log(2) / 4)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_every_loss_prefers_the_right_order_and_ignores_closed_slots(name):
    target, mask = row(1.0, 0.0, -1.0, 5.0), row(1.0, 1.0, 1.0, 0.0)
    right, wrong = row(1.0, 0.0, -1.0, 0.0), row(-1.0, 0.0, 1.0, 0.0)
    loss = LOSSES[name]
    assert float(loss(right, target, mask, 0.5)) < float(loss(wrong, target, mask, 0.5))
    other = row(1.0, 0.0, -1.0, 77.0)
    assert float(loss(other, target, mask, 0.5)) == float(loss(right, target, mask, 0.5))


def test_the_set_is_the_half_with_the_larger_margins():
    candidates = np.array([[[0.4], [0.1], [0.3], [0.9]]], np.float32)
    mask = np.array([[True, True, True, False]])
    found = get_set(
        States(candidates, np.zeros((1, 1), np.float32), np.zeros((1, 4, 2), np.float32), mask,
               np.array([2])), 0)  # fmt: skip
    assert found.tolist() == [[1.0, 0.0, 1.0, 0.0]]


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("fallback", [False, True])
def test_export_equals_torch(name, fallback, states, tmp_path):
    config = replace(SMOKE, network=name, fallback=fallback)
    standard = get_standard(states)
    data = batchable(states, standard, config)
    networks = [scorer_network(data.x.shape[-1], config, i) for i in range(2)]
    score = mean_scores(networks, data)
    gate = np.linspace(-0.5, 0.5, states.context.shape[1] + 1) if fallback else None
    found = Fitted(networks, standard, 2.0, gate)
    export_policy(found, config, name="x", card={"summary": "x"}).save(tmp_path / "x.safetensors")
    policy = load_policy(tmp_path / "x.safetensors")
    column = policy.candidate_features.index("margin@1")
    in_set = get_set(states, column) > 0
    for s, there in enumerate(states.mask):
        inputs = {
            "candidates": states.candidates[s, there].astype(float),
            "reference": states.candidates[s, in_set[s]].astype(float),
            "context": states.context[s].astype(float),
        }
        expected = score[s, torch.from_numpy(there)].numpy()
        if gate is not None:
            unit = data.x[s, 0, : len(gate) - 1].numpy()
            g = 1 / (1 + np.exp(-(unit @ gate[:-1] + gate[-1])))
            z = inputs["candidates"][:, policy.candidate_features.index("margin_z@1")]
            expected = g * expected / 2.0 - (1 - g) * z
        assert policy.scorer.run(inputs) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_scores_of_states_are_those_of_the_interpreter(name, states):
    config = replace(SMOKE, network=name)
    standard = get_standard(states)
    networks = [scorer_network(len(standard.mean), config, i) for i in range(2)]
    policy = export_policy(Fitted(networks, standard, 1.0), config, name="x", card={"summary": "x"})
    in_set = get_set(states, policy.candidate_features.index("margin@1")) > 0
    found = score_states(policy, states)
    for s, there in enumerate(states.mask):
        inputs = {
            "candidates": states.candidates[s, there].astype(float),
            "reference": states.candidates[s, in_set[s]].astype(float),
            "context": states.context[s].astype(float),
        }
        assert found[s, there] == pytest.approx(policy.scorer.run(inputs), abs=1e-6)
        assert not found[s, ~there].any()


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_query_reads_the_reference_set_and_no_candidate_subset(name, states):
    config = replace(SMOKE, network=name)
    standard = get_standard(states)
    networks = [scorer_network(len(standard.mean), config, 0)]
    policy = export_policy(Fitted(networks, standard, 1.0), config, name="x", card={"summary": "x"})
    assert ("reference" in policy.scorer.reads) == (name != "perceptron")
    X = np.random.default_rng(0).normal(size=(30, 3))
    y = np.array([0, 1, *[np.nan] * 28])
    _, whole = policy.query(X, y, GaussianNB(), return_utilities=True)
    _, some = policy.query(X, y, GaussianNB(), candidates=[3, 9], return_utilities=True)
    whole, some = np.ravel(whole), np.ravel(some)
    assert np.sort(some[np.isfinite(some)]) == pytest.approx(np.sort(whole[[3, 9]]))


def test_one_step_of_the_long_teacher_is_the_short_teacher():
    """With one label the copies are refitted to the labels that the look-ahead adds."""
    one = make_states(SMOKE, 0)
    rng = np.random.default_rng(0)
    same = make_states(SMOKE, 0, gains_of=multi_step_gains(SMOKE, 1, rng))
    three = make_states(SMOKE, 0, gains_of=multi_step_gains(SMOKE, 3, np.random.default_rng(0)))
    assert same.gains == pytest.approx(one.gains, abs=2e-2)
    assert np.corrcoef(same.gains[same.mask].ravel(), one.gains[one.mask].ravel())[0, 1] > 0.99
    assert not np.allclose(three.gains, one.gains)


def test_the_gate_closes_where_the_score_is_harmful(states):
    config = replace(SMOKE, n_epochs=2, batch_size=4, learning_rate=0.1)
    data = batchable(states, get_standard(states), config)
    doubt = data.target.clone()
    G = states.context.shape[1]
    context = data.x[:, 0, :G].numpy()

    def opening(score):
        found = fit_fallback(score, data, doubt, config)
        return 1 / (1 + np.exp(-(context @ found[:G] + found[G])))

    assert opening(-data.target).mean() < 0.8 < 0.88 < 0.01 + opening(3 * data.target).mean()


def test_picks_and_their_table_by_hand():
    gains = np.array([[[0.0, 0.2], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.4]]], np.float32)
    states = States(
        np.zeros((2, 2, 1), np.float32), np.zeros((2, 1), np.float32), gains,
        np.ones((2, 2), bool), np.array([4, 40]),
    )  # fmt: skip
    utilities = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert pick_gains(states, utilities, 1.0) == pytest.approx([0.1, -0.2])
    table = pick_table(
        HeldOut(states, np.array([0, 1])), {"a": utilities}, replace(SMOKE, balanced_share=1.0)
    )
    assert table["a"]["all"][0] == pytest.approx(-0.05)
    assert table["a"]["to 8"] == pytest.approx([0.1] * 3)
    assert "9 to 32" not in table["a"]


@pytest.mark.parametrize(
    "change",
    [
        {"loss": "listwise"},
        {"loss": "pairwise", "network": "deep_set"},
        {"network": "attention", "distil": True, "fallback": True},
        {"teacher_steps": 2, "check_tasks": 2, "check_budget": 3},
    ],
)
def test_options_train_to_a_file_that_differs(change, tmp_path):
    agent = AGENTS["imitation"]
    plain = agent.train(SMOKE, tmp_path / "plain")
    path = agent.train(replace(SMOKE, **change), tmp_path / "run")
    assert path.read_bytes() != plain.read_bytes()
    finished = json.loads((tmp_path / "run" / "finished.json").read_text())["best"]
    assert set(finished["picks"]) == {"policy", "margin"}
    assert ("check" in finished) == ("check_tasks" in change)
    if change.get("distil"):
        tensors = load_policy(path).tensors
        assert not any(name.startswith("m1_") for name in tensors)


def test_a_hidden_feature_changes_no_score(states, tmp_path):
    config = replace(SMOKE, without=("margin@1", "n_labelled@1"))
    policy = load_policy(AGENTS["imitation"].train(config, tmp_path / "run"))
    candidates, context = states.candidates[0].astype(float), states.context[0].astype(float)
    scores = run(policy.program, policy.tensors, {"candidates": candidates, "context": context})
    columns = {
        name: (list(policy.candidate_features).index(name), candidates)
        for name in ("margin@1", "min_distance@1")
    } | {"n_labelled@1": (list(policy.context_features).index("n_labelled@1"), context)}
    for name, (column, values) in columns.items():
        moved = values.copy()
        moved[..., column] += np.arange(len(moved)) if moved.ndim == 2 else 1.0
        inputs = {"candidates": candidates, "context": context}
        inputs["candidates" if moved.ndim == 2 else "context"] = moved
        same = np.allclose(run(policy.program, policy.tensors, inputs), scores, atol=1e-9)
        assert same == (name in config.without)


def test_rounds_resume_and_read_blocks_of_another_run(tmp_path):
    agent, folder = AGENTS["imitation"], tmp_path / "a"
    config = replace(SMOKE, rounds=2)
    first = agent.train(config, folder).read_bytes()
    # as a kill leaves it after the first round: no later block, nothing finished
    for name in ("finished.json", "policy.safetensors", "blocks/0001.npz", "blocks/0002.npz"):
        (folder / name).unlink()
    assert agent.train(config, folder).read_bytes() == first
    assert load_policy(folder / "rounds" / "00.safetensors").card["round"] == 0
    read = agent.train(replace(SMOKE, states_from=str(folder)), tmp_path / "c")
    assert not (tmp_path / "c" / "blocks").exists()
    same, other = load_policy(read).tensors, load_policy(folder / "policy.safetensors").tensors
    assert all(np.array_equal(same[name], other[name]) for name in other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"set_width": 0}, "set_width must be at least 1"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"rounds": 3}, "3 rounds need as many blocks"),
        ({"rounds": 2, "network": "attention"}, "by perceptrons"),
        ({"states_from": "x", "teacher_steps": 2}, "leave teacher_steps at 1"),
        ({"states_from": "nowhere"}, "has 0 blocks; expected at least 3"),
        ({"fallback": True, "margin_prior": 0.5}, "takes the place of margin_prior"),
        ({"without": ("margin@1", "luck@1")}, "without names luck@1"),
        ({"fallback": True, "candidate_features": ("margin@1", "min_distance@1")}, "margin_z@1"),
    ],
)
def test_bad_configs_are_refused(change, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        AGENTS["imitation"].train(replace(SMOKE, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()
