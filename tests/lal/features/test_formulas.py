"""Features against numbers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from lal.arrays import Floats
from lal.data.view import make_geometry
from lal.features import candidate_matrix, context_vector
from lal.features.geometry import _nearest, get_reference, rank_in, squash
from lal.state import QueryState


def line_state(labels: list[int] | None = None, proba: Floats | None = None) -> QueryState:
    """Five rows at -2, -1, 0, 1, 2 (in Z: over root 2); the ends are labelled 0 and 1."""
    X = np.array([[-2.0], [-1.0], [0.0], [1.0], [2.0]])
    codes = np.array([0, 1] if labels is None else labels)
    return QueryState(
        X=X,
        geometry=make_geometry(X),
        labelled=np.array([0, 4]),
        labels=codes,
        n_classes=2,
        classes_known=False,
        proba=proba,
    )


def one(state: QueryState, name: str) -> Floats:
    return candidate_matrix(state, [name])[:, 0]


PROBA = np.array([[0.9, 0.1], [0.7, 0.3], [0.5, 0.5], [0.2, 0.8], [0.1, 0.9]])


def test_uncertainties():
    state = line_state(proba=PROBA)
    np.testing.assert_allclose(one(state, "margin@1"), [0.8, 0.4, 0.0, 0.6, 0.8])
    np.testing.assert_allclose(one(state, "max_proba@1"), [0.9, 0.7, 0.5, 0.8, 0.9])
    assert one(state, "entropy@1")[2] == pytest.approx(1.0)
    np.testing.assert_allclose(one(state, "margin_rank@1"), [0.8, 0.3, 0.1, 0.5, 0.8])
    np.testing.assert_allclose(one(state, "margin_z@1")[2], -0.52 / np.std([0.8, 0.4, 0, 0.6, 0.8]))


def test_distances_are_in_pool_scales():
    """Z = x / sqrt 2 has variance 1, so the scale is sqrt 2 and a step of 1 in x is 1/2."""
    state = line_state(proba=PROBA)
    assert get_reference(state.geometry).scale == pytest.approx(np.sqrt(2.0))
    r = np.array([0.0, 0.5, 1.0, 0.5, 0.0])
    np.testing.assert_allclose(one(state, "min_distance@1"), r / (1 + r), atol=1e-9)
    np.testing.assert_allclose(one(state, "mean_distance@1"), np.full(5, 0.5), atol=1e-9)
    # Row 3 is predicted 1: half a scale to the label at 2, 1.5 scales to the one at -2.
    assert one(state, "predicted_distance@1")[3] == pytest.approx(0.5 / 1.5)
    assert one(state, "other_distance@1")[3] == pytest.approx(1.5 / 2.5)
    np.testing.assert_allclose(one(state, "distance_margin@1"), [1, 0.5, 0, 0.5, 1], atol=1e-9)
    assert one(state, "neighbour_entropy@1")[2] == pytest.approx(1.0)


def test_surroundings():
    """With five rows everybody's neighbours are the four others."""
    state = line_state(proba=PROBA)
    mean = np.array([1.25, 0.875, 0.75, 0.875, 1.25])
    np.testing.assert_allclose(one(state, "density@1"), 1 / (1 + mean))
    near = np.array([0.5, 1.0, 1.5, 2.0])
    assert one(state, "wide_density@1")[0] == pytest.approx((1 / (1 + (near / 0.5) ** 2)).mean())
    np.testing.assert_allclose(one(state, "density_rank@1"), [0.2, 0.6, 0.9, 0.6, 0.2])
    # From 0: the rows at -1 and 1 are as near to the labelled ends, the ends are labelled.
    np.testing.assert_allclose(one(state, "uncovered@1"), [0, 0.25, 0, 0.25, 0])
    assert one(state, "novelty@1")[2] == pytest.approx((1 / 0.75) / (1 + 1 / 0.75))


def test_coverage_gains():
    """A label at 0 adds what the labelled ends, 4 / sqrt 2 apart in Z, do not cover yet."""
    state = line_state(proba=PROBA)
    near = np.exp(-(np.subtract.outer(np.arange(5), np.arange(5)) ** 2) / 16.0)
    more = np.maximum(near - near[[0, 4]].max(axis=0), 0.0)
    plain, weighted = more.sum(axis=1), more @ (1.0 - np.array([0.8, 0.4, 0.0, 0.6, 0.8]))
    for name, gain in (("herding", weighted), ("max_herding", plain)):
        ratio = gain / gain.mean()
        np.testing.assert_allclose(one(state, f"{name}@1"), ratio / (1 + ratio), atol=1e-6)
    np.testing.assert_allclose(one(state, "max_herding_rank@1"), [0.2, 0.7, 0.7, 0.7, 0.2])
    np.testing.assert_allclose(one(state, "herding_rank@1"), [0.2, 0.7, 0.9, 0.5, 0.2])


def test_coverage_where_the_model_is_sure_of_everything_is_plain():
    state = line_state(proba=np.array([[1.0, 0.0]] * 4 + [[0.0, 1.0]]))
    np.testing.assert_allclose(one(state, "herding@1"), one(state, "max_herding@1"), atol=1e-6)


def test_coverage_of_a_pool_that_is_covered_gains_nothing():
    state = replace(line_state(), labelled=np.arange(5), labels=np.array([0, 1, 0, 1, 0]))
    assert (one(state, "max_herding@1") == 0.0).all()


def test_rarity_compares_with_the_pool():
    """The second class has a share of 0.52 among the five rows."""
    share = PROBA.mean(axis=0)
    expected = 1.0 - PROBA @ share
    np.testing.assert_allclose(one(line_state(proba=PROBA), "rarity@1"), expected)
    assert one(line_state(proba=PROBA), "rarity_rank@1")[0] == pytest.approx(0.9)


def test_leverage_by_both_forms():
    state = line_state(proba=PROBA)
    A = np.column_stack([np.ones(2), state.Z_labelled])
    z = np.column_stack([np.ones(5), state.Z])
    h = np.einsum("ij,jk,ik->i", z, np.linalg.inv(A.T @ A + np.eye(2)), z)
    np.testing.assert_allclose(one(state, "leverage@1"), h / (1 + h))
    odds = np.log(0.7 / 0.3) / np.sqrt(h[1])
    assert one(state, "studentised_margin@1")[1] == pytest.approx(odds / (1 + odds))
    X = np.sin(np.outer(np.arange(1, 31), np.arange(1, 9)))
    wide = QueryState(X, make_geometry(X), np.array([2, 5, 9]), np.array([0, 1, 0]), 2, False, None)
    A, z = (np.column_stack([np.ones(len(v)), v]) for v in (wide.Z_labelled, wide.Z))
    h = np.einsum("ij,jk,ik->i", z, np.linalg.inv(A.T @ A + np.eye(9)), z)
    np.testing.assert_allclose(one(wide, "leverage@1"), h / (1 + h))


def test_class_balance():
    state = line_state(labels=[0, 1], proba=PROBA)
    np.testing.assert_allclose(one(state, "scarcity@1"), np.full(5, 0.5))
    np.testing.assert_allclose(one(state, "nearest_disagreement@1"), [0.1, 0.3, 0.5, 0.2, 0.1])
    same = line_state(labels=[0, 0], proba=PROBA)
    np.testing.assert_allclose(one(same, "scarcity@1"), 1 - PROBA[:, 0])
    assert context_vector(same, ["class_entropy@1"])[0] == 0.0


def test_context():
    state = line_state(proba=PROBA)
    names = ["n_labelled@1", "margin_mean@1", "margin_std@1", "class_entropy@1", "smallest_share@1"]
    margins = [0.8, 0.4, 0.0, 0.6, 0.8]
    expected = [np.log(3) / np.log(1001), np.mean(margins), 2 * np.std(margins), 1.0, 1.0]
    np.testing.assert_allclose(context_vector(state, names), expected)
    assert context_vector(state, ["neighbour_disagreement@1"])[0] == pytest.approx(0.24)
    assert context_vector(state, ["spent_share@1"])[0] == -1.0


def test_leave_one_out_shares_ties():
    X = np.array([[0.0], [1.0], [2.0], [10.0]])
    state = QueryState(X, make_geometry(X), np.arange(3), np.array([0, 1, 1]), 2, False, None)
    # 0 -> nearest is 1 (wrong); 1 -> 0 and 2 tie (half right); 2 -> 1 (right).
    assert context_vector(state, ["loo_neighbour_accuracy@1"])[0] == pytest.approx(0.5)


def test_rank_in_counts_ties_half():
    np.testing.assert_allclose(
        rank_in(np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0, 3.0])), [0.0, 0.25, 0.625]
    )


def test_squash_of_infinity_is_one():
    np.testing.assert_allclose(squash(np.array([0.0, 1.0, np.inf])), [0.0, 0.5, 1.0])


def test_nearest_breaks_ties_by_column():
    squares = np.array([[4.0, 1.0, 1.0, 1.0, 0.5]], dtype=np.float32)
    noisy = (squares * (1 + 1e-7 * np.array([1, -1, 1, -1, 1]))).astype(np.float32)
    assert (noisy != squares).any()
    assert sorted(_nearest(squares, 3)[0].tolist()) == [1, 2, 4]
    assert sorted(_nearest(noisy, 3)[0].tolist()) == [1, 2, 4]
