import numpy as np
import pytest

from lal.data.view import make_geometry
from lal.features import candidate_matrix, context_vector
from lal.state import QueryState


@pytest.fixture
def state():
    """Six rows around the origin: Z has the directions of a hexagon's corners."""
    angles = np.arange(6) * np.pi / 3
    X = np.column_stack([np.cos(angles), np.sin(angles)])
    first = np.array([0.9, 0.2, 0.5, 0.4, 0.7, 0.1])
    return QueryState(
        X=X,
        geometry=make_geometry(X),
        labelled=np.array([0, 3]),
        labels=np.array([0, 1]),
        n_classes=2,
        classes_known=True,
        proba=np.column_stack([first, 1 - first]),
    )


def cosine_distance(Z, a, b):
    return 1 - Z[a] @ Z[b] / np.sqrt((Z[a] @ Z[a]) * (Z[b] @ Z[b]))


def test_cosine_distances_by_hand(state):
    Z, open_rows = state.Z, [1, 2, 4, 5]
    to_open = [np.mean([cosine_distance(Z, i, j) for j in open_rows]) for i in range(6)]
    to_labels = [np.mean([cosine_distance(Z, i, j) for j in (0, 3)]) for i in range(6)]
    found = candidate_matrix(state, ["cosine_open@1", "cosine_labelled@1"])
    np.testing.assert_allclose(found, np.column_stack([to_open, to_labels]), atol=1e-12)


def test_opposite_labels_leave_every_row_at_distance_one(state):
    np.testing.assert_allclose(candidate_matrix(state, ["cosine_labelled@1"]), 1.0, atol=1e-9)


def test_z_scores_count_open_rows_only(state):
    plain = candidate_matrix(state, ["cosine_open@1"])[:, 0]
    found = candidate_matrix(state, ["cosine_open_z@1"])[:, 0]
    open_rows = [1, 2, 4, 5]
    spread = plain[open_rows].std()
    wanted = (plain - plain[open_rows].mean()) / spread if spread >= 1e-6 else np.zeros(6)
    np.testing.assert_allclose(found, np.clip(wanted, -3, 3), atol=1e-9)


def test_probabilities_and_their_quantiles(state):
    first = candidate_matrix(state, ["first_proba@1"])[:, 0]
    np.testing.assert_array_equal(first, state.proba[:, 0])
    quantiles = context_vector(state, ["first_proba_quantiles@1"])
    assert len(quantiles) == 30
    assert (np.diff(quantiles) >= 0).all()
    np.testing.assert_allclose(quantiles, np.quantile(first, np.arange(1, 31) / 31))
    doubt = context_vector(state, ["doubt_quantiles@1"])
    np.testing.assert_allclose(doubt, np.quantile(1 - abs(2 * first - 1), np.arange(1, 31) / 31))


def test_class_aware_cosines_by_hand(state):
    """Row 0 is of class 0, row 3 of class 1, opposite each other; row 1 lies 60 degrees from 0."""
    Z, open_rows = state.Z, [1, 2, 4, 5]
    near = [min(cosine_distance(Z, i, j) for j in (0, 3)) for i in range(6)]
    # P(class 0) decides which label is of the predicted class; at one half the two share.
    toward = np.array([1 - cosine_distance(Z, i, 0) for i in range(6)])
    away = np.array([1 - cosine_distance(Z, i, 3) for i in range(6)])
    gap = (toward - away) * np.array([1, -1, 0, -1, 1, -1])
    odds = np.abs(np.log(state.proba[:, 0] / state.proba[:, 1]))
    angle = odds / np.linalg.norm(Z, axis=1)
    names = ["cosine_nearest_z@1", "cosine_classes_z@1", "log_odds_z@1", "angle_z@1"]
    found = candidate_matrix(state, names)
    for column, values in enumerate((np.array(near), gap, odds, angle)):
        spread = values[open_rows].std()
        wanted = (values - values[open_rows].mean()) / spread if spread >= 1e-6 else np.zeros(6)
        np.testing.assert_allclose(found[:, column], np.clip(wanted, -3, 3), atol=1e-6)


def test_disagreement_is_the_probability_of_the_class_the_nearest_label_is_not_of(state):
    toward = [cosine_distance(state.Z, i, 0) < cosine_distance(state.Z, i, 3) for i in range(6)]
    wanted = np.where(toward, state.proba[:, 1], state.proba[:, 0])
    found = candidate_matrix(state, ["cosine_disagreement@1"])[:, 0]
    np.testing.assert_allclose(found, wanted, atol=1e-12)
