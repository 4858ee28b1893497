"""Temperature scaling: by hand, on known confidences, and rows that a refit did not see."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from lal.data.view import make_geometry
from lal.learners.calibration import (
    calibration_error,
    held_out,
    scale_temperature,
    select_temperature,
)
from lal.state import QueryState


def test_a_temperature_by_hand():
    proba = np.array([[0.8, 0.2], [0.5, 0.5]])
    hot = scale_temperature(proba, 2.0)
    np.testing.assert_allclose(hot, [[2.0 / 3.0, 1.0 / 3.0], [0.5, 0.5]])
    assert scale_temperature(proba, 1.0) is proba
    assert scale_temperature(np.array([[1.0, 0.0]]), 10.0)[0, 0] < 1.0


def test_calibration_error_by_hand():
    proba = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    labels = np.array([0, 1, 1, 1])
    assert calibration_error(proba, labels) == pytest.approx((2 * 0.4 + 2 * 0.4) / 4)


def test_confidence_twice_too_large_is_found():
    rng = np.random.default_rng(0)
    true = rng.uniform(0.02, 0.98, size=5_000)
    labels = (rng.random(5_000) < true).astype(np.int64)
    right = np.column_stack([1.0 - true, true])
    for wrong in (0.5, 2.0, 4.0):
        shown = scale_temperature(right, 1.0 / wrong)
        assert select_temperature(shown, labels) == wrong
    assert select_temperature(right, labels) == 1.0
    assert select_temperature(right[:0], labels[:0]) == 1.0


@dataclass
class Remembers:
    """Learner and model that says which rows it was fitted to."""

    fits: list[list[int]] = field(default_factory=list)

    def fit(self, X, y, *, n_classes, sample_weight=None, seed=0):
        self.fits.append(X[:, 0].astype(int).tolist())
        return self

    def predict_proba(self, X):
        assert not set(X[:, 0].astype(int)) & set(self.fits[-1])
        return np.column_stack([X[:, 0], 1.0 - X[:, 0]])


def test_rows_held_out_are_unknown_to_the_refit():
    X = np.arange(20.0)[:, None]
    labelled = np.arange(2, 11)
    learner = Remembers()
    state = QueryState(
        X=X, geometry=make_geometry(X), labelled=labelled, labels=labelled % 2, n_classes=2,
        classes_known=True, proba=None, learner=learner,
    )  # fmt: skip
    proba, labels = held_out(state, 3)
    assert sorted(proba[:, 0]) == labelled.tolist()
    assert np.array_equal(proba[:, 0] % 2, labels)
    assert [len(rows) for rows in learner.fits] == [6, 6, 6]
