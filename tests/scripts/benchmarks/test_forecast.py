"""The benchmark of the forecast: what it counts, on curves with known answers."""

import numpy as np
import pytest

from lal.errors import UsageError
from lal.labelling.forecast import FARTHEST, FEWEST_POINTS, RATIOS
from scripts.benchmarks.base import Results
from scripts.benchmarks.policies import forecast
from scripts.benchmarks.policies.forecast import Config, run

N = np.arange(10.0, 201.0, 10.0)


def curve(ceiling, drop=1.0):
    return N, ceiling - drop * N**-0.7


def test_every_look_ahead_within_range_is_counted():
    found = forecast._errors(curve(0.9))
    ratios = [ratio for ratio, _, _ in found]
    assert max(ratios) <= FARTHEST
    expected = sum(
        N[later] / N[seen - 1] <= FARTHEST
        for seen in range(FEWEST_POINTS, len(N))
        for later in range(seen, len(N))
    )
    assert len(found) == expected
    assert max(abs(error) for _, error, _ in found) < 0.02  # it is a power law


def test_random_needs_twice_the_labels():
    n, a = curve(0.9)
    slower = np.interp(N / 2, N, a)
    ratios = forecast._random_ratios({"policy": (n, a), "random": (n, slower)})
    assert np.median(ratios) == pytest.approx(2.0, rel=0.1)
    assert forecast._random_ratios({"policy": (n, a), "random": (n, a - 0.5)}).tolist() == [1.0]


def test_calibration_writes_what_the_forecast_reads(tmp_path):
    rng = np.random.default_rng(0)
    by_data = []
    for _ in range(12):
        n, a = curve(0.7 + 0.2 * rng.random())
        noisy = np.clip(a + 0.02 * rng.normal(size=len(a)), 0, 1)
        by_data.append([{"policy": (n, noisy), "random": (n, np.clip(a - 0.02, 0, 1))}])
    results = Results()
    forecast._calibrate(tmp_path / "forecast.json", by_data, results)
    from lal.serialization import read_json

    held = read_json(tmp_path / "forecast.json")
    assert len(held["quantiles"]) == len(RATIOS) == len(results.tables["calibration"].rows)
    assert all(low < 0 < high for low, high in held["quantiles"])
    assert held["random_ratio"][0] >= 1.0


def test_short_curves_calibrate_nothing(tmp_path):
    n, a = curve(0.9)
    short = [[{"policy": (n[:12], a[:12]), "random": (n[:12], a[:12])}]]
    with pytest.raises(UsageError, match="no curve looks 4 times ahead; raise --labels"):
        forecast._calibrate(tmp_path / "forecast.json", short, Results())
    assert not (tmp_path / "forecast.json").exists()


def test_coverage_of_easy_curves_is_full():
    by_data = {str(k): [{"policy": curve(0.7 + 0.02 * k)}] for k in range(5)}
    results = Results()
    forecast._test(by_data, results)
    (row,) = results.tables["coverage"].rows
    assert row["data sets"] == 5
    assert row["accuracy inside the interval"] == "100 %"


def test_nothing_is_large_enough(monkeypatch):
    monkeypatch.setattr(forecast, "_curves", lambda job: None)

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
