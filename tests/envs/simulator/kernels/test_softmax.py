import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")
from sklearn.linear_model import LogisticRegression

from envs.simulator.kernels.logistic.multinomial_float64 import (
    MAX_ITERATIONS,
    MEMORY,
    TOLERANCE,
    add_row,
    coordinates,
    predict_softmax,
    refit_softmax,
    start_softmax,
)


class Fit:
    """One growing fit over fixed points."""

    def __init__(self, X, n_classes, penalty=1.0):
        n, D = X.shape
        self.ones = np.c_[X, np.ones(n)]
        self.XT = np.ascontiguousarray(self.ones.T)
        self.X, self.T = np.zeros((n, D + 1)), np.zeros((D + 1, n))
        self.codes = np.zeros(n, dtype=np.int64)
        self.C, self.K = n_classes, 1 if n_classes == 2 else n_classes
        self.W = np.zeros((n_classes, D + 1))
        self.H = np.zeros((D + 1, D + 1))
        self.S = np.zeros((MEMORY, n_classes, D + 1))
        self.Y, self.rho = self.S.copy(), np.zeros(MEMORY)
        self.meta = np.zeros(2, dtype=np.int64)
        self.penalty, self.L, self.r = penalty, 0, 0
        self.Q = np.zeros((D, D))
        start_softmax(self.H, self.S, self.Y, self.meta, penalty)

    def add(self, row, code):
        D = len(self.Q)
        self.r = coordinates(self.XT, D, row, self.Q, self.r, self.X[self.L])
        self.T[:, self.L] = self.X[self.L]
        self.codes[self.L] = code
        add_row(
            self.X, self.L, self.W, self.H, self.S, self.Y, self.rho, self.meta, self.K, self.r + 1
        )
        self.L += 1

    def refit(self):
        return refit_softmax(
            self.X, self.T, self.codes, self.L, self.K, self.r + 1, self.W, self.H, self.S,
            self.Y, self.rho, self.meta, self.penalty, TOLERANCE * min(1.0, self.penalty),
        )  # fmt: skip

    def proba(self):
        n = self.XT.shape[1]
        out = np.empty((self.C + 1, n))
        predict_softmax(self.W, self.Q, self.r, self.XT, out, self.K, 0, n)
        return out[: self.C].T


def blobs(rng, n, D, C):
    y = np.r_[np.arange(C), rng.integers(C, size=n - C)]
    return rng.normal(size=(n, D)) + 1.5 * rng.normal(size=(C, D))[y], y


@pytest.mark.parametrize(
    ("C", "D", "inverse"), [(2, 4, 1.0), (2, 30, 0.1), (3, 13, 1.0), (6, 20, 10.0), (4, 100, 1.0)]
)
def test_refits_after_every_label_reach_the_optimum(C, D, inverse):
    rng = np.random.default_rng(C * D)
    X, y = blobs(rng, 60, D, C)
    fit = Fit(X, C, penalty=1.0 / inverse)
    for row in range(60):
        fit.add(row, y[row])
        if row < C - 1:
            continue
        fit.refit()
        if row % 6 == 0 or row == C - 1:
            exact = LogisticRegression(C=inverse, tol=1e-10, max_iter=10_000)
            exact.fit(X[: row + 1], y[: row + 1])
            np.testing.assert_allclose(fit.proba(), exact.predict_proba(X), atol=3e-4)


def test_a_second_refit_has_nothing_to_do():
    X, y = blobs(np.random.default_rng(0), 20, 3, 3)
    fit = Fit(X, 3)
    for row in range(20):
        fit.add(row, y[row])
    assert fit.refit() > 0
    assert fit.refit() == 0


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_extreme_rows_never_diverge(data):
    C = data.draw(st.sampled_from([2, 3, 5]))
    D = data.draw(st.integers(1, 4))
    numbers = st.floats(-1e4, 1e4, allow_subnormal=False) | st.sampled_from([0.0, 1.0])
    rows = st.lists(numbers, min_size=D, max_size=D)
    X = np.array(data.draw(st.lists(rows, min_size=C, max_size=12)))
    extra = len(X) - C
    y = np.r_[
        np.arange(C), data.draw(st.lists(st.integers(0, C - 1), min_size=extra, max_size=extra))
    ]
    fit = Fit(X, C)
    for row, code in enumerate(y.astype(np.int64)):
        fit.add(row, code)
        if row >= C - 1:
            assert fit.refit() <= MAX_ITERATIONS
            proba = fit.proba()
            assert np.isfinite(proba).all()
            np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-9)


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


@pytest.mark.parametrize("C", [2, 4])
def test_separable_duplicate_and_constant_rows_reach_the_optimum(C):
    X = np.repeat(np.eye(C) * 10.0, 5, axis=0)
    X = np.c_[X, np.ones(len(X))]
    y = np.repeat(np.arange(C), 5)
    order = np.random.default_rng(1).permutation(len(X))
    order = np.r_[[np.flatnonzero(y[order] == c)[0] for c in range(C)], np.arange(len(X))]
    fit = Fit(X[order], C)
    for row, i in enumerate(order):
        fit.add(row, y[i])
        if row >= C - 1:
            fit.refit()
    exact = LogisticRegression(tol=1e-10, max_iter=10_000).fit(X[order], y[order])
    np.testing.assert_allclose(fit.proba(), exact.predict_proba(X[order]), atol=3e-4)
