import warnings

import numpy as np
import pytest

pytest.importorskip("numba")
from sklearn.ensemble import RandomForestClassifier

from envs.simulator.kernels.learners.trees import (
    fit_forest,
    insert_sorted,
    out_of_bag_accuracy,
    predict_forest,
    seed_stream,
)

TREES = 50


def grow(X, y, n, C, seed):
    """Fit on the first n rows; return proba of the rest, depth, oob accuracy and importances."""
    D = X.shape[1]
    XT = np.ascontiguousarray(X.T, dtype=np.float32)
    rows, order = np.arange(n), np.zeros((D, n), dtype=np.int64)
    for i in range(n):
        insert_sorted(XT, rows, order, i)
    trees = (
        np.zeros((TREES, 2 * n), np.int32),
        np.zeros((TREES, 2 * n), np.float32),
        np.zeros((TREES, 2 * n), np.int32),
        np.zeros((TREES, 2 * n, C), np.float32),
        np.zeros(TREES, np.int64),
    )
    values, codes = XT[:, :n].copy(), y.astype(np.int64)
    in_bag, importance = np.zeros((TREES, n), np.int32), np.zeros((2, D))
    state = np.zeros(1, np.uint64)
    seed_stream(state, np.uint64(seed), n)
    depth = fit_forest(
        values, order, codes, n, C, max(1, int(np.sqrt(D))), state, trees, in_bag, importance
    )
    proba, entropy = np.empty((C, len(X) - n)), np.empty(len(X) - n)
    predict_forest(XT, trees, C, proba, np.empty(0), entropy, n, len(X))
    oob = out_of_bag_accuracy(values, codes, n, C, trees, in_bag)
    return proba.T, depth, oob, importance[0] / TREES, entropy


@pytest.mark.parametrize(("n", "C", "D"), [(10, 2, 4), (40, 3, 16), (90, 2, 9)])
def test_forest_differs_from_scikit_learn_no_more_than_another_seed(n, C, D):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n + 200, D)).astype(np.float32)
    y = np.digitize(X[:, 0] + X[:, 1] * X[:, 2], [0.0, 1.0][: C - 1])
    y[:C] = np.arange(C)
    ours = [grow(X, y, n, C, seed) for seed in range(20)]
    theirs = []
    for seed in range(20):
        forest = RandomForestClassifier(TREES, random_state=seed, oob_score=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forest.fit(X[:n], y[:n])
        depth = np.mean([tree.get_depth() for tree in forest.estimators_])
        proba = forest.predict_proba(X[n:])
        theirs.append((proba, depth, forest.oob_score_, forest.feature_importances_))
    between = np.mean([abs(a[0] - b[0]).mean() for a, b in zip(ours, theirs, strict=True)])
    within = np.mean(
        [abs(a[0] - b[0]).mean() for a, b in zip(theirs[1:], theirs[:-1], strict=True)]
    )
    assert between < 1.1 * within
    for quantity in (1, 2):
        a, b = ([f[quantity] for f in forests] for forests in (ours, theirs))
        assert (
            abs(np.mean(a) - np.mean(b)) < 4 * np.hypot(np.std(a), np.std(b)) / np.sqrt(20) + 0.02
        )
    importance = [np.mean([f[3] for f in forests], axis=0) for forests in (ours, theirs)]
    np.testing.assert_allclose(importance[0], importance[1], atol=0.03)
    means = [np.mean([f[0] for f in forests], axis=0) for forests in (ours, theirs)]
    assert abs(means[0] - means[1]).mean() < 0.6 * within


def test_trees_of_pure_leaves_have_no_entropy_and_duplicates_do():
    X = np.arange(12.0)[:, None]
    y = np.array([0, 0, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1])
    assert grow(X, y, 6, 2, 0)[4].max() == 0.0
    X[:6] = 0.0  # rows that no split can tell apart
    proba, depth, _, _, entropy = grow(X, y, 6, 2, 0)
    assert depth == 0.0
    assert entropy.min() > 0.0
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)


def test_one_seed_one_forest():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 5)), rng.integers(3, size=60)
    first, again, other = (grow(X, y, 30, 3, seed)[0] for seed in (7, 7, 8))
    assert (first == again).all()
    assert (first != other).any()
