"""Label spreading: labels flow through the pool, and nothing else does."""

import numpy as np
import pytest

from lal.errors import UsageError
from lal.learners import make_learner
from lal.learners.pool_aware import bind_pool

MOONS = np.concatenate([np.arange(20.0), 30.0 + np.arange(20.0)])[:, None]


def test_labels_reach_the_end_of_their_chain_through_the_pool():
    X, y = MOONS[[0, 39]], np.array([2, 0])
    learner = bind_pool(make_learner("label_spreading", n_neighbors=3, alpha=0.9), MOONS)
    model = learner.fit(X, y, n_classes=3)
    assert model.predict(MOONS).tolist() == [2] * 20 + [0] * 20
    np.testing.assert_allclose(model.predict_proba(MOONS)[:, 1], 0.0)


def test_without_a_pool_it_is_the_mean_of_the_nearest_labels():
    X, y = MOONS[[0, 1, 38, 39]], np.array([0, 0, 1, 1])
    model = make_learner("label_spreading", n_neighbors=2).fit(X, y, n_classes=2)
    np.testing.assert_allclose(model.predict_proba(np.array([[0.4], [55.0]])), np.eye(2))
    assert model.committee_proba(X) is None
    assert model.variance(X) is None


def test_a_constant_column_changes_nothing():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 20)) + 1.5 * y[:, None]  # many columns: distances by products of rows
    found = []
    for rows in (X, np.column_stack([X, np.full(60, 5.0)])):
        learner = bind_pool(make_learner("label_spreading"), rows)
        found.append(learner.fit(rows[:10], y[:10], n_classes=2).predict_proba(rows))
    np.testing.assert_allclose(found[1], found[0], atol=1e-9)
    assert (found[1].argmax(axis=1) == y).mean() > 0.9


def test_one_class_and_what_does_not_fit():
    learner = make_learner("label_spreading")
    assert learner.fit(MOONS[:2], np.array([1, 1]), n_classes=3).predict(MOONS[:1]).tolist() == [1]
    with pytest.raises(UsageError, match="label_spreading takes no sample_weight"):
        learner.fit(MOONS[:2], np.array([0, 1]), n_classes=2, sample_weight=np.ones(2))
    with pytest.raises(UsageError, match=r"alpha lie in \(0, 1\), got 7 and 1"):
        make_learner("label_spreading", alpha=1)
