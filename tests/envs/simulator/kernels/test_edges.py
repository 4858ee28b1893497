"""Learners and features of the simulator where data are few, equal, or of one class."""

import numpy as np
import pytest

pytest.importorskip("numba")

from envs.simulator.kernels.features.distances import class_gaps, neighbour_entropies
from envs.simulator.kernels.features.model import disagreements, entropies, top_two
from envs.simulator.kernels.layout import Problem
from envs.simulator.kernels.learners.gaussian_process import add_gp, start_gp, whitened_row
from envs.simulator.kernels.learners.knn import add_knn, predict_knn, start_knn
from envs.simulator.kernels.learners.ridge import add_ridge, refit_ridge, start_ridge
from envs.simulator.kernels.logistic import multinomial
from envs.simulator.kernels.metrics import classes_seen, measure
from envs.simulator.kernels.simd import padded


def shares(points, rows, codes, k):
    """Return the class shares of k nearest neighbours after labelling some rows in order."""
    XT, n = np.ascontiguousarray(points.T), len(points)
    distance, labels = np.zeros((k, n)), np.zeros((k, n), dtype=np.int64)
    start_knn(distance)
    for row, code in zip(rows, codes, strict=True):
        add_knn(XT, points.shape[1], row, code, distance, labels)
    proba = np.zeros((2, n))
    predict_knn(labels, len(rows), proba, 0, n)
    return proba.T


def test_of_equally_near_labels_the_first_one_stays():
    points = np.array([[0.0], [-1.0], [1.0]])
    assert shares(points, [1, 2], [0, 1], 1)[0].tolist() == [1.0, 0.0]
    assert shares(points, [2, 1], [1, 0], 1)[0].tolist() == [0.0, 1.0]
    # A third label, as near as the two that are kept, replaces neither.
    again = np.array([[0.0], [-1.0], [1.0], [1.0]])
    assert shares(again, [1, 2, 3], [0, 0, 1], 2)[0].tolist() == [1.0, 0.0]


def test_fewer_labels_than_neighbours_share_alike():
    points = np.array([[0.0], [5.0], [9.0]])
    assert shares(points, [1], [1], 4)[0].tolist() == [0.0, 1.0]
    assert shares(points, [1, 2], [1, 0], 4)[0].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("count", "seen", "expected"),
    [([0, 0, 0], [], [1 / 3] * 3), ([0, 4, 0], [1], [0.0, 1.0, 0.0]), ([1, 0, 2], [0, 2], None)],
)
def test_without_two_classes_predictions_need_no_fit(count, seen, expected):
    compact, found, proba = np.zeros(3, np.int64), np.zeros(3, np.int64), np.full((3, 4), -1.0)
    S = classes_seen(np.array(count), 3, compact, found, proba, 4)
    assert found[:S].tolist() == seen
    if expected is None:
        assert (proba == -1.0).all()
        assert compact[[0, 2]].tolist() == [0, 1]
    else:
        np.testing.assert_allclose(proba.T, np.tile(expected, (4, 1)))


def test_one_reward_row_of_no_probability_is_measured_without_an_infinity():
    proba, metrics = np.zeros((2, 16), np.float32), np.zeros(3)
    proba[0] = 1.0
    measure(proba.ravel(), np.array([0, 0, 1]), Problem(1, 2, 0, 0, 16, 1, 1.0, 0.0, 0), metrics)
    assert metrics.tolist() == [0.0, 0.0, pytest.approx(np.log(1e-15), rel=1e-5)]


def test_of_equal_probabilities_the_first_class_is_predicted():
    proba, metrics = np.full((2, 16), 0.5, np.float32), np.zeros(3)
    problem = Problem(1, 2, 0, 0, 16, 1, 1.0, 0.0, 0)
    measure(proba.ravel(), np.array([0, 2, 3]), problem, metrics)
    assert metrics == pytest.approx([2 / 3, 0.5, np.log(0.5)], rel=1e-6)


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e6])
def test_ridge_of_one_row_a_class_and_of_equal_rows_is_finite(scale):
    XT = scale * np.array([[1.0, 1.0, -1.0], [2.0, 2.0, 0.5]])
    M, products, total, V = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros(2), np.zeros(3)
    start_ridge(M, products, total, 1.0)
    for L, (row, code) in enumerate([(0, 0), (1, 1), (2, 1)], start=1):
        add_ridge(XT, row, code, M, products, total, np.zeros(4))
        if L >= 2:
            count = np.array([1, L - 1])
            refit_ridge(products, total, count, L, np.array([1]), 1, np.zeros(4), V)
            assert np.isfinite(V).all()
    if scale == 0.0:
        np.testing.assert_allclose(V, [0.0, 0.0, 1 / 3])  # the mean of -1, 1 and 1


def test_a_gaussian_process_takes_the_same_row_again_and_again():
    single = np.float32
    tiles, n = np.zeros(16 * 1, single), 16
    mean, variance, V = np.zeros(2 * n, single), np.zeros(n, single), np.zeros(8 * n, single)
    targets, v, t = np.zeros(16, single), np.zeros(8, single), np.zeros(2, single)
    start_gp(mean, variance)
    for L in range(8):
        pivot = whitened_row(V, 8, targets, 2, 0, L % 2, L, single(1e-6), v, t)
        assert pivot > 0
        targets[2 * L : 2 * L + 2] = t
        add_gp((tiles, 0, 1), 0, L, V, 8, (v, t, pivot), single(-0.5), (mean, variance), 0, True)
        assert np.isfinite(mean).all()
        assert np.isfinite(variance).all()


def multinomial_fit(rows, codes, penalty):
    """Return probabilities of the rows and whether float32 got there."""
    (L, D), K = rows.shape, 3
    at = multinomial.offsets(K, D + 1, padded(D + 1), padded(L), 8)
    F, header, single = np.zeros(at.end, np.float32), np.zeros(4, np.int64), np.float32
    multinomial.start(F, at, header, penalty)
    codes, done = np.array(codes), 0
    for a in range(L):
        row = at.R + a * at.stride
        F[row], F[row + 1 : row + 1 + D] = 1.0, rows[a]
        multinomial.add_row(F, at, header, a, K, D + 1)
        if a >= 2:
            done = multinomial.refit(
                F, at, header, codes, a + 1, K, D + 1, single(penalty), single(1e-4)
            )
    W = F[: K * at.stride].reshape(K, at.stride)[:, : D + 1].astype(np.float64)
    scores = np.c_[np.ones(L), rows] @ W.T
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True), done >= 0


def test_three_rows_of_three_classes_and_equal_rows_reach_the_optimum():
    proba, done = multinomial_fit(np.eye(3), [0, 1, 2], 1.0)
    assert done
    np.testing.assert_allclose(np.diag(proba), proba[0, 0], atol=1e-4)
    assert proba[0, 1] == pytest.approx(proba[0, 2], abs=1e-4)
    proba, done = multinomial_fit(np.ones((6, 2)), [0, 1, 2, 2, 2, 2], 1.0)
    assert done
    np.testing.assert_allclose(proba, np.tile([1 / 6, 1 / 6, 2 / 3], (6, 1)), atol=1e-4)


def test_rows_a_thousand_times_the_others_are_given_up_to_float64_or_finite():
    rows = np.array([[1e3, 0.0], [0.0, -1e3], [1.0, 1.0], [-1e3, 1e3]])
    proba, done = multinomial_fit(rows, [0, 1, 2, 2], 1e-6)
    assert not done or np.isfinite(proba).all()


def test_margins_of_ties_and_certainties():
    proba = np.array([[0.5, 1.0, 0.2], [0.5, 0.0, 0.2], [0.0, 0.0, 0.6]], np.float32)
    first, second, uncertainty = np.zeros((3, 3), np.float32)
    top_two(proba, 3, first, second, uncertainty)
    np.testing.assert_allclose(first, [0.5, 1.0, 0.6])
    np.testing.assert_allclose(second, [0.5, 0.0, 0.2])
    np.testing.assert_allclose(uncertainty, [1.0, 0.0, 0.6], atol=1e-7)
    out = np.zeros(3, np.float32)
    entropies(proba, 3, 3, out)
    assert out[0] == pytest.approx(np.log(2) / np.log(3), abs=1e-6)
    assert out[1] == 0.0


def test_a_row_between_two_labels_disagrees_with_neither():
    near, least = np.array([[4.0, 1.0], [4.0, 9.0]], np.float32), np.array([4.0, 1.0], np.float32)
    proba = np.array([[0.3, 0.3], [0.7, 0.7]], np.float32)
    classes, out = np.zeros(2, np.float32), np.zeros(2, np.float32)
    disagreements(proba, near, least, np.array([1, 1]), classes, out)
    assert classes.tolist() == [2.0, 1.0]
    np.testing.assert_allclose(out, [0.5, 0.7], atol=1e-6)  # the mean of both, the other's share


def test_distances_to_no_or_equal_classes_are_no_nan():
    inf, a, b, column = np.float32(np.inf), *np.zeros((3, 3), np.float32)
    class_gaps(np.array([[0.0, 4.0, 1.0], [0.0, inf, 9.0]], np.float32), a, b, column)
    np.testing.assert_allclose(column, [0.0, 0.0, 0.5])
    class_gaps(np.full((1, 3), 2.0, np.float32), a, b, column)
    assert column.tolist() == [0.0, 0.0, 0.0]
    near = np.array([[0.0, 0.0, 1.0], [0.0, inf, 1.0]], np.float32)
    neighbour_entropies(near, np.float32(1.0), 2, a, column)
    np.testing.assert_allclose(column, [1.0, 0.0, 1.0], atol=1e-6)
    neighbour_entropies(near[:1], np.float32(1.0), 1, a, column)
    assert column.tolist() == [1.0, 1.0, 1.0]
