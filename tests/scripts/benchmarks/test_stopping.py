"""The benchmark of stopping rules: what it counts, on small runs."""

import pytest

from lal.errors import UsageError
from scripts.benchmarks.base import Results
from scripts.benchmarks.policies import stopping
from scripts.benchmarks.policies.stopping import Config, Stop, run


@pytest.fixture
def one_data_set(monkeypatch):
    from lal.data import suites

    suite = suites.load_suite("bundled").subset(["iris"])
    monkeypatch.setattr(stopping, "load_suite", lambda name: suite)


def test_a_budget_saves_what_is_left_of_the_run(one_data_set, monkeypatch):
    class Inline:
        def __init__(self, jobs):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        map = staticmethod(map)

    monkeypatch.setattr(stopping, "ProcessPoolExecutor", Inline)
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
