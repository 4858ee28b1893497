"""Areas of a cell, by column: by hand, and of a constant curve."""

from dataclasses import replace

import numpy as np
import pytest

from lal.evaluation.analysis.tables import (
    areas,
    drop_seen,
    failures,
    get_roles,
    list_strategies,
    long_table,
    run_rows,
)
from lal.evaluation.runs.methods import FULL_LABEL
from lal.evaluation.runs.run import RunResult

pytest.importorskip("pandas", reason="pandas is absent")


def cell(balanced, n=(2, 4, 8), seen=4):
    return RunResult(
        key="k",
        status="done",
        about={"metric": "balanced_accuracy", "n_all_seen": seen, "n_classes": 2},
        n_labels=np.array(n),
        metrics={"accuracy": np.full(len(n), 0.8), "balanced_accuracy": np.array(balanced)},
    )


def test_by_hand():
    found = areas(cell([0.5, 0.7, 0.9]))
    assert found["area"] == found["area_balanced_accuracy"] == pytest.approx(4.4 / 6)
    assert found["area_all_seen"] == found["area_all_seen_balanced_accuracy"] == pytest.approx(0.8)
    assert found["area_log_balanced_accuracy"] == pytest.approx(0.4)
    assert np.isnan(found["area_25"])


def test_constant_curves_give_the_constant_and_never_seen_gives_none():
    found = areas(cell([0.8] * 3, seen=None))
    assert found["area_accuracy"] == pytest.approx(0.8)
    assert found["area_log_accuracy"] == pytest.approx(0.6)
    assert np.isnan(found["area_all_seen_accuracy"])
    assert areas(cell([0.8] * 3))["area_all_seen_accuracy"] == pytest.approx(0.8)


def result(strategy, status="done", **changes):
    found = cell([0.5, 0.7, 0.9])
    where = {"strategy": strategy, "dataset": "d", "family": "f", "learner": "l", "split": 0,
             "start": 0}  # fmt: skip
    fields = {"key": strategy, "status": status, "about": {**found.about, **where}, **changes}
    if status != "done":
        fields |= {"n_labels": np.zeros(0, dtype=np.int64), "metrics": {}}
    return replace(found, **fields)


def test_a_row_of_the_table_says_what_its_method_is_for():
    """Listed roles, the reserved ones, and strategies for whoever is not listed."""
    names = ["p", "s", FULL_LABEL]
    table = long_table([result(name) for name in names], {"p": "policy"})
    assert get_roles(table) == {"p": "policy", "s": "strategy", FULL_LABEL: "full_labels"}
    assert get_roles(long_table([result("p")])) == {"p": "strategy"}
    old = table.drop(columns="role")
    assert get_roles(old) == {"p": "strategy", "s": "strategy", FULL_LABEL: "full_labels"}
    assert list_strategies(table) == ["p", "s"]
    assert drop_seen(table, iter(["f"])).empty
    assert len(drop_seen(table, ["g"])) == len(table)


def test_a_run_is_as_many_rows_as_its_curve_has_points():
    spent = {"seconds": 3.0, "query_seconds": 0.5, "query_p95": 0.75}
    late = result("late", "timed out", error="why", seconds=9.0)
    table = long_table([result("s", **spent), late])
    assert list(table["run_key"]) == ["late", "s", "s", "s"]
    assert list(table["n_labels"]) == [-1, 2, 4, 8]
    assert list(table["balanced_accuracy"][1:]) == [0.5, 0.7, 0.9]
    assert np.isnan(table["balanced_accuracy"][0])
    (first, second) = run_rows(table).to_dict("records")
    assert (first["status"], first["error"], first["seconds"]) == ("timed out", "why", 9.0)
    assert {name: second[name] for name in spent} == spent
    assert (second["status"], second["error"], second["role"]) == ("done", "", "strategy")
    for name, value in areas(result("s")).items():
        assert second[name] == pytest.approx(value, nan_ok=True)
        assert np.isnan(first[name])
    assert failures(table)["strategy"].tolist() == ["late"]
