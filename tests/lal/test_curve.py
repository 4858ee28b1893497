"""The area under the budget curve by hand; the curve of an episode and every user share it."""

import numpy as np
import pytest

from lal.curve import Curve, aubc, trapezoid
from lal.errors import UsageError
from lal.evaluation.reproduction.lu2023 import published_area

N = np.array([2, 4, 8])
A = np.array([0.5, 0.7, 0.9])


def test_area_by_hand():
    assert aubc(N, A) == pytest.approx((0.6 * 2 + 0.8 * 4) / 6)
    assert trapezoid(N, A) == pytest.approx(0.6 * 2 + 0.8 * 4)


def test_a_constant_curve_gives_the_constant_whatever_the_batches():
    assert aubc(np.array([2, 7, 12, 17]), np.full(4, 0.8)) == pytest.approx(0.8, abs=1e-12)
    n1, n5 = np.arange(10, 31), np.arange(10, 31, 5)
    assert aubc(n1, n1 / 100) == pytest.approx(aubc(n5, n5 / 100))


def test_one_point_gives_its_value():
    assert aubc(np.array([5]), np.array([0.3])) == 0.3
    assert trapezoid(np.array([5]), np.array([0.3])) == 0.0


def test_the_curve_of_an_episode_and_the_published_area_use_the_same_formula():
    curve = Curve(N, {"accuracy": A, "log_likelihood": -A}, np.zeros(0, dtype=np.int64), n_start=2)
    assert curve.area() == aubc(N, A)
    assert curve.area("log_likelihood") == -aubc(N, A)
    assert published_area(A, [2, 4, 8]) == pytest.approx(aubc(N, A) * 6 / 8)


def test_malformed_curves_are_refused():
    with pytest.raises(
        UsageError, match=r"^a curve is two equally long rows, got shapes \(3,\) and \(2,\)$"
    ):
        aubc(N, A[:2])
    with pytest.raises(UsageError, match=r"^the label counts of a curve must increase$"):
        aubc(N[::-1], A)
