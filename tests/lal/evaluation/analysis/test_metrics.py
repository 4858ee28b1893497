"""Metrics by hand, and on constant curves."""

import numpy as np
import pytest

from lal.errors import UsageError
from lal.evaluation.analysis import metrics as m

N = np.array([2, 4, 8])
A = np.array([0.5, 0.7, 0.9])
FLAT = np.full(3, 0.8)


def test_log_area_by_hand():
    # log2 n = 1, 2, 3: area = (0.6 + 0.8) / 2 = 0.7; chance 0.5 -> 0.2 / 0.5
    assert m.log_area(N, A, 0.5) == pytest.approx(0.4)


def test_area_until_by_hand():
    # 2 labels after the start of 2: n in 2..4; 4 labels: up to 6, where the curve is at 0.8
    assert m.area_until(N, A, 2) == pytest.approx(0.6)
    assert m.area_until(N, A, 4) == pytest.approx((0.6 * 2 + 0.75 * 2) / 4)
    assert np.isnan(m.area_until(N, A, 7))


def test_area_from_by_hand():
    assert m.area_from(N, A, 4) == pytest.approx(0.8)
    assert m.area_from(N, A, 6) == pytest.approx(0.85)
    assert m.area_from(N, A, 1) == pytest.approx((0.6 * 2 + 0.8 * 4) / 6)
    assert np.isnan(m.area_from(N, A, None))
    assert np.isnan(m.area_from(N, A, 9))
    # points between whole labels, as of mean curves, count from `begin` on
    assert m.area_from(np.array([2, 4.5, 8]), A, 4) == pytest.approx((0.34 + 2.8) / 4)


@pytest.mark.parametrize(
    "area",
    [
        lambda n, a: m.log_area(n, a, 0.0),
        lambda n, a: m.area_until(n, a, 3),
        lambda n, a: m.area_from(n, a, 3),
    ],
    ids=["log_area", "until", "from"],
)
def test_constant_curve_gives_the_constant(area):
    assert area(N, FLAT) == pytest.approx(0.8, abs=1e-12)
    assert area(np.array([2, 7, 12, 17]), np.full(4, 0.8)) == pytest.approx(0.8, abs=1e-12)


def test_one_point_gives_its_value():
    assert m.area_from(N, A, 8) == pytest.approx(0.9)


def test_labels_to_reach_smooths_dips():
    n = np.array([1, 2, 3, 4])
    curve = np.array([0.5, 0.8, 0.6, 0.9])  # isotonic: 0.5, 0.7, 0.7, 0.9
    assert m.labels_to_reach(n, curve, 0.7) == m.Reached(2.0, censored=False)
    assert m.labels_to_reach(n, curve, 0.75) == m.Reached(4.0, censored=False)
    assert m.labels_to_reach(n, curve, 0.95) == m.Reached(4.0, censored=True)
    assert m.labels_to_reach(N, FLAT, 0.8) == m.Reached(2.0, censored=False)


def test_risk():
    gains = np.array([-0.02, 0.0, 0.01, 0.03])
    assert m.harm_rate(gains) == 0.25
    assert m.tail_quantile(gains, 0.5) == pytest.approx(0.005)
    assert m.tail_quantile(gains) == pytest.approx(-0.014)
    assert m.harm_rate(np.zeros(3)) == 0.0


@pytest.mark.parametrize(
    ("n", "a", "message"),
    [
        ([1, 1], [0.5, 0.5], "must increase"),
        ([1, 2], [0.5], "equally long"),
        ([], [], "equally long"),
    ],
)
def test_bad_curves_are_refused(n, a, message):
    with pytest.raises(UsageError, match=message):
        m.log_area(np.array(n), np.array(a), 0.5)


def test_log_area_refuses_impossible_levels():
    with pytest.raises(UsageError, match="below 1"):
        m.log_area(N, A, 1.0)
    with pytest.raises(UsageError, match="from 1 label"):
        m.log_area(np.array([0, 1]), A[:2], 0.5)
