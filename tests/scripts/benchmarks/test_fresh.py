"""Policies on fresh synthetic tasks: pairing, and means over training seeds."""

from typing import Any

import pytest

from lal.errors import UsageError
from scripts.benchmarks.base import Results
from scripts.benchmarks.policies.fresh import Config, _task, run

SMALL: dict[str, Any] = {"tasks": 3, "budget": 6, "max_pool": 60, "rows": (200, 300)}


def test_a_policy_is_level_with_itself_and_labels_are_averaged():
    results = Results()
    policies = ("same=default", "two=default", "two=lookahead-2026-11-22")
    run(Config(policies=policies, against=("default", "margin"), **SMALL), results)
    rows = {(row["policy"], row["minus"]): row for row in results.tables["fresh"].rows}
    assert rows["same", "default"]["balanced accuracy"] == "+0.00 [+0.00, +0.00]"
    assert (rows["same", "default"]["seeds"], rows["two", "default"]["seeds"]) == (1, 2)
    assert rows["same", "margin"]["accuracy"] != rows["two", "margin"]["accuracy"]


def test_tasks_begin_with_as_many_random_labels_as_asked_for():
    assert _task(Config(**SMALL), 0).start == "two_classes"
    assert _task(Config(start=9, **SMALL), 0).start == 9


def test_tasks_come_from_the_families_that_are_asked_for():
    config = Config(families=("network", "rules"), **SMALL)
    assert {_task(config, i).family for i in range(3)} <= {"synthetic:network", "synthetic:rules"}
    with pytest.raises(UsageError, match="no family 'net'; known: clusters, linear"):
        _task(Config(families=("net",), **SMALL), 0)
