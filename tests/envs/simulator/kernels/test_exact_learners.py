import numpy as np
import pytest

pytest.importorskip("numba")
from scipy.special import softmax
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from envs.simulator.kernels.learners.gaussian_process import add_gp, start_gp, whitened_row
from envs.simulator.kernels.learners.knn import add_knn, predict_knn, start_knn
from envs.simulator.kernels.learners.naive_bayes import (
    add_naive_bayes,
    predict_naive_bayes,
    start_naive_bayes,
)
from envs.simulator.kernels.learners.ridge import add_ridge, refit_ridge, start_ridge
from envs.simulator.kernels.linear import (
    linear_scores,
    sigmoid_pair,
    sigmoid_shares,
    softmax_rows,
)
from envs.simulator.kernels.simd import padded
from lal.learners.probabilities import decision_to_proba as reference_proba


@pytest.fixture(params=[2, 4])
def problem(request):
    rng = np.random.default_rng(request.param)
    C = request.param
    y = np.r_[np.arange(C), rng.integers(C, size=80 - C)]
    X = rng.normal(size=(80, 6)) + rng.normal(size=(C, 6))[y]
    return X, y, C, np.ascontiguousarray(X.T)


def in_tiles(X):
    """Return points as the kernels of tiles read them: whole tiles of 16, float32."""
    filled = np.zeros((padded(len(X)), X.shape[1]), np.float32)
    filled[: len(X)] = X
    return np.ascontiguousarray(filled.reshape(-1, 16, X.shape[1]).transpose(0, 2, 1)).ravel()


def test_gp_means_and_variances(problem):
    X, y, C, _ = problem
    tiles, single = in_tiles(X), np.float32
    mean, variance, V = np.zeros(C * 80, single), np.zeros(80, single), np.zeros(40 * 80, single)
    targets, v, t = np.zeros(40 * C, single), np.zeros(40, single), np.zeros(C, single)
    start_gp(mean, variance)
    scale = single(-0.5 / 1.7**2)
    for L in range(30):
        pivot = whitened_row(V, 40, targets, C, L, y[L], L, single(0.1), v, t)
        targets[C * L : C * (L + 1)] = t
        add_gp((tiles, 0, 6), L, L, V, 40, (v, t, pivot), scale, (mean, variance), 0, True)
        if L in (0, 7, 29):
            gp = GaussianProcessRegressor(RBF(1.7), alpha=0.1, optimizer=None)
            gp.fit(X[: L + 1], np.eye(C)[y[: L + 1]])
            expected, spread = gp.predict(X, return_std=True)
            np.testing.assert_allclose(mean.reshape(C, 80).T, expected, atol=1e-5)
            np.testing.assert_allclose(variance, spread[:, 0] ** 2, atol=1e-5)


@pytest.mark.parametrize("K", [1, 3, 4, 7])
def test_linear_scores_and_what_is_made_of_them(K):
    rng = np.random.default_rng(K)
    X, W = rng.normal(size=(70, 5)), rng.normal(size=(K, 5)) * 2
    bias = rng.normal(size=K)
    n, tiles = padded(70), padded(70) // 16
    scores = np.zeros(K * n, np.float32)
    linear_scores(
        in_tiles(X), 0, 5, W.astype(np.float32).ravel(), bias.astype(np.float32), K, 0, tiles,
        scores,
    )  # fmt: skip
    expected = X @ W.T + bias
    np.testing.assert_allclose(scores.reshape(K, n)[:, :70].T, expected, atol=1e-5)
    proba = np.zeros((max(K, 2), n), np.float32)
    flat, rows = proba.ravel(), np.arange(K)
    if K == 1:
        sigmoid_pair(scores, np.float32(2.0), flat, 0, 1, tiles)
        np.testing.assert_allclose(proba[:, :70].T, reference_proba(expected[:, 0]), atol=1e-6)
        return
    softmax_rows(scores.copy(), K, flat, rows, tiles)
    np.testing.assert_allclose(proba[:, :70].T, softmax(expected, axis=1), atol=1e-6)
    sigmoid_shares(scores, K, np.float32(2.0), flat, rows, tiles)
    np.testing.assert_allclose(proba[:, :70].T, reference_proba(expected), atol=1e-6)


@pytest.mark.parametrize("k", [1, 5])
def test_neighbours(problem, k):
    X, y, C, XT = problem
    distance, labels = np.zeros((k, 80)), np.zeros((k, 80), dtype=np.int64)
    start_knn(distance)
    for L in range(30):
        add_knn(XT, 6, L, y[L], distance, labels)
        if L in (C - 1, 9, 29):
            proba = np.empty((C, 70))
            predict_knn(labels, L + 1, proba, 10, 80)
            exact = KNeighborsClassifier(min(k, L + 1)).fit(X[: L + 1], y[: L + 1])
            np.testing.assert_allclose(proba.T, exact.predict_proba(X[10:]), atol=1e-12)


def test_naive_bayes(problem):
    X, y, C, XT = problem
    count, mean, spread = np.zeros(C + 1, np.int64), np.zeros((C + 1, 6)), np.zeros((C + 1, 6))
    start_naive_bayes(count, mean, spread)
    for L in range(30):
        add_naive_bayes(XT, L, y[L], count, mean, spread)
        if L in (C - 1, 9, 29):
            proba = np.empty((C, 80))
            predict_naive_bayes(XT, count, mean, spread, 1e-9, proba, 0, 80)
            exact = GaussianNB().fit(X[: L + 1], y[: L + 1])
            np.testing.assert_allclose(proba.T, exact.predict_proba(X), atol=1e-6)


def test_naive_bayes_of_equal_rows_is_uniform():
    XT = np.ones((2, 4))
    count, mean, spread = np.zeros(4, np.int64), np.zeros((4, 2)), np.zeros((4, 2))
    start_naive_bayes(count, mean, spread)
    add_naive_bayes(XT, 0, 0, count, mean, spread)
    add_naive_bayes(XT, 1, 2, count, mean, spread)
    proba = np.empty((3, 4))
    predict_naive_bayes(XT, count, mean, spread, 1e-9, proba, 0, 4)
    np.testing.assert_array_equal(proba, np.array([[0.5], [0.0], [0.5]]) * np.ones(4))


@pytest.mark.parametrize("alpha", [1.0, 0.01])
def test_ridge(problem, alpha):
    X, y, C, XT = problem
    K = 1 if C == 2 else C
    M, products, total = np.zeros((6, 6)), np.zeros((C, 6)), np.zeros(6)
    room, V = np.zeros(12), np.zeros(K * 7)
    start_ridge(M, products, total, alpha)
    for L in range(40):
        add_ridge(XT, L, y[L], M, products, total, room)
        if L in (C - 1, 9, 39):
            count = np.bincount(y[: L + 1], minlength=C)
            codes = np.arange(1, 2) if K == 1 else np.arange(C)
            refit_ridge(products, total, count, L + 1, codes, K, room, V)
            exact = RidgeClassifier(alpha=alpha, solver="svd").fit(X[: L + 1], y[: L + 1])
            decision = exact.decision_function(X)
            scores = X @ V[: 6 * K].reshape(K, 6).T + V[6 * K :]
            np.testing.assert_allclose(scores, decision.reshape(80, -1), atol=1e-8)


def test_naive_bayes_of_tight_classes_in_single_precision():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 2
    X[:20] = 0.001 * X[:20] + np.arange(20)[:, None] % 2 * 0.002  # labels lie close together
    XT = np.ascontiguousarray(X.T)
    count, mean, spread = np.zeros(3, np.int64), np.zeros((3, 3)), np.zeros((3, 3))
    start_naive_bayes(count, mean, spread)
    for row in range(20):
        add_naive_bayes(XT, row, y[row], count, mean, spread)
    proba = np.empty((2, 60), np.float32)
    predict_naive_bayes(XT, count, mean, spread, 1e-9, proba, 0, 60)
    exact = GaussianNB().fit(X[:20], y[:20]).predict_proba(X)
    np.testing.assert_allclose(proba.T, exact, atol=1e-6)
