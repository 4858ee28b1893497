import numpy as np
import pytest

pytest.importorskip("numba")
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from envs.simulator.kernels.gaussian_process import add_gp, start_gp
from envs.simulator.kernels.knn import add_knn, predict_knn, start_knn
from envs.simulator.kernels.naive_bayes import (
    add_naive_bayes,
    predict_naive_bayes,
    start_naive_bayes,
)
from envs.simulator.kernels.ridge import add_ridge, decision_to_proba, refit_ridge, start_ridge
from lal.learners.probabilities import decision_to_proba as reference_proba


@pytest.fixture(params=[2, 4])
def problem(request):
    rng = np.random.default_rng(request.param)
    C = request.param
    y = np.r_[np.arange(C), rng.integers(C, size=80 - C)]
    X = rng.normal(size=(80, 6)) + rng.normal(size=(C, 6))[y]
    return X, y, C, np.ascontiguousarray(X.T)


def test_gp_means_and_variances(problem):
    X, y, C, XT = problem
    mean, variance = np.zeros((C, 80)), np.zeros(80)
    V, targets = np.zeros((40, 80)), np.zeros((40, C))
    start_gp(mean, variance)
    for L in range(30):
        add_gp(XT, L, y[L], L, V, targets, mean, variance, 1.7, 0.1)
        if L in (0, 7, 29):
            gp = GaussianProcessRegressor(RBF(1.7), alpha=0.1, optimizer=None)
            gp.fit(X[: L + 1], np.eye(C)[y[: L + 1]])
            expected, spread = gp.predict(X, return_std=True)
            np.testing.assert_allclose(mean.T, expected, atol=1e-9)
            np.testing.assert_allclose(variance, spread[:, 0] ** 2, atol=1e-9)


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
    M, sums, W = np.zeros((6, 6)), np.zeros((C, 6)), np.zeros((K, 7))
    start_ridge(M, sums, alpha)
    for L in range(40):
        add_ridge(XT, L, y[L], M, sums)
        if L in (C - 1, 9, 39):
            count = np.bincount(y[: L + 1], minlength=C)
            codes = np.arange(1, 2) if K == 1 else np.arange(C)
            refit_ridge(M, sums, count, L + 1, codes, K, W)
            exact = RidgeClassifier(alpha=alpha, solver="svd").fit(X[: L + 1], y[: L + 1])
            decision = exact.decision_function(X)
            scores = X @ W[:, :6].T + W[:, 6]
            np.testing.assert_allclose(scores, decision.reshape(80, -1), atol=1e-8)
            proba = np.empty((max(K, 2), 80))
            proba[:K] = scores.T
            decision_to_proba(proba, K, 80)
            np.testing.assert_allclose(proba.T, reference_proba(decision), atol=1e-9)
