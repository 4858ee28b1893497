"""Protocol: frozen, hashed, versioned."""

import dataclasses
from typing import Any

import pytest

from lal.errors import UsageError
from lal.evaluation.runs.protocol import PROTOCOLS, Protocol, count_labels, make_protocol


@pytest.mark.parametrize("name", PROTOCOLS)
def test_json_round_trip(name):
    protocol = PROTOCOLS[name]
    again = Protocol.from_json(protocol.to_json())
    assert again == protocol
    assert again.hash == protocol.hash
    assert protocol.name == name


def test_every_field_is_in_the_hash():
    base = Protocol()
    other: dict[str, Any] = {
        "name": "x", "budget": 7, "start": 5, "batch_size": 2, "test_share": 0.3, "max_pool": 9,
        "max_share": 0.9, "n_splits": 3, "n_starts": 2, "metrics": ("balanced_accuracy",),
        "metric": "accuracy", "classes_known": True, "budget_known": True, "seed": 1,
        "conditions": ("outliers",),
    }  # fmt: skip
    names = {f.name for f in dataclasses.fields(Protocol)} - {"version"}
    assert names == set(other)
    for name, value in other.items():
        assert dataclasses.replace(base, **{name: value}).hash != base.hash, name


def test_more_runs_keep_finished_cells():
    base = Protocol()
    assert base.with_runs(20).run_hash == base.with_runs(50).run_hash == base.run_hash
    assert dataclasses.replace(base, budget=3).run_hash != base.run_hash


@pytest.mark.parametrize(
    ("n", "splits", "starts"), [(50, 10, 5), (20, 4, 5), (4, 2, 2), (7, 7, 1), (5, 5, 1), (1, 1, 1)]
)
def test_runs_are_splits_times_starts(n, splits, starts):
    protocol = Protocol().with_runs(n)
    assert (protocol.n_runs, protocol.n_splits, protocol.n_starts) == (n, splits, starts)
    assert len(set(protocol.repetitions)) == n


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": 0}, "budget must be at least 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"batch_size": "0C"}, "batch_size must be a number or a text like '10C'"),
        ({"budget": "C"}, "budget must be a number or a text like '10C'"),
        ({"start": "one_class"}, "start must be a number or a text like '10C'"),
        ({"test_share": 1.0}, "test_share must lie"),
        ({"max_share": 0.0}, "max_share must be above 0"),
        ({"metric": "auroc"}, "'auroc' is not among"),
        ({"version": 99}, "version 99 is not known"),
    ],
)
def test_rules_that_cannot_be_played_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        Protocol(**changes)


def test_counts_of_classes_follow_the_data_set():
    rules = make_protocol("batch_10C")
    assert (rules.get_start(3), rules.get_start(2)) == (30, 20)
    assert count_labels(rules.batch_size, 3) == 30
    assert count_labels(7, 3) == 7
    assert make_protocol("cold").get_start(3) == "two_classes"


def test_settings_of_other_benchmarks():
    sizes = {"small": (30, 10), "medium": (100, 50), "large": (300, 200)}
    for size, (start, batch_size) in sizes.items():
        protocol = PROTOCOLS[f"alpbench_{size}"]
        assert (protocol.start, protocol.batch_size) == (start, batch_size)
        assert protocol.budget == 20 * batch_size
        assert (protocol.n_runs, protocol.metric) == (10, "accuracy")
    cdalbench = PROTOCOLS["cdalbench"]
    assert cdalbench.get_start(3) == 3
    assert (cdalbench.budget, cdalbench.batch_size, cdalbench.n_runs) == (400, 1, 50)


def test_unknown_regime_and_json():
    with pytest.raises(UsageError, match="unknown regime 'hot'"):
        make_protocol("hot")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="not JSON"):
        Protocol.from_json("{")
    with pytest.raises(UsageError, match="unknown fields colour"):
        Protocol.from_json('{"colour": 1}')
