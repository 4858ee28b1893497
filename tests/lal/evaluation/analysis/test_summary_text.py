"""The summary as text and as cells, letter by letter, from rows made by hand."""

from typing import Any

import numpy as np
import pytest

from lal.evaluation.analysis.bootstrap import Interval
from lal.evaluation.analysis.control_tests import Comparison
from lal.evaluation.analysis.summary import (
    Row,
    _order,
    _query_ms,
    common_runs,
    comparison_cells,
    format_summary,
    speed_cell,
)
from lal.evaluation.report.sections import _set_row, row_cells

pandas = pytest.importorskip("pandas", reason="pandas is absent")


def make_comparison(control: str, mean: float, counts: tuple[int, int, int]) -> Comparison:
    new = Interval(mean, mean - 0.01, mean + 0.02, 0.95, "new_sets")
    these = Interval(mean, mean - 0.005, mean + 0.0025, 0.95, "these_sets")
    return Comparison(control, (control,), new, these, *counts)


def make_row(strategy: str, **changes: Any) -> Row:
    fields: dict[str, Any] = {
        "strategy": strategy, "role": "strategy", "area": 0.75, "n_sets": 3, "seen_sets": (),
        "against": {}, "harm_rate": float("nan"), "worst": None, "tail": float("nan"),
        "query_ms": (float("nan"), float("nan")), "failed": 0,
    }  # fmt: skip
    return Row(**{**fields, **changes})


BEST = make_row(
    "mine", role="policy", area=0.8123, n_sets=12, seen_sets=("iris", "wine"),
    against={
        "margin": make_comparison("margin", 0.0123, (7, 3, 2)),
        "random": make_comparison("random", -0.005, (1, 0, 11)),
    },
    harm_rate=0.25, worst=("heart", -0.0313), tail=-0.02, query_ms=(1.25, 12.0), failed=4,
)  # fmt: skip
PLAIN = make_row("a_strategy_of_long_name", area=float("nan"), n_sets=0)


def test_a_summary_is_a_table_of_aligned_columns() -> None:
    lines = format_summary([BEST, PLAIN]).splitlines()
    head, rows = lines[0], [line for line in lines if line.startswith(("mine ", "a_strategy"))]
    assert head.split() == [
        "strategy", "area", "sets", "vs", "margin", "W/T/L", "vs", "random", "W/T/L", "10", "%",
        "worst", "ms", "failed",
    ]  # fmt: skip
    assert [row.split("  ")[0] for row in rows] == ["mine", "a_strategy_of_long_name"]
    cells = [
        "mine", "81.23", "12", "+1.23 [+0.23, +3.23]", "7/3/2", "-0.50 [-1.50, +1.50]", "1/0/11",
        "-2.00", "heart -3.13", "1.2 / 12.0", "4",
    ]  # fmt: skip
    assert [cell.strip() for cell in rows[0].split("  ") if cell.strip()] == cells
    plain = [cell.strip() for cell in rows[1].split("  ") if cell.strip()]
    assert plain == ["a_strategy_of_long_name", "-", "0", *["-"] * 6, "- / -", "0"]
    # names on the left, everything else on the right of its column
    assert len(rows[0]) == len(rows[1]) == len(head)
    for name, cell in (("area", "  81.23  "), ("sets", "  12  "), ("worst", "  heart -3.13  ")):
        assert head.index(f"{name}  ") + len(name) == rows[0].index(cell) + len(cell) - 2
    assert lines[1] == "-" * len(head)
    assert "mine: iris, wine seen in training, left out" in lines[-1]
    assert "seen in training" not in format_summary([PLAIN])


def test_cells_of_the_page_are_those_of_the_row() -> None:
    assert row_cells(BEST) == {
        "strategy": "mine", "area": "81.23", "n_sets": 12,
        "margin": {"new": "+1.23 [+0.23, +3.23]", "these": "[+0.73, +1.48]", "counts": "7/3/2"},
        "random": {"new": "-0.50 [-1.50, +1.50]", "these": "[-1.00, -0.25]", "counts": "1/0/11"},
        "harm": "25 %", "tail": "-2.00", "worst": "heart -3.13", "ms": "1.25 / 12.00", "failed": 4,
        "seen": "iris, wine", "oracle": False,
    }  # fmt: skip
    none = {"new": "-", "these": "-", "counts": "-"}
    assert row_cells(make_row("@oracle_seen", role="oracle")) == {
        "strategy": "@oracle_seen", "area": "75.00", "n_sets": 3, "margin": none, "random": none,
        "harm": "-", "tail": "-", "worst": "-", "ms": "- / -", "failed": 0, "seen": "",
        "oracle": True,
    }  # fmt: skip
    assert comparison_cells(None) == ["-", "-"]
    assert speed_cell(make_row("x", query_ms=(2.0, float("nan")))) == "2.00 / -"


def test_rows_are_ordered_by_their_gain_on_margin_then_on_random() -> None:
    ahead = make_row("a", area=0.1, against={
        "margin": make_comparison("margin", 0.02, (1, 0, 0)),
        "random": make_comparison("random", 0.01, (1, 0, 0)),
    })  # fmt: skip
    margin = make_row("m", area=0.9, against={"random": make_comparison("random", 0.03, (1, 0, 0))})
    assert _order(ahead) == pytest.approx((-0.02, -0.1))
    assert _order(margin) == pytest.approx((-0.03, -0.9))
    assert _order(make_row("x")) == (0.0, -0.75)


def test_times_of_a_query_are_medians_in_milliseconds() -> None:
    table = pandas.DataFrame(
        {"query_seconds": [0.001, 0.002, 0.009], "query_p95": [0.0, 0.004, 0.006]}
    )
    assert _query_ms(table) == pytest.approx((2.0, 5.0))  # 0: was not taken
    mean, tail = _query_ms(table[["query_seconds"]])
    assert mean == pytest.approx(2.0)
    assert np.isnan(tail)
    assert np.isnan(_query_ms(table[:1])[1])
    assert np.isnan(_query_ms(table[:0])).all()


def make_runs(*rows: tuple[str, str, int]) -> Any:
    table = pandas.DataFrame(rows, columns=["strategy", "status", "split"])
    return table.assign(dataset="d", learner="l", start=0)


def test_two_strategies_have_a_run_in_common_if_both_finished_it() -> None:
    runs = make_runs(("a", "done", 0), ("b", "done", 1), ("b", "failed", 0), ("c", "done", 1),
                     ("d", "failed", 1))  # fmt: skip
    assert not common_runs(runs, "a", "b")
    assert common_runs(runs, "b", "c")
    assert not common_runs(runs, "a", "nobody")
    assert common_runs(runs, "a", "a")
    assert not common_runs(runs, "d", "d")
    twice = make_runs(("a", "done", 0), ("a", "done", 0), ("b", "done", 1))
    assert not common_runs(twice, "a", "b")  # two results of one are no pair


def test_a_data_sets_line_says_what_finished() -> None:
    table = pandas.DataFrame(
        {"strategy": ["a", "a", "a", "b"], "status": ["done", "done", "failed", "failed"],
         "area": [0.5, 0.6, 0.9, 0.9]}
    )  # fmt: skip
    gain: Any = Interval(0.01, -0.005, 0.02, 0.95, "these_sets")
    assert _set_row(table, "a", gain) == {
        "strategy": "a", "runs": "2", "area": "55.00", "minus": "+1.00 [-0.50, +2.00]",
    }  # fmt: skip
    assert _set_row(table, "a", None)["minus"] == "-"
    assert _set_row(table, "b", None) == {
        "strategy": "b", "runs": "0", "area": "did not finish", "minus": "-",
    }  # fmt: skip
