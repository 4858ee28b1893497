"""Curves on common label counts: pairing, bands, labels saved, penalties."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lal.errors import UsageError
from lal.evaluation.analysis.bootstrap import Paired, bootstrap_interval
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


def test_curves_with_gaps_are_joined_by_lines_and_short_overlaps_left_out():
    wide = replace(cell("a", [0.1, 0.3, 0.7]), n_labels=np.array([2, 4, 6]))
    found = get_curves(wide, cell("b", [0.5] * 5))
    np.testing.assert_allclose(found.mean("d", "a"), [0.1, 0.2, 0.3, 0.5, 0.7])
    two = get_curves(cell("a", [0.1, 0.2, 0.3]), cell("b", [0.5, 0.6], n0=3))
    assert two.n["d"].tolist() == [3, 4]
    one = get_curves(cell("a", [0.1, 0.2]), cell("b", [0.5, 0.6], n0=3))
    assert one.n == one.curves == {}


def ragged():
    """Four sets of two runs that begin and end at other labels; gains of a over b, nan outside."""
    draw = np.random.default_rng(2)
    cells, gains = [], np.full((4, 8), np.nan)
    for d, (first, length) in enumerate([(2, 4), (3, 5), (4, 4), (3, 3)]):
        theirs, noise = draw.random((2, length)), draw.normal(0.02, 0.05, (2, length))
        gains[d, first - 2 : first - 2 + length] = noise.mean(axis=0)
        for run in range(2):
            at = {"dataset": f"d{d}", "run": run, "n0": first}
            cells += [
                cell("a", theirs[run] + noise[run], **at), cell("b", theirs[run], **at)
            ]  # fmt: skip
    return get_curves(*cells), gains


def band_by_loops(gains, generator, n_samples):
    """The mean, and the widest studentised deviation of whole curves in bootstrap samples."""
    columns = [column[np.isfinite(column)] for column in gains.T]
    mean = np.array([column.mean() for column in columns])
    error = np.array([column.std(ddof=1) / np.sqrt(len(column)) for column in columns])
    D, largest = len(gains), []
    for weights in generator.multinomial(D, np.full(D, 1 / D), size=n_samples):
        deviations = []
        for t, column in enumerate(gains.T):
            there = np.isfinite(column)
            count = weights[there].sum()
            resampled = (weights[there] * column[there]).sum() / count if count else mean[t]
            deviations.append(abs(resampled - mean[t]) / error[t])
        largest.append(max(deviations))
    return mean, np.quantile(largest, 0.95) * error


def test_a_band_by_hand_over_sets_that_begin_and_end_elsewhere():
    """Labels 2 and 8 are those of one set in four, 7 of two, which is enough."""
    curves, gains = ragged()
    band = difference_band(curves, "a", "b", rng(), n_samples=50)
    assert band.n.tolist() == [3, 4, 5, 6, 7]
    assert band.n_sets.tolist() == [3, 4, 4, 2, 2]
    mean, half = band_by_loops(gains[:, 1:6], rng(), 50)
    np.testing.assert_allclose(band.mean, mean)
    np.testing.assert_allclose(band.low, mean - half)
    np.testing.assert_allclose(band.high, mean + half)


def test_a_band_needs_three_sets_and_a_run_in_common():
    curves, gains = ragged()
    band = difference_band(curves, "a", "b", rng(), datasets=["d1", "d3", "other"])
    np.testing.assert_allclose(band.mean, np.nanmean(gains[[1, 3], 1:6], axis=0))
    assert band.low.tolist() == band.mean.tolist() == band.high.tolist()
    three = difference_band(curves, "a", "b", rng(), datasets=["d0", "d1", "d2"], n_samples=9)
    assert (three.high > three.low).all()
    with pytest.raises(UsageError, match="a and c finished no run in common"):
        difference_band(curves, "a", "c", rng())
    with pytest.raises(UsageError, match="a and b finished no run in common"):
        difference_band(curves, "a", "b", rng(), datasets=["other"])


def test_an_interval_of_labels_saved_resamples_runs_of_all_three_curves():
    """The level is what random ends on; margin is the baseline; six runs."""
    draw, speed = np.random.default_rng(1), [[1.3], [0.8], [0.6]]
    runs = [np.cumsum(draw.random((3, 8)), axis=1) * speed for _ in range(6)]
    cells = [
        cell(name, rise[i], run=r)
        for r, rise in enumerate(runs)
        for i, name in enumerate(("s", "margin", "random"))
    ]
    (found,) = savings(get_curves(*cells), "s", rng(), baseline="margin", n_samples=40)

    def ratio(rows):
        mine, base, random = np.mean([runs[r] for r in rows], axis=0)
        return [2 + int(np.argmax(np.maximum.accumulate(c) >= random[-1])) for c in (mine, base)]

    draws, ratios = rng(), []
    for _ in range(40):
        mine, base = ratio(draws.integers(0, 6, 6))
        ratios.append(mine / base)
    mine, base = ratio(range(6))
    low, high = np.quantile(ratios, [0.025, 0.975])
    assert (found.labels, found.baseline_labels, found.dataset) == (mine, base, "d")
    assert found.ratio == pytest.approx(mine / base)
    assert (found.low, found.high) == pytest.approx((min(low, mine / base), max(high, mine / base)))
    (plain,) = savings(get_curves(*cells), "s", rng(), baseline="margin", n_samples=0)
    assert plain.low == plain.ratio == plain.high


def test_the_mean_of_ratios_is_geometric_with_an_interval_over_sets():
    found: Any = [SimpleNamespace(ratio=r) for r in (0.25, 1.0, 0.5, 0.7, 0.9)]
    mean = mean_saving(found, rng())
    logs = np.log([one.ratio for one in found])
    zeros = np.zeros(5, dtype=np.int64)
    over = bootstrap_interval(Paired(logs, np.arange(5), np.arange(5), zeros, zeros, zeros), rng())
    assert mean.mean == pytest.approx(np.exp(logs.mean()))
    assert (mean.low, mean.high) == pytest.approx((np.exp(over.low), np.exp(over.high)))


def test_penalties_need_two_runs_and_all_strategies():
    draw = np.random.default_rng(0)

    def cells(dataset, n_runs, names=("good", "bad")):
        return [
            cell(
                s, (0.8 if s == "good" else 0.6) + draw.normal(0, 0.001, 3), run=r, dataset=dataset
            )
            for s in names
            for r in range(n_runs)
        ]

    curves = get_curves(*cells("two", 2), *cells("more", 6), *cells("one", 1),
                        *cells("half", 6, ("good",)))  # fmt: skip
    names = ["good", "bad"]
    alone = [penalties(curves, names, [d])[1, 0] for d in ("two", "more", "one", "half", "none")]
    assert alone[0] > 0
    assert alone[1:] == [1.0, 0.0, 0.0, 0.0]
    everything = penalties(curves, names, ["two", "more", "one", "half", "none"])
    assert everything[1, 0] == pytest.approx(alone[0] + alone[1])
    assert everything[0, 0] == everything[0, 1] == everything[1, 1] == 0
