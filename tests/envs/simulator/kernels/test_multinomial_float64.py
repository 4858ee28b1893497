"""The float64 finish of many classes, and the basis that wide rows are written in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")
from sklearn.linear_model import LogisticRegression

from envs.simulator.kernels.logistic.multinomial_float64 import (
    MAX_ITERATIONS,
    finish,
    new_pairs,
    refit_softmax,
)
from envs.simulator.kernels.logistic.newton import newton_softmax
from envs.simulator.kernels.logistic.span import coordinates

# scikit-learn's line search warns when rounding stops it, at the optimum as far as float64 goes.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def blobs(rng, n, D, C):
    y = np.r_[np.arange(C), rng.integers(C, size=n - C)]
    return rng.normal(size=(n, D)) + 1.5 * rng.normal(size=(C, D))[y], y


def rows_of(X):
    """Return rows as the solvers read them: a one, then the numbers."""
    return np.c_[np.ones(len(X)), X]


def softmax(rows, W):
    scores = rows @ W.T
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def exact_proba(X, y, inverse):
    return LogisticRegression(C=inverse, tol=1e-10, max_iter=10_000).fit(X, y).predict_proba(X)


SOLVERS = {"limited memory": finish, "Newton": newton_softmax}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    ("C", "D", "inverse"), [(3, 13, 1.0), (6, 20, 10.0), (4, 30, 0.1), (3, 1, 100.0)]
)
def test_finishes_reach_the_optimum_from_anywhere(solver, C, D, inverse):
    rng = np.random.default_rng(C * D)
    X, y = blobs(rng, 40, D, C)
    expected = exact_proba(X, y, inverse)
    for start in (np.zeros((C, D + 1)), rng.normal(size=(C, D + 1))):
        W, rows = start.copy(), rows_of(X)
        SOLVERS[solver](rows, y, 40, C, D + 1, W, 1.0 / inverse)
        np.testing.assert_allclose(softmax(rows, W), expected, atol=2e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_row_a_class_and_duplicates_reach_the_optimum(solver):
    for repeats in (1, 5):
        X = np.c_[np.repeat(np.eye(4) * 10.0, repeats, axis=0), np.ones(4 * repeats)]
        y = np.repeat(np.arange(4), repeats)
        W, rows = np.zeros((4, 6)), rows_of(X)
        SOLVERS[solver](rows, y, len(y), 4, 6, W, 1.0)
        np.testing.assert_allclose(softmax(rows, W), exact_proba(X, y, 1.0), atol=2e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_two_classes_of_equal_rows_share_a_point_and_the_third_keeps_its_own(solver):
    X = np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 1.0]])
    y = np.arange(3)
    W, rows = np.zeros((3, 3)), rows_of(X)
    SOLVERS[solver](rows, y, 3, 3, 3, W, 1.0)
    proba = softmax(rows, W)
    np.testing.assert_allclose(proba[0], proba[1], atol=1e-12)
    assert proba[0, 0] == pytest.approx(proba[0, 1], abs=1e-6)
    assert proba[2].argmax() == 2


def test_a_second_refit_has_nothing_to_do():
    X, y = blobs(np.random.default_rng(0), 20, 3, 3)
    rows, W, pairs = rows_of(X), np.zeros((3, 4)), new_pairs(3, 4)
    refits = [
        refit_softmax(rows, np.ascontiguousarray(rows.T), y, 20, 3, 4, W, pairs, 1.0, 1e-4)
        for _ in range(2)
    ]
    assert refits[0] > 0
    assert refits[1] == 0


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_extreme_rows_never_diverge(data):
    C = data.draw(st.sampled_from([3, 5]))
    D = data.draw(st.integers(1, 4))
    numbers = st.floats(-1e4, 1e4, allow_subnormal=False) | st.sampled_from([0.0, 1.0])
    rows = st.lists(numbers, min_size=D, max_size=D)
    X = rows_of(np.array(data.draw(st.lists(rows, min_size=C, max_size=12))))
    extra = len(X) - C
    codes = st.lists(st.integers(0, C - 1), min_size=extra, max_size=extra)
    y = np.r_[np.arange(C), np.array(data.draw(codes), dtype=np.int64)]
    W, pairs = np.zeros((C, D + 1)), new_pairs(C, D + 1)
    done = refit_softmax(X, np.ascontiguousarray(X.T), y, len(X), C, D + 1, W, pairs, 1.0, 1e-4)
    assert done <= MAX_ITERATIONS
    assert np.isfinite(W).all()


def test_the_basis_spans_the_rows_and_repeats_add_nothing():
    rng = np.random.default_rng(0)
    points = np.ascontiguousarray(rng.normal(size=(6, 4)).T)
    points[:, 3] = 2.0 * points[:, 0] - points[:, 1]
    Q, out, r = np.zeros((4, 4)), np.zeros((6, 5)), 0
    ranks = []
    for row in range(6):
        r = coordinates(points, 4, row, Q, r, out[row])
        ranks.append(r)
    assert ranks == [1, 2, 3, 3, 4, 4]
    np.testing.assert_allclose(Q @ Q.T, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(out[:, 1:] @ Q, points.T, atol=1e-12)
    np.testing.assert_array_equal(out[:, 0], 1.0)
