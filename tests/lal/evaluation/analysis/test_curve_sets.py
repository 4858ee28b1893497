"""Curves on common label counts: pairing, bands, labels saved, penalties."""

import numpy as np
import pytest

from lal.evaluation.analysis.curve_sets import (
    collect_curves,
    difference_band,
    mean_saving,
    penalties,
    savings,
)
from lal.evaluation.analysis.tables import long_table
from lal.evaluation.runs.run import RunResult

pytest.importorskip("pandas", reason="pandas is absent")


def cell(strategy, values, *, dataset="d", run=0, n0=2):
    n = np.arange(n0, n0 + len(values))
    about = {
        "dataset": dataset, "family": dataset, "learner": "l", "split": run, "start": 0,
        "strategy": strategy, "metric": "accuracy", "n_all_seen": None, "n_classes": 2,
    }  # fmt: skip
    curve = np.asarray(values, dtype=np.float64)
    key = f"{strategy}-{dataset}-{run}"
    return RunResult(key, "done", about, n, {"accuracy": curve})


def get_curves(*cells):
    return collect_curves(long_table(cells), "accuracy")


def rng():
    return np.random.default_rng(0)


def test_curves_are_cut_to_the_labels_that_all_have():
    found = get_curves(cell("a", [0.1, 0.2, 0.3, 0.4]), cell("b", [0.5, 0.6, 0.7], n0=3))
    np.testing.assert_array_equal(found.n["d"], [3, 4, 5])
    np.testing.assert_allclose(found.mean("d", "a"), [0.2, 0.3, 0.4])
    np.testing.assert_allclose(found.mean("d", "b"), [0.5, 0.6, 0.7])


def test_only_runs_that_both_finished_are_paired():
    found = get_curves(
        cell("a", [0.1, 0.2]), cell("a", [0.3, 0.4], run=1), cell("b", [0, 0], run=1)
    )
    pair = found.runs("d", ["a", "b"])
    assert pair is not None
    np.testing.assert_allclose(pair, [[[0.3, 0.4]], [[0.0, 0.0]]])
    assert found.both("a", "b") == ["d"]
    assert found.runs("d", ["a", "nobody"]) is None


def test_full_label_cells_give_the_level_and_no_curve():
    found = get_curves(cell("a", [0.1, 0.2]), cell("@full", [0.9], n0=50))
    assert found.full == {"d": pytest.approx(0.9)}
    assert "@full" not in found.curves["d"]


def test_a_constant_difference_has_a_band_of_no_width():
    cells = [
        cell(s, 0.1 * d + np.array([0.3, 0.4, 0.5]) + up, dataset=f"d{d}")
        for d in range(4)
        for s, up in (("a", 0.02), ("b", 0.0))
    ]
    band = difference_band(get_curves(*cells), "a", "b", rng())
    np.testing.assert_allclose(band.mean, 0.02)
    np.testing.assert_allclose(band.low, 0.02)
    np.testing.assert_allclose(band.high, 0.02)
    np.testing.assert_array_equal(band.n_sets, 4)


def test_the_band_is_wider_than_pointwise_and_holds_whole_curves():
    draw = np.random.default_rng(3)
    held = 0
    for _ in range(20):
        cells = []
        for d in range(30):
            noise = draw.normal(0, 0.02, 12)
            cells += [
                cell("a", 0.51 + noise, dataset=f"d{d}"),
                cell("b", [0.5] * 12, dataset=f"d{d}"),
            ]
        band = difference_band(get_curves(*cells), "a", "b", rng(), n_samples=400)
        held += bool(((band.low < 0.01) & (band.high > 0.01)).all())
        pointwise = 2 * 1.96 * 0.02 / np.sqrt(30)
        assert np.mean(band.high - band.low) > 1.2 * pointwise
    assert held >= 16


def test_labels_saved_by_hand():
    random = [0.5, 0.6, 0.7, 0.8]
    found = savings(get_curves(cell("random", random), cell("a", [0.5, 0.8, 0.8, 0.8])), "a", rng())
    assert [(s.labels, s.baseline_labels, s.censored) for s in found] == [(3.0, 5.0, False)]
    assert found[0].ratio == pytest.approx(0.6)
    mean = mean_saving(found, rng())
    np.testing.assert_allclose([mean.mean, mean.low, mean.high], 0.6)


def test_labels_saved_come_fewest_first():
    """Random ends on 0.5 after 5 labels; the strategy is there after 5, 2 and 3."""
    rise = {"c": [0, 0, 0, 0.5], "a": [0.5, 0.5, 0.5, 0.5], "b": [0, 0.5, 0.5, 0.5]}
    cells = [cell("s", values, dataset=d) for d, values in rise.items()]
    cells += [cell("random", [0.0, 0.2, 0.4, 0.5], dataset=d) for d in rise]
    found = savings(get_curves(*cells), "s", rng())
    assert [one.dataset for one in found] == ["a", "b", "c"]
    assert [one.ratio for one in found] == pytest.approx([2 / 5, 3 / 5, 1.0])


def test_a_level_never_reached_is_censored_at_the_last_label():
    random = [0.5, 0.6, 0.7, 0.8]
    (found,) = savings(get_curves(cell("random", random), cell("a", [0.5] * 4)), "a", rng())
    assert found.censored
    assert found.ratio == pytest.approx(1.0)


def test_sets_that_the_baseline_never_solves_are_left_out():
    cells = (cell("random", [0.5, 0.8]), cell("a", [0.8, 0.8]), cell("margin", [0.5, 0.6]))
    assert savings(get_curves(*cells), "a", rng(), baseline="margin") == []


def test_penalties_have_the_loser_in_rows_and_stop_at_the_ceiling():
    draw = np.random.default_rng(0)
    cells = [
        cell(s, level + draw.normal(0, 0.001, 3), run=r)
        for s, level in (("good", 0.8), ("bad", 0.6))
        for r in range(6)
    ]
    found = penalties(get_curves(*cells), ["good", "bad"], ["d"])
    np.testing.assert_allclose(found, [[0, 0], [1, 0]])
    capped = penalties(get_curves(*cells, cell("@full", [0.7], n0=50)), ["good", "bad"], ["d"])
    assert not capped.any()
