import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

pytest.importorskip("numba")

from envs.simulator.compile import kernel
from envs.simulator.kernels.lal_rl.splits import tolerance_for
from envs.simulator.kernels.logistic.binary import (
    CAP,
    add_sample,
    fit,
    offsets,
    start_fit,
    workspace_size,
)
from envs.simulator.kernels.logistic.newton import newton_weights
from envs.simulator.kernels.simd import padded


@kernel
def _fit_path(F, at, R, labels, order, tolerance, weights, iterations):
    rows = np.empty(len(order), np.int64)
    start_fit(F, at)
    for i in range(len(order)):
        rows[i] = order[i]
        add_sample(F, at, i, R, order[i] * at.stride, labels[order[i]])
        if i > 0:
            iterations[i - 1] = fit(F, at, i + 1, R, 0, rows, tolerance, np.float32(0.0))
            weights[i - 1] = F[at.w : at.w + at.D + 1]


def fit_path(X, labels, order, tolerance):
    """Label rows one by one; return the weights after each from the second on, and iterations.

    Args:
        X: Samples (N, D).
        labels: 0 or 1 by row, (N,).
        order: Rows in the order of labelling; the first two hold both classes.
        tolerance: Largest component of the gradient at the end of a fit.
    """
    (N, D), n = X.shape, len(order)
    at = offsets(0, padded(D + 1), padded(n), D)
    R = np.zeros((N, at.stride), dtype=np.float32)
    R[:, :D], R[:, D] = X, 1.0
    F = np.zeros(workspace_size(at.stride, at.cap), dtype=np.float32)
    weights, iterations = np.empty((n - 1, D + 1), np.float32), np.empty(n - 1, np.int64)
    labels, order = np.array(labels, np.float32), np.array(order, np.int64)
    _fit_path(F, at, R.ravel(), labels, order, np.float32(tolerance), weights, iterations)
    return weights, iterations


def probabilities(X, weights):
    return 1 / (1 + np.exp(-np.clip(X @ weights[:-1] + weights[-1], -500, 500)))


def objective_gradient(X, y, weights):
    """Largest component of the gradient of scikit-learn's objective at C = 1."""
    residual = probabilities(X, weights) - y
    return max(abs(X.T @ residual + weights[:-1]).max(), abs(residual.sum()))


def both_first(y, order):
    first, second = order[np.argmax(y[order] == 0)], order[np.argmax(y[order] == 1)]
    return np.array([first, second, *(i for i in order if i not in (first, second))])


def random_task(seed, n=90):
    rng = np.random.default_rng(seed)
    D = int(rng.integers(1, 40))
    X = rng.normal(size=(n, D)) * np.exp(rng.normal(size=D) * 0.3)
    noise = rng.normal(size=n) * rng.choice([0.1, 1.0, 4.0])
    y = (X @ rng.normal(size=D) + noise > rng.normal() * 0.5).astype(int)
    y[:2] = 0, 1
    X = ((X - X.mean(0)) / X.std(0)).astype(np.float32)
    return X, y, both_first(y, rng.permutation(n))


@pytest.mark.parametrize("seed", range(12))
def test_probabilities_agree_with_the_exact_optimum_after_every_label(seed):
    X, y, order = random_task(seed)
    weights, iterations = fit_path(X, y.astype(np.float32), order[:60], tolerance_for(X.shape[1]))
    assert iterations.max() <= CAP
    assert iterations.mean() < 8
    for L in (2, 3, 5, 9, 17, 30, 59):
        rows = order[:L]
        exact = LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=1000)
        exact.fit(X[rows].astype(float), y[rows])
        p = exact.predict_proba(X.astype(float))[:, 1]
        assert abs(probabilities(X, weights[L - 2]) - p).max() <= 3e-4


def test_a_hand_computed_optimum():
    """Two points at +-1: the bias is 0 and w solves w = 2 / (1 + exp(w))."""
    X = np.array([[1.0], [-1.0]], dtype=np.float32)
    weights, _ = fit_path(X, np.array([1, 0], np.float32), np.array([1, 0]), np.float32(1e-6))
    w, b = weights[0]
    assert w == pytest.approx(2 / (1 + np.exp(w)), abs=1e-5)
    assert b == pytest.approx(0.0, abs=1e-5)


def hostile(kind, rng, n, D):
    X = rng.normal(size=(n, D))
    y = rng.integers(0, 2, n)
    if kind == "separable":
        y = (X[:, 0] > np.median(X[:, 0])).astype(int)
        X[:, 0] += 8 * y
    elif kind == "duplicates":
        X = X[rng.integers(0, 3, n)]
    elif kind == "constant columns":
        X[:, ::2] = 1.0
    elif kind == "one member":
        y[:] = 0
        y[int(rng.integers(n))] = 1
    elif kind == "extreme":
        X[rng.integers(n, size=3)] *= 1e3
    elif kind == "collinear":
        X = X[:, :1] * np.arange(1, D + 1)
    y[:2] = 0, 1
    return X.astype(np.float32), y


KINDS = ["separable", "duplicates", "constant columns", "one member", "extreme", "collinear"]


# Its last row moves a score by 700, which Newton's damped steps take more than a hundred of.
@example("extreme", 11, 22, 1)
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 10**6), st.integers(4, 60), st.integers(1, 35))
def test_hostile_data_never_diverge(kind, seed, n, D):
    rng = np.random.default_rng(seed)
    X, y = hostile(kind, rng, n, D)
    order = both_first(y, rng.permutation(n))
    weights, _ = fit_path(X, y.astype(np.float32), order, tolerance_for(D))
    assert np.isfinite(weights).all()
    # Rounding of large scores in float32 is all that may remain of the gradient.
    size = np.abs(X).max()
    for L in {2, n // 2 + 1, n} - {1}:
        rows = order[:L]
        left = objective_gradient(X[rows].astype(float), y[rows], weights[L - 2].astype(float))
        assert left <= 2e-4 + 2e-6 * size * size * L


def test_newton_reaches_the_optimum_from_a_bad_start(rng):
    X = np.concatenate([rng.normal(size=(50, 4)), np.ones((50, 1))], axis=1)
    y = (X[:, 0] > 0).astype(float)
    weights = np.full(5, 30.0)
    newton_weights(X, y, weights, np.empty((X.shape[1], X.shape[1])), np.empty(X.shape[1]))
    assert objective_gradient(X[:, :4], y, weights) < 1e-8
