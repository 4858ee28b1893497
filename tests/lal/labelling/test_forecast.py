"""The forecast: the power law's known answers, conformal ends, and what the command prints."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lal.errors import UsageError
from lal.labelling.checks import labels_text
from lal.labelling.forecast import (
    FARTHEST,
    RATIOS,
    Interval,
    conformal_ends,
    error_scale,
    fit_curve,
    fit_power_law,
    forecast,
)
from scripts import forecast as command

N = np.arange(10, 101, 10)


def law(n):
    return 0.9 - 1.2 * n**-0.6


def test_an_exact_power_law_is_found():
    found = fit_power_law(N.tolist(), law(N).tolist())
    assert found.spread < 0.003
    assert found(400) == pytest.approx(law(400), abs=0.02)
    flat = fit_power_law(N.tolist(), [0.8] * len(N))
    assert flat(1000) == pytest.approx(0.8)
    falling = fit_power_law(N.tolist(), np.linspace(0.8, 0.6, len(N)).tolist())
    assert falling.drop >= 0  # it never promises that labels harm


@pytest.mark.parametrize(
    ("n", "a", "message"),
    [
        ([10, 20], [0.5, 0.6], "needs 5 points of the curve, got 2"),
        ([10, 20, 20, 30, 40], [0.5] * 5, "must increase"),
        ([10, 20, 30, 40, 50], [50.0] * 5, "shares between 0 and 1"),
        ([0, 20, 30, 40, 50], [0.5] * 5, "labels must be above 0"),
    ],
)
def test_curves_that_cannot_be_used(n, a, message):
    with pytest.raises(UsageError, match=message):
        fit_power_law(n, a)


def test_bands_and_labels_agree():
    said = forecast(N.tolist(), law(N).tolist())
    assert said.n == 100
    for n in (110, 160, 250, 400):
        band = said.accuracy_with(n)
        assert 0.0 <= band.low <= band.value <= band.high <= 1.0
    target = law(200)
    need = said.labels_to(target)
    assert need.low <= need.value <= need.high
    assert need.value == pytest.approx(200, rel=0.15)
    middle, low, high = said.best_with(np.array([need.low, need.value]))
    assert middle[1] >= target > middle[0]
    assert high[0] >= target > low[1]
    assert said.labels_to(0.999).value == float("inf")
    ratio = said.random_needs(target)
    assert ratio.value == pytest.approx(need.value * said.calibration.random_ratio.value)
    with pytest.raises(UsageError, match="from the 100 labels so far to 4 times"):
        said.accuracy_with(FARTHEST * 100 + 1)
    with pytest.raises(UsageError, match="an accuracy is a share"):
        said.labels_to(90)


def test_the_best_accuracy_never_falls():
    noisy = law(N) + np.where(N == 70, 0.05, 0.0)  # one lucky point
    said = forecast(N.tolist(), noisy.tolist(), of=300)
    assert said.fit.best == pytest.approx(law(70) + 0.05)
    for curve in said.best_with(np.arange(100.0, 401.0)):
        assert (np.diff(curve) >= 0).all()
        assert curve.min() >= said.fit.best
        assert curve.max() <= 1.0
    already = said.labels_to(law(70) + 0.05)
    assert (already.value, already.low, already.high) == (100, 100, 100)


def test_the_terms_of_the_rise():
    fit = fit_curve(N.tolist(), (law(N) + np.where(N == 70, 0.05, 0.0)).tolist())
    now, far = fit.terms(np.array([100.0, 100.0 * math.e]))
    rise, lead, spread, room = now[:4] * fit.scale(100.0)
    assert (rise, lead) == (pytest.approx(0.0), pytest.approx(fit.best - fit.accuracy))
    assert (spread, room) == (pytest.approx(fit.law.spread), pytest.approx(1 - fit.accuracy))
    assert now[4:] == pytest.approx(0.0)  # the logarithm of one
    assert far[4:] == pytest.approx(far[:4])
    assert far[0] * fit.scale(100 * math.e) == pytest.approx(fit.law(100 * math.e) - fit.accuracy)


def test_the_shipped_calibration_is_whole():
    held = forecast(N.tolist(), law(N).tolist()).calibration
    assert len(held.accuracy) == len(held.best) == len(RATIOS)
    assert all(low < 0 < high for low, high in (*held.accuracy, *held.best))
    assert len(held.rise) == 8
    ratio = held.random_ratio
    assert ratio.low <= ratio.value <= ratio.high
    assert ratio.value >= 1.0


def test_conformal_ends_hold_for_new_data_sets():
    rng = np.random.default_rng(0)

    def draw(m):  # errors within a data set are nearly the same
        centre = rng.normal(size=m)
        return [c + 0.1 * rng.normal(size=rng.integers(5, 40)) for c in centre]

    held = []
    for _ in range(300):
        low, high = conformal_ends(draw(60))
        (fresh,) = draw(1)
        held.append(np.mean((fresh >= low) & (fresh <= high)))
    assert 0.87 <= np.mean(held) <= 0.96
    assert conformal_ends([np.array([-1.0, 2.0])]) == (-1.0, 2.0)  # few data sets: the extremes


def test_errors_are_measured_in_more_where_more_is_extrapolated():
    found = fit_power_law(N.tolist(), law(N).tolist())
    near, far = error_scale(found, float(found(100)), np.array([110.0, 400.0]))
    assert 0 < near < far


def test_the_command(tmp_path, capsys):
    path = tmp_path / "curve.csv"
    lines = [f"{n},{x:.4f}" for n, x in zip(N.tolist(), law(N).tolist(), strict=True)]
    path.write_text("labels,accuracy\n" + "\n".join(lines))
    assert command.run([str(path), "--reach", "0.85", "0.999"]) == 0
    out = capsys.readouterr().out
    assert "100 labels so far, accuracy about 8" in out
    assert "with 200 labels: " in out
    assert "to reach 85.0%: " in out
    assert "to reach 99.9%: more than 400" in out
    assert command.run([str(path)]) == 0
    assert capsys.readouterr().out.count("to reach") == 3
    path.write_text("labels,accuracy\n" + "10,x\n" * 6)
    assert command.run([str(path)]) == 2
    assert "column 'accuracy' must hold numbers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((5.0, 4.0, 9.0), "5 (90 % interval 4 to 9)"),
        ((5.0, 4.0, np.inf), "5 (90 % interval 4 to more than 80)"),
        ((np.inf, 4.0, np.inf), "more than 80 (90 % interval from 4)"),
        ((np.inf, np.inf, np.inf), "more than 80"),
    ],
)
def test_labels_beyond_the_forecast_are_more(interval, text):
    said: Any = SimpleNamespace(n=20)
    assert labels_text(Interval(*interval), said) == text
