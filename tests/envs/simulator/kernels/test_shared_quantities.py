"""Ranks and leave-one-out accuracy in kernels, beside plain numpy, where values clump and tie."""

import numpy as np
import pytest

pytest.importorskip("numba")

from envs.simulator.kernels.features.leave_one_out import leave_one_out
from envs.simulator.kernels.features.ranks import take_ranks


def filled_up(values):
    keys = np.full(-(-len(values) // 16) * 16, values[0], np.float32)
    keys[: len(values)] = values
    return keys


def pools(rng):
    yield "spread", rng.integers(0, 4_000_000, 300)
    yield "all equal", np.full(40, 7)
    yield "many ties", rng.integers(0, 5, 200)
    yield "one far away", np.r_[rng.integers(0, 50, 299), 4_000_000]
    yield "neighbours", 4_000_000 - rng.permutation(120)
    yield "one row", np.array([3])


@pytest.mark.parametrize("case", range(6))
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_ranks_are_shares_below_with_ties_halved(case, share):
    rng = np.random.default_rng(case)
    _, values = list(pools(rng))[case]
    N = len(values)
    rows = rng.permutation(N)[: max(N // 2, 1)]
    reference = rng.permutation(N)[: max(int(share * N), 1)]
    column = np.zeros(len(rows), np.float32)
    take_ranks(filled_up(values), rows, reference, column)
    asked, others = values[rows][:, None], values[reference]
    expected = (others < asked).mean(axis=1) + 0.5 * (others == asked).mean(axis=1)
    np.testing.assert_allclose(column, expected, rtol=0, atol=1e-6)


def test_a_key_that_is_no_number_spoils_its_own_rank_alone():
    keys = filled_up(np.array([3.0, np.nan, 1.0, 2.0]))
    column = np.zeros(4, np.float32)
    take_ranks(keys, np.arange(4), np.arange(4), column)
    assert np.argsort(column[[0, 2, 3]]).tolist() == [1, 2, 0]


def plain_leave_one_out(squares, labels):
    shares = []
    for a in range(len(labels)):
        tie = squares[a] <= squares[a].min() * (1 + 1e-6) + 1e-9
        shares.append(np.mean(labels[tie] == labels[a]))
    return np.mean(shares)


@pytest.mark.parametrize("L", [2, 3, 16, 17, 40])
@pytest.mark.parametrize("values", [3, 1_000_000])
def test_leave_one_out_shares_ties_and_ignores_what_lies_beyond(L, values):
    rng = np.random.default_rng(L)
    most = 45
    table = np.full(most * most + 16, np.nan, np.float32)
    squares = np.abs(np.subtract.outer(*2 * [rng.integers(0, values, L)])).astype(np.float32)
    np.fill_diagonal(squares, np.inf)
    table[: most * most].reshape(most, most)[:L, :L] = squares
    labels = rng.integers(0, 3, most)
    found = leave_one_out(table, labels, L, most)
    assert found == pytest.approx(plain_leave_one_out(squares.astype(np.float64), labels[:L]))


def test_one_label_has_no_neighbour():
    assert leave_one_out(np.zeros(32, np.float32), np.zeros(4, np.int64), 1, 4) == 0.5
