import numpy as np
import pytest

pytest.importorskip("numba")

from envs.simulator.kernels.layout import Problem
from envs.simulator.kernels.metrics import measure
from envs.simulator.kernels.simd import padded
from lal.episode import METRICS


@pytest.mark.parametrize(("C", "T"), [(2, 500), (2, 5), (3, 16), (10, 333), (30, 100)])
@pytest.mark.parametrize("from_row", [False, True])
def test_metrics_are_those_of_the_loop(rng, C, T, from_row):
    y = np.sort(rng.integers(C, size=T))
    y[y == 1] = 0  # a class without a row
    ends = np.r_[0, np.cumsum(np.bincount(y, minlength=C))]
    begin, n = 32, 32 + padded(T)
    proba = rng.dirichlet(np.full(C, 0.3), size=n).astype(np.float32).T.copy()
    proba[:, ::7] = 1 / C  # of equals, the first is predicted
    proba[0, ::50] = 0.0
    lo = begin if from_row else 0
    measured = np.zeros(3)
    problem = Problem(5, C, 20, begin, n, 30, 1.0, 0.0, lo)
    measure(proba[:, lo:].ravel(), ends, problem, measured)
    true = proba[:, begin : begin + T].T.astype(np.float64)
    expected = [metric(y, true) for metric in METRICS.values()]
    np.testing.assert_allclose(measured, expected, atol=1e-7)
    assert measured[0] == expected[0]
