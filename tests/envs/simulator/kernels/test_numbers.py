"""Random numbers, elementary functions and Cholesky factors in kernels, at their edges."""

import numpy as np
import pytest

pytest.importorskip("numba")

from envs.simulator.compile import kernel
from envs.simulator.kernels.cholesky import factor, solve_factored, solved_square
from envs.simulator.kernels.elementary import exponential, single_logarithm
from envs.simulator.kernels.random_numbers import below, draw, make_key, next_word, uniform


def stream(word):
    return np.array([word], dtype=np.uint64)


@kernel
def words(state, out):
    for i in range(len(out)):
        out[i] = next_word(state)


@kernel
def integers(state, n, out):
    for i in range(len(out)):
        out[i] = below(state, n)


@kernel
def numbers(state, out):
    for i in range(len(out)):
        out[i] = uniform(state)


@kernel
def drawn(states, n, out):
    for i in range(len(out)):
        out[i] = draw(states, 0, 1, n)


def test_streams_are_splitmix64():
    """The first numbers of seed 1234567, as published with the reference implementation."""
    out = np.zeros(5, dtype=np.uint64)
    words(stream(1234567), out)
    assert out.tolist() == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
        16408922859458223821,
    ]  # fmt: skip


@pytest.mark.parametrize("n", [1, 2, 7, 2**31 - 1])
def test_integers_stay_below_and_a_range_of_one_has_one_value(n):
    out = np.zeros(200, dtype=np.int64)
    integers(stream(2**64 - 1), n, out)
    assert out.min() >= 0
    assert out.max() < n
    assert len(np.unique(out)) == min(n, 200) or n > 7


def test_numbers_are_uniform_and_never_one():
    out = np.zeros(4000)
    numbers(stream(3), out)
    assert 0.0 <= out.min() < 0.01
    assert 0.99 < out.max() < 1.0
    assert out.mean() == pytest.approx(0.5, abs=0.02)


def test_a_table_of_streams_moves_one_of_them_and_draws_as_a_stream_of_its_own():
    states = np.array([[5, 7]], dtype=np.int64)
    out, again = np.zeros(50, dtype=np.int64), np.zeros(50)
    drawn(states, 10, out)
    numbers(stream(7), again)
    assert states[0, 0] == 5
    np.testing.assert_array_equal(out, np.floor(again * 10))


def test_a_key_depends_on_every_counter_and_on_their_order():
    keys = {make_key(1, 2, 3, 4), make_key(1, 3, 2, 4), make_key(2, 1, 3, 4), make_key(1, 2, 3, 5)}
    assert len(keys) == 4
    assert make_key(1, 2, 3, 4) == make_key(1, 2, 3, 4)


@kernel
def exponentials(x, out):
    for i in range(len(x)):
        out[i] = exponential(x[i])


@kernel
def logarithms(x, out):
    for i in range(len(x)):
        out[i] = single_logarithm(x[i])


def test_exponentials_are_exact_and_their_ends_are_finite():
    x = np.r_[np.linspace(-700.0, 700.0, 999), 0.0, -1e-300]
    out = np.zeros(len(x))
    exponentials(x, out)
    np.testing.assert_allclose(out, np.exp(x), rtol=3e-10)
    ends = np.array([-np.inf, -1e9, 1e9, np.inf])
    out = np.zeros(4)
    exponentials(ends, out)
    np.testing.assert_allclose(out, np.exp([-700.0, -700.0, 700.0, 700.0]), rtol=3e-10)


def test_logarithms_are_exact_and_that_of_nothing_is_finite():
    p = np.r_[np.geomspace(1e-29, 1.0, 500), 0.0, 1e-38].astype(np.float32)
    out = np.zeros(len(p), np.float32)
    logarithms(p, out)
    exact = np.log(np.maximum(p.astype(np.float64), 1e-30))
    np.testing.assert_allclose(out, exact, rtol=2e-6, atol=1e-6)
    assert out[499] == 0.0  # a certain class has no entropy at all


@pytest.mark.parametrize("n", [1, 2, 7])
def test_factors_solve_what_numpy_solves(n):
    rng = np.random.default_rng(n)
    root, b = rng.normal(size=(n, n)), rng.normal(size=n)
    A = root @ root.T + np.eye(n)
    F, x, y = A.copy(), b.copy(), b.copy()
    factor(F)
    np.testing.assert_allclose(np.tril(F), np.linalg.cholesky(A), atol=1e-12)
    solve_factored(F, x)
    np.testing.assert_allclose(x, np.linalg.solve(A, b), atol=1e-10)
    assert solved_square(F, y) == pytest.approx(b @ np.linalg.solve(A, b))


def test_a_singular_matrix_has_a_finite_factor():
    A = np.ones((3, 3))
    factor(A)
    assert np.isfinite(A).all()
    assert (np.diag(A) > 0).all()
