"""Tables, control test and summary on made-up results."""

import numpy as np
import pytest

from lal.errors import UsageError
from lal.evaluation.analysis.control_tests import control_test, find_controls, passes_controls
from lal.evaluation.analysis.set_differences import set_differences
from lal.evaluation.analysis.summary import format_summary, full_label_area, summarise
from lal.evaluation.analysis.tables import drop_seen, failures, list_strategies, long_table, paired
from lal.evaluation.runs.run import RunResult

LEVELS = {"random": 0.70, "untrained1": 0.71, "untrained2": 0.69, "shuffled": 0.70, "margin": 0.75}


def result(strategy, level, dataset=0, run=0, *, status="done", n_start=2):
    n = np.arange(n_start, n_start + 5)
    return RunResult(
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


def get_table(levels, *, n_sets=5, n_runs=4, noise=0.004, extra=()):
    rng = np.random.default_rng(0)
    results = [
        result(strategy, level + rng.normal(0, noise), d, r, n_start=2 + r % 2)
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
    found = control_test(get_table({**LEVELS, "p": 0.74}), "p", CONTROLS, n_samples=500)
    assert found.passes_controls
    assert found.sentence.startswith("p learned: +")
    assert found["random"].interval.mean == pytest.approx(0.04, abs=0.005)
    assert found["untrained"].interval.mean == pytest.approx(0.04, abs=0.005)
    assert found["margin"].low < 0
    assert (found["random"].wins, found["margin"].losses) == (5, 5)


@pytest.mark.parametrize("control", ["random", "untrained1", "shuffled"])
def test_behind_any_of_the_three_is_not_learned(control):
    levels = {**LEVELS, "p": 0.74, control: 0.80}
    found = control_test(get_table(levels), "p", CONTROLS, n_samples=500)
    assert not found.passes_controls
    assert found.sentence.startswith("p did not learn: ")
    assert control.rstrip("1") in found.sentence


def test_one_decision_for_every_agent_and_every_control_counts():
    ahead = {"random": 0.01, "untrained": 0.01, "shuffled": 0.01, "margin": -1.0}
    assert passes_controls(ahead)
    for name in ("random", "untrained", "shuffled"):
        assert not passes_controls({**ahead, name: 0.0})  # an interval that touches 0 fails
        with pytest.raises(UsageError, match=f"{name} missing"):
            passes_controls({k: v for k, v in ahead.items() if k != name})
    assert not passes_controls({**ahead, "within": -0.01}, required=("within",))
    with pytest.raises(UsageError, match="within missing"):
        passes_controls(ahead, required=("within",))


def test_controls_are_found_by_role():
    table = get_table({**LEVELS, "p": 0.74})
    assert find_controls(table) == {"random": ["random"]}
    roles = {"untrained1": "untrained", "untrained2": "untrained", "shuffled": "shuffled"}
    table["role"] = table["strategy"].map(roles).fillna("strategy")
    assert find_controls(table)["untrained"] == ["untrained1", "untrained2"]
    assert control_test(table, "p", n_samples=200).passes_controls


def test_level_with_the_controls_is_not_learned():
    assert not control_test(
        get_table({**LEVELS, "p": 0.70}), "p", CONTROLS, n_samples=500
    ).passes_controls


def test_mean_of_the_copies_is_what_counts():
    levels = {**LEVELS, "untrained1": 0.80, "untrained2": 0.60, "p": 0.74}
    found = control_test(get_table(levels, noise=0.0), "p", CONTROLS, n_samples=200)
    assert found["untrained"].interval.mean == pytest.approx(0.04)
    assert found.passes_controls


def test_missing_controls_and_strategies_are_refused():
    table = get_table({**LEVELS, "p": 0.74})
    with pytest.raises(UsageError, match="untrained, shuffled missing"):
        control_test(table, "p", {"random": "random"})
    with pytest.raises(UsageError, match="no results of q"):
        control_test(table, "q", CONTROLS)


def test_runs_are_paired_and_incomplete_ones_left_out():
    table = get_table({"a": 0.8, "b": 0.7}, extra=[result("a", 0.9, 0, 9)])
    assert len(paired(table, "a", "b")) == 20
    assert paired(table, "a", "b").names == tuple(f"set{d}" for d in range(5))


def test_two_results_of_one_run_are_refused():
    twice = get_table({"a": 0.8, "b": 0.7}, extra=[])
    copy = twice.copy()
    copy["run_key"] = "again" + copy["run_key"]
    import pandas

    with pytest.raises(UsageError, match="several results of one run"):
        paired(pandas.concat([twice, copy]), "a", "b")


def test_nothing_in_common_is_refused():
    table = get_table({"a": 0.8}, extra=[result("b", 0.1, 0, 9)])
    with pytest.raises(UsageError, match="no run was finished by all"):
        paired(table, "a", "b")


def test_long_table_areas():
    table = get_table({"a": 0.8}, noise=0.0)
    assert table["area"].to_numpy() == pytest.approx(0.8)
    assert table["area_25"].isna().all()
    assert table["area_all_seen"].isna().all()
    assert len(table) == 100


def test_summary_sorts_marks_and_leaves_out_what_was_seen():
    levels = {"random": 0.7, "margin": 0.75, "p": 0.9, "@full": 0.95}
    failed = result("p", 0.0, 0, 9, status="failed")
    table = get_table(levels, extra=[failed])
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
    assert list_strategies(table) == ["margin", "p", "random"]


def test_everything_seen_leaves_nothing_to_average():
    table = get_table({"random": 0.7, "p": 0.9})
    rows = summarise(table, seen={"p": [f"kin{d}" for d in range(5)]}, n_samples=50)
    row = next(r for r in rows if r.strategy == "p")
    assert (row.n_sets, row.against) == (0, {})
    assert np.isnan(row.area)
    assert len(drop_seen(table, ["kin0"])["dataset"].unique()) == 4


def test_set_differences_are_sorted_with_intervals():
    table = get_table({"a": 0.8, "b": 0.7})
    found = set_differences(table, "a", "b")
    assert [d.mean for d in found] == sorted((d.mean for d in found), reverse=True)
    assert all(d.low < d.mean < d.high for d in found)
