"""Reference levels on common data sets, lowest first; oracles are named as what they are."""

import pytest

from lal.evaluation.analysis.reference_levels import BEST, reference_levels

pandas = pytest.importorskip("pandas", reason="pandas is absent")


def runs(levels):
    rows = [
        {"run_key": f"{s}{d}", "dataset": d, "learner": "l", "split": 0, "start": 0, "strategy": s,
         "area": v, "status": "done"}
        for s, by in levels.items() for d, v in by.items()
    ]  # fmt: skip
    return pandas.DataFrame(rows)


def test_levels_by_hand():
    found = reference_levels(
        runs(
            {
                "random": {"x": 0.5, "y": 0.5, "z": 0.1},
                "margin": {"x": 0.7, "y": 0.5},
                "mine": {"x": 0.6, "y": 0.7},
                "@oracle_other": {"x": 0.8, "y": 0.8},
                "@full": {"x": 0.9, "y": 0.9},
            }
        ),
        "mine",
    )
    assert [r.name for r in found] == [
        "random", "margin", "mine", BEST, "@oracle_other", "fully labelled pool",
    ]  # fmt: skip
    assert [round(r.area, 3) for r in found] == [0.5, 0.6, 0.65, 0.7, 0.8, 0.9]
    assert "honest ceiling" in found[4].note
    assert found[2].note == ""


def test_nothing_in_common_gives_no_levels():
    assert reference_levels(runs({"random": {"x": 0.5}, "mine": {"y": 0.5}}), "mine") == []
