"""Controls: every one is a method that runs; copies are what they say."""

import numpy as np
import pytest

from lal.errors import UsageError
from lal.evaluation.runs import controls
from lal.evaluation.runs.run import Run, execute
from lal.evaluation.runs.controls import RULES, linear_copy, ridge, untrained_copy, with_controls
from lal.evaluation.runs.methods import ORACLE_LABELS, parse_methods
from lal.evaluation.runs.protocol import Protocol, Repetition
from lal.policies.margin import margin_policy
from lal.policies.store import load_policy


@pytest.fixture(autouse=True)
def few_tasks(monkeypatch):
    monkeypatch.setattr(controls, "N_TASKS", 3)


def test_all_controls_are_listed_once_and_play(datasets, protocol, tmp_path):
    policy = tmp_path / "mine.safetensors"
    margin_policy().save(policy)
    listed = parse_methods(["margin", f"mine={policy}"])
    methods = with_controls(listed, "all", tmp_path / "controls")
    labels = [e.label for e in methods]
    assert len(labels) == len(set(labels))
    assert labels[:2] == ["margin", "mine"]
    copies = {"linear", *(f"untrained{i}" for i in range(5))}
    rules = {text.partition("=")[0] for text in RULES}
    assert set(labels) == {"mine", *rules, *ORACLE_LABELS.values(), *copies}
    for method in methods:
        result = execute(Run(protocol, datasets[0], "gaussian_nb", Repetition(0, 0), method))
        assert len(result.n_labels) == 7, method.label


def test_no_copies_of_rules_and_none_of_copies(tmp_path):
    listed = parse_methods(["random", "margin-as-policy=policy:margin?role=strategy"])
    assert with_controls(listed, "none", tmp_path) == listed
    added = {e.label for e in with_controls(listed, "all", tmp_path)} - {e.label for e in listed}
    assert not any(label.startswith(("untrained", "linear")) for label in added)


def test_copies_are_known_by_their_cards_not_by_their_labels(tmp_path):
    policy = margin_policy()
    for name, copy in {"mine": policy, "odd": untrained_copy(policy, 0)}.items():
        copy.save(tmp_path / f"{name}.safetensors")
    listed = parse_methods([str(tmp_path / f"{n}.safetensors") for n in ("mine", "odd")])
    assert [m.role for m in listed] == ["policy", "untrained"]
    added = with_controls(listed, "all", tmp_path / "controls")
    assert sum(m.role == "untrained" for m in added) == 6  # none of the copy's own
    assert [m.label for m in added if m.role == "linear"] == ["linear"]


def test_the_two_halves_of_an_oracle_are_one_episode(datasets, protocol, tmp_path):
    methods = with_controls([], "all", tmp_path)
    oracles = [e for e in methods if e.role == "oracle"]
    seen, other = (
        execute(Run(protocol, datasets[0], "gaussian_nb", Repetition(0, 0), e)) for e in oracles
    )
    assert seen.queried.tolist() == other.queried.tolist()
    assert seen.metrics["accuracy"].tolist() != other.metrics["accuracy"].tolist()
    batch = Protocol(budget=6, batch_size=3)
    with pytest.raises(UsageError, match="one label at a time, not 3"):
        execute(Run(batch, datasets[0], "gaussian_nb", Repetition(0, 0), oracles[0]))


def test_untrained_copies_differ_and_keep_structure_and_scale():
    policy = load_policy("lal-iterative")
    one, two, again = (
        untrained_copy(policy, 0),
        untrained_copy(policy, 1),
        untrained_copy(policy, 0),
    )
    assert one.candidate_features == policy.candidate_features
    assert one.program == policy.program
    changed = 0
    for name, value in policy.tensors.items():
        assert one.tensors[name].shape == value.shape
        assert np.array_equal(one.tensors[name], again.tensors[name])
        if value.dtype.kind == "f":
            kept = np.sort(np.abs(one.tensors[name]).ravel())
            assert np.array_equal(kept, np.sort(np.abs(value).ravel()))
            changed += not np.array_equal(one.tensors[name], two.tensors[name])
        else:
            assert np.array_equal(one.tensors[name], value)
    assert changed


def test_ridge_finds_a_line_and_leaves_constant_columns_alone():
    rng = np.random.default_rng(0)
    X = np.c_[rng.normal(size=500), 100 * rng.normal(size=500), np.full(500, 3.0)]
    weights = ridge(X - X.mean(axis=0), X @ [2.0, -0.03, 5.0] - 15.0, strength=1e-9)
    assert weights == pytest.approx([2.0, -0.03, 0.0], abs=1e-3)


def test_the_linear_scorer_reads_the_same_features_and_repeats():
    one, two = (linear_copy(margin_policy(), n_tasks=3) for _ in range(2))
    assert one.candidate_features == ("margin@1",)
    assert one.tensors["w"].shape == (1, 1)
    assert one.tensors["w"][0, 0] != 0
    assert np.array_equal(one.tensors["w"], two.tensors["w"])
