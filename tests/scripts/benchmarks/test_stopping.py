"""The benchmark of stopping rules: what it counts, on small runs."""

from dataclasses import replace

import pytest

from lal.data.datasets import Dataset
from lal.data.suites import load_suite
from lal.errors import UnknownNameError, UsageError
from scripts.benchmarks.base import Results
from scripts.benchmarks.policies import stopping
from scripts.benchmarks.policies.stopping import Config, Stop, run


class Sets(dict[str, Dataset]):
    names = property(list)


@pytest.fixture
def one_data_set(monkeypatch):
    from lal.data import suites

    suite = suites.load_suite("bundled").subset(["iris"])
    monkeypatch.setattr(stopping, "load_suite", lambda name: suite)


@pytest.fixture
def in_this_process(monkeypatch):
    class Inline:
        def __init__(self, jobs):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        map = staticmethod(map)

    monkeypatch.setattr(stopping, "ProcessPoolExecutor", Inline)


def test_a_budget_saves_what_is_left_of_the_run(one_data_set, in_this_process):
    results = Results()
    rules = ("budget:30", "budget:1000", "budget:10")
    run(Config(policy="margin", runs=2, rules=rules), results)
    half, never, first = results.tables["stopping"].rows
    assert half["labels saved"] == "50 %"  # of 60, 70 % of a pool of 90 in tens
    assert never == {
        "rule": "budget:1000",
        "labels saved": "0 %",
        "accuracy lost": "+0.00 [+0.00, +0.00]",
        "worst data set": "+0.0",
        "runs that lost over 2 points": "0 %",
        "runs that it stopped": "0 %",
    }
    assert first["runs that it stopped"] == "100 %"
    (row,) = results.tables["data-sets"].rows
    assert str(row["budget:30"]).startswith("30 (")


def test_finished_runs_are_read_and_other_settings_run_anew(
    one_data_set, in_this_process, monkeypatch, tmp_path
):
    config = Config(policy="margin", runs=2, rules=("budget:30",), labels=60, out=tmp_path)
    first, again = Results(), Results()
    run(config, first)
    monkeypatch.setattr(stopping, "_stops", lambda job: pytest.fail("run again"))
    run(replace(config, jobs=3), again)
    assert {n: t.rows for n, t in again.tables.items()} == {
        n: t.rows for n, t in first.tables.items()
    }
    for other in (replace(config, runs=3), replace(config, labels=50)):
        with pytest.raises(pytest.fail.Exception, match="run again"):
            run(other, Results())


def test_only_the_data_sets_that_are_named(in_this_process, tmp_path):
    config = Config(policy="margin", runs=1, rules=("budget:30",), labels=40, out=tmp_path)
    results = Results()
    run(replace(config, datasets=("wine",)), results)
    assert [row["data set"] for row in results.tables["data-sets"].rows] == ["wine"]
    assert [path.name for path in tmp_path.iterdir()] == ["wine-0.json"]
    with pytest.raises(UnknownNameError, match="wyne"):
        run(replace(config, datasets=("wyne",)), results)


def test_data_sets_too_small_for_a_run_are_named(in_this_process, monkeypatch):
    iris = load_suite("bundled")["iris"]
    small = replace(iris, name="tiny", X=iris.X[::8], y=iris.y[::8])
    suite = {"iris": iris, "tiny": small}
    monkeypatch.setattr(stopping, "load_suite", lambda name: Sets(suite))
    results = Results()
    run(Config(policy="margin", runs=1, rules=("budget:30",)), results)
    assert [row["data set"] for row in results.tables["data-sets"].rows] == ["iris"]
    assert results.notes == ["left out, too small for these runs: tiny"]
    del suite["iris"]
    with pytest.raises(UsageError, match="no data set of the suite is large enough"):
        run(Config(policy="margin", runs=1, rules=("budget:30",)), Results())


def test_a_wrong_learner_is_no_small_data_set(one_data_set, in_this_process):
    with pytest.raises(UnknownNameError, match="perceptrn"):
        run(Config(learner="perceptrn", runs=1), Results())


def test_summary_shows_losses():
    stops = [[Stop(50, 0.5, 3.0, True)], [Stop(100, 0.0, -1.0, False)]]
    cells = stopping._summary(stops)
    assert cells["labels saved"] == "25 %"
    assert cells["accuracy lost"].startswith("+1.00 [-1.00, +3.00]")
    assert cells["worst data set"] == "+3.0"
    assert cells["runs that lost over 2 points"] == "50 %"
    assert cells["runs that it stopped"] == "50 %"


def test_nothing_to_compare():
    with pytest.raises(UsageError, match="needs rules and at least one run"):
        run(Config(rules=()), Results())
