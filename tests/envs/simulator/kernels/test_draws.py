"""Sorting in kernels against numpy's own."""

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("numba")

from envs.simulator.kernels.prior.draws import sort
from lal.arrays import Floats

ORDERS: dict[str, Callable[[int], Floats]] = {
    "random": lambda n: np.random.default_rng(n).normal(size=n),
    "few values": lambda n: np.random.default_rng(n).integers(0, 3, n).astype(float),
    "all the same": lambda n: np.ones(n),
    "ascending": lambda n: np.arange(n, dtype=float),
    "descending": lambda n: -np.arange(n, dtype=float),
    "up and down": lambda n: -np.abs(np.arange(n) - n / 2),
    "largest last": lambda n: np.append(np.zeros(max(n - 1, 0)), 1.0)[:n],
    "with infinities": lambda n: np.resize([np.inf, 1.0, -np.inf, 0.0], n),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n", [0, 1, 2, 16, 17, 18, 19, 100, 5001])
def test_sorts_in_place_as_numpy_does(order: str, n: int) -> None:
    values = ORDERS[order](n)
    expected = np.sort(values)
    sort(values)
    np.testing.assert_array_equal(values, expected)
