"""Tables, verdict and summary on made-up results."""

import numpy as np
import pytest

from lal.errors import UsageError
from lal.evaluation.analysis.control_tests import verdict
from lal.evaluation.analysis.curves import mean_curves, set_differences
from lal.evaluation.analysis.summary import format_summary, full_label_area, summarise
from lal.evaluation.analysis.tables import drop_seen, failures, long_table, paired, strategies_of
from lal.evaluation.runs.cells import CellResult

LEVELS = {"random": 0.70, "untrained1": 0.71, "untrained2": 0.69, "shuffled": 0.70, "margin": 0.75}


def cell(strategy, level, dataset=0, run=0, *, status="done", n_start=2):
    n = np.arange(n_start, n_start + 5)
    return CellResult(
        key=f"{strategy}-{dataset}-{run}",
        status=status,
        about={
            "dataset": f"set{dataset}",
            "family": f"kin{dataset}",
            "learner": "knn",
            "split": run,
            "start": 0,
            "strategy": strategy,
            "metric": "accuracy",
            "n_all_seen": None,
        },
        n_labels=n,
        metrics={"accuracy": np.full(5, level)},
        seconds=1.0,
        query_seconds=0.002,
        query_p95=0.005,
        error="" if status == "done" else "Traceback: boom",
    )


def table_of(levels, *, n_sets=5, n_runs=4, noise=0.004, extra=()):
    rng = np.random.default_rng(0)
    results = [
        cell(strategy, level + rng.normal(0, noise), d, r, n_start=2 + r % 2)
        for d in range(n_sets)
        for r in range(n_runs)
        for strategy, level in levels.items()
    ]
    return long_table([*results, *extra])


CONTROLS = {
    "random": "random",
    "untrained": ["untrained1", "untrained2"],
    "shuffled": "shuffled",
    "margin": "margin",
}


def test_ahead_of_all_three_is_learned_margin_decides_nothing():
    found = verdict(table_of({**LEVELS, "p": 0.74}), "p", CONTROLS, n_samples=500)
    assert found.learned
    assert found.sentence.startswith("p learned: +")
    assert found["random"].interval.mean == pytest.approx(0.04, abs=0.005)
    assert found["untrained"].interval.mean == pytest.approx(0.04, abs=0.005)
    assert not found["margin"].ahead
    assert (found["random"].wins, found["margin"].losses) == (5, 5)


@pytest.mark.parametrize("control", ["random", "untrained1", "shuffled"])
def test_behind_any_of_the_three_is_not_learned(control):
    levels = {**LEVELS, "p": 0.74, control: 0.80}
    found = verdict(table_of(levels), "p", CONTROLS, n_samples=500)
    assert not found.learned
    assert found.sentence.startswith("p did not learn: ")
    assert control.rstrip("1") in found.sentence


def test_level_with_the_controls_is_not_learned():
    assert not verdict(table_of({**LEVELS, "p": 0.70}), "p", CONTROLS, n_samples=500).learned


def test_mean_of_the_copies_is_what_counts():
    levels = {**LEVELS, "untrained1": 0.80, "untrained2": 0.60, "p": 0.74}
    found = verdict(table_of(levels, noise=0.0), "p", CONTROLS, n_samples=200)
    assert found["untrained"].interval.mean == pytest.approx(0.04)
    assert found.learned


def test_missing_controls_and_strategies_are_refused():
    table = table_of({**LEVELS, "p": 0.74})
    with pytest.raises(UsageError, match="untrained, shuffled missing"):
        verdict(table, "p", {"random": "random"})
    with pytest.raises(UsageError, match="no results of q"):
        verdict(table, "q", CONTROLS)


def test_runs_are_paired_and_incomplete_ones_left_out():
    table = table_of({"a": 0.8, "b": 0.7}, extra=[cell("a", 0.9, 0, 9)])
    assert len(paired(table, "a", "b")) == 20
    assert paired(table, "a", "b").names == tuple(f"set{d}" for d in range(5))


def test_two_results_of_one_run_are_refused():
    twice = table_of({"a": 0.8, "b": 0.7}, extra=[])
    copy = twice.copy()
    copy["cell"] = "again" + copy["cell"]
    import pandas

    with pytest.raises(UsageError, match="several results of one run"):
        paired(pandas.concat([twice, copy]), "a", "b")


def test_nothing_in_common_is_refused():
    table = table_of({"a": 0.8}, extra=[cell("b", 0.1, 0, 9)])
    with pytest.raises(UsageError, match="no run was finished by all"):
        paired(table, "a", "b")


def test_long_table_areas():
    table = table_of({"a": 0.8}, noise=0.0)
    assert table["area"].to_numpy() == pytest.approx(0.8)
    assert table["area_25"].isna().all()
    assert table["area_all_seen"].isna().all()
    assert len(table) == 100


def test_summary_sorts_marks_and_leaves_out_what_was_seen():
    levels = {"random": 0.7, "margin": 0.75, "p": 0.9, "@full": 0.95}
    failed = cell("p", 0.0, 0, 9, status="failed")
    table = table_of(levels, extra=[failed])
    rows = summarise(table, seen={"p": ["kin0", "kin3"]}, n_samples=200)
    assert [r.strategy for r in rows] == ["p", "margin", "random"]
    best = rows[0]
    assert (best.n_sets, best.seen_sets, best.failed) == (3, ("set0", "set3"), 1)
    assert best.against["margin"].wins == 3
    assert best.query_ms == pytest.approx((2.0, 5.0))
    assert rows[1].n_sets == 5
    text = format_summary(rows)
    assert "p: set0, set3 seen in training, left out" in text
    assert full_label_area(table) == pytest.approx(0.95, abs=0.01)
    assert len(failures(table)) == 1
    assert strategies_of(table) == ["margin", "p", "random"]


def test_everything_seen_leaves_nothing_to_average():
    table = table_of({"random": 0.7, "p": 0.9})
    rows = summarise(table, seen={"p": [f"kin{d}" for d in range(5)]}, n_samples=50)
    row = next(r for r in rows if r.strategy == "p")
    assert (row.n_sets, row.against) == (0, {})
    assert np.isnan(row.area)
    assert len(drop_seen(table, ["kin0"])["dataset"].unique()) == 4


def test_mean_curves_use_common_label_counts():
    table = table_of({"a": 0.8, "b": 0.7}, noise=0.0)
    a, b = mean_curves(table, "set0", ["a", "b"], "accuracy")
    assert a.n.tolist() == [3, 4, 5, 6]  # runs start at 2 or 3 and buy 4
    assert a.mean == pytest.approx(0.8)
    assert b.high == pytest.approx(0.7)


def test_set_differences_are_sorted_with_intervals():
    table = table_of({"a": 0.8, "b": 0.7})
    found = set_differences(table, "a", "b")
    assert [d.mean for d in found] == sorted((d.mean for d in found), reverse=True)
    assert all(d.low < d.mean < d.high for d in found)
