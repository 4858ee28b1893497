"""The benchmark of the forecast: what it counts, on curves with known answers."""

import numpy as np
import pytest

from lal.errors import UsageError
from lal.labelling.forecast import FARTHEST, FEWEST_POINTS, RATIOS, fit_curve
from lal.serialization import read_json
from scripts.benchmarks.base import Results
from scripts.benchmarks.policies import forecast, forecast_calibration, forecast_curves
from scripts.benchmarks.policies.forecast import Config, run
from scripts.benchmarks.policies.forecast_calibration import (
    Looks,
    calibrate,
    fit_rise,
    look_ahead,
    random_ratios,
)
from scripts.benchmarks.policies.forecast_curves import Curves, get_curves

N = np.arange(10.0, 201.0, 10.0)


def curves(ceiling, drop=1.0, noise=0.0, seed=0, n=N):
    noisy = noise * np.random.default_rng(seed).normal(size=len(n))
    a = np.clip(ceiling - drop * n**-0.7 + noisy, 0, 1)
    return Curves(n, a, np.clip(a - 0.02, 0, 1), 500)


def test_every_look_ahead_within_range_is_counted():
    found = look_ahead([curves(0.9)])
    assert found.ratio.max() <= FARTHEST
    expected = sum(
        N[later] / N[seen - 1] <= FARTHEST
        for seen in range(FEWEST_POINTS, len(N))
        for later in range(seen, len(N))
    )
    assert len(found.ratio) == len(found.error) == len(found.rise) == expected
    assert found.terms.shape == (expected, 8)
    assert abs(found.error).max() < 1.0  # it is a power law
    assert (found.rise > 0).all()  # which has not ended


def test_a_look_ahead_is_measured_in_its_scale():
    known = curves(0.9, noise=0.03)
    found = look_ahead([known])
    fit = fit_curve(N[:5].tolist(), known.a[:5].tolist(), known.of)
    assert found.ratio[2] == 80 / 50
    scale = fit.scale(80.0)
    assert found.error[2] * scale == pytest.approx(known.a[7] - fit.law(80.0))
    assert found.rise[2] * scale == pytest.approx(known.a[:8].max() - known.a[:5].max())
    firsts = [known.a[k] > known.a[:k].max() for k in range(5, 20)]  # 50 labels, then up to 200
    assert found.first[:15].tolist() == firsts
    assert 0 < sum(firsts) < 15


def test_upper_ends_are_those_of_accuracies_first_reached():
    ratio = np.repeat(RATIOS, 20)
    first = np.tile(np.arange(20) % 2 == 0, len(RATIOS))
    rise = np.where(first, 3.0, -1.0)
    looks = [Looks(ratio, rise, rise, first, np.zeros((len(ratio), 8)))] * 20
    assert forecast_calibration._best_ends(looks, np.zeros(8)) == [[-1.0, 3.0]] * len(RATIOS)
    rare = np.tile(np.arange(20) == 0, len(RATIOS))  # one in twenty is beyond 90 % of them all
    looks = [Looks(ratio, rise, np.where(rare, 9.0, 0.0), rare, np.zeros((len(ratio), 8)))] * 20
    assert forecast_calibration._best_ends(looks, np.zeros(8)) == [[0.0, 9.0]] * len(RATIOS)


def test_the_weights_of_the_rise_are_found():
    rng = np.random.default_rng(0)
    weights = np.array([0.8, 0.0, -0.3, 0.0, 0.1, 0.0, 0.0, 0.2])
    looks = []
    for _ in range(20):
        terms = rng.normal(size=(30, 8))
        rise = terms @ weights + np.where(rng.random(30) < 0.1, 5.0, 0.0)  # the median ignores it
        looks.append(Looks(np.ones(30), np.zeros(30), rise, np.ones(30, bool), terms))
    assert fit_rise(looks) == pytest.approx(weights, abs=0.05)


def test_random_needs_twice_the_labels():
    n, a = N, curves(0.9).a
    slower = np.interp(N / 2, N, a)
    assert np.median(random_ratios(Curves(n, a, slower, 9))) == pytest.approx(2.0, rel=0.1)
    assert random_ratios(Curves(n, a, a - 0.5, 9)).tolist() == [1.0]


def test_calibration_writes_what_the_forecast_reads(tmp_path):
    rng = np.random.default_rng(0)
    by_data = [[curves(0.7 + 0.2 * rng.random(), noise=0.02, seed=k)] for k in range(24)]
    results = Results()
    calibrate(tmp_path / "forecast.json", by_data, results)
    held = read_json(tmp_path / "forecast.json")
    assert len(held["accuracy"]) == len(held["best"]) == len(RATIOS)
    assert len(results.tables["calibration"].rows) == len(RATIOS)
    assert all(low < 0 < high for low, high in held["accuracy"])
    assert len(held["rise"]) == 8
    assert held["random_ratio"][0] >= 1.0
    assert held["data sets"] == 24


def test_short_curves_calibrate_nothing(tmp_path):
    path = tmp_path / "forecast.json"
    with pytest.raises(UsageError, match="no curve looks 4 times ahead; raise --labels"):
        calibrate(path, [[curves(0.9, n=N[:12])]] * 2, Results())
    with pytest.raises(UsageError, match="no two data sets have curves long enough"):
        calibrate(path, [[curves(0.9, n=N[:5])]] * 2, Results())
    assert not path.exists()


def test_coverage_of_easy_curves_is_full():
    by_data = {str(k): [curves(0.7 + 0.02 * k)] for k in range(5)}
    results = Results()
    forecast._test(by_data, results)
    (row,) = results.tables["coverage"].rows
    assert row["data sets"] == 5
    assert row["accuracy inside the interval"] == "100 %"
    assert [row["fit"] for row in results.tables["comparison"].rows] == list(forecast.FITS)
    first = results.tables["difference"].rows[0]
    assert first["nearer / farther"] == "5 / 0"  # power laws are no curves of PALM


def test_kept_curves_are_read_again(tmp_path, monkeypatch):
    config = Config(suite="bundled", labels=60, max_pool=60, out=tmp_path)
    first = get_curves((config, "iris", 0))
    monkeypatch.setattr(forecast_curves, "_measure", lambda job: pytest.fail("measured again"))
    again = get_curves((config, "iris", 0))
    assert first is not None
    assert again is not None
    assert (again.n.tolist(), again.a.tolist()) == (first.n.tolist(), first.a.tolist())
    assert (again.of, len(again.random)) == (59, len(first.n))
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        get_curves((Config(suite="bundled", labels=50, max_pool=60, out=tmp_path), "iris", 0))


def test_nothing_is_large_enough(monkeypatch):
    monkeypatch.setattr(forecast, "get_curves", lambda job: None)

    class Inline:
        def __init__(self, jobs):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        map = staticmethod(map)

    monkeypatch.setattr(forecast, "ProcessPoolExecutor", Inline)
    with pytest.raises(UsageError, match="no data set is large enough"):
        run(Config(), Results())
