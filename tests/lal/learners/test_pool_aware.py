"""Learners that look at the pool: what they add, and that nobody pays for it."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from lal.episode import Episode
from lal.errors import UsageError
from lal.learners import make_learner
from lal.learners.pool_aware import PseudoLabels, bind_pool
from lal.task import Part, Task


def blobs(n=60):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return rng.normal(size=(n, 4)) + 5.0 * np.eye(4)[y], y


def test_only_sure_rows_that_have_no_label_get_a_pseudo_label():
    X, y = blobs()
    learner: Any = make_learner("pseudo_labels", threshold=0.4, decay=0.0)
    bound = learner.bind(X)
    model = learner.base.fit(X[:12], y[:12], n_classes=3)
    rows, codes = bound.pseudo_labels(model, X[:12], y[:12])
    proba = model.predict_proba(X)
    entropy = -(proba * np.log(proba)).sum(axis=1)
    np.testing.assert_array_equal(rows, np.flatnonzero((entropy < 0.4) & (np.arange(60) >= 12)))
    assert 0 < len(rows) < 48
    np.testing.assert_array_equal(codes, proba[rows].argmax(axis=1))


def test_the_fit_is_that_of_labels_and_pseudo_labels():
    X, y = blobs()
    learner: Any = make_learner("pseudo_labels", threshold=0.4)
    bound = learner.bind(X)
    rows, codes = bound.pseudo_labels(learner.base.fit(X[:12], y[:12], n_classes=3), X[:12], y[:12])
    expected = learner.base.fit(np.r_[X[:12], X[rows]], np.r_[y[:12], codes], n_classes=3)
    found = bound.fit(X[:12], y[:12], n_classes=3)
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))
    sparse = learner.bind(csr_matrix(X)).fit(csr_matrix(X[:12]), y[:12], n_classes=3)
    np.testing.assert_allclose(sparse.predict_proba(X), found.predict_proba(X), atol=1e-4)
    weighted = bound.fit(X[:12], y[:12], n_classes=3, sample_weight=np.ones(12))
    np.testing.assert_allclose(weighted.predict_proba(X), found.predict_proba(X), atol=1e-6)


def test_without_a_pool_it_is_the_base_learner():
    X, y = blobs()
    learner: Any = make_learner("pseudo_labels")
    base = learner.base.fit(X[:12], y[:12], n_classes=3).predict_proba(X)
    np.testing.assert_array_equal(learner.fit(X[:12], y[:12], n_classes=3).predict_proba(X), base)


def test_the_threshold_falls_with_the_labels():
    learner: Any = make_learner("pseudo_labels", threshold=0.5, decay=0.01)
    assert [learner.threshold_at(n) for n in (0, 10, 50, 90)] == [0.5, 0.4, 0.0, 0.0]
    with pytest.raises(UsageError, match=r"must not be negative, got -1 and 0\.0001"):
        make_learner("pseudo_labels", threshold=-1)


def test_an_episode_binds_its_pool_and_pays_for_no_pseudo_label():
    X, y = blobs(90)
    learner = make_learner("pseudo_labels", threshold=0.6)
    task = Task("blobs", "blobs", learner, 3, Part(X[:60], y[:60]), Part(X[60:], y[60:]), start=6)
    task = Task(**{**vars(task), "budget": 4})
    episode = Episode(task, 0)
    bound = episode.state().learner
    assert isinstance(bound, PseudoLabels)
    np.testing.assert_array_equal(bound.pool, task.pool.X)
    assert learner.pool is None  # type: ignore[attr-defined]
    model: Any = episode.model
    assert len(model.labelled) > 20
    assert episode.spent == episode.pool.n_labelled == 6
    assert len(episode.state().open) == 54


def test_learners_without_a_pool_are_left_alone():
    learner = make_learner("knn")
    assert bind_pool(learner, np.zeros((2, 2))) is learner


def test_consistency_takes_the_pool_and_nothing_else_does():
    pytest.importorskip("torch")
    X, y = blobs()
    quick: dict[str, Any] = {"max_epochs": 10}
    bound: Any = bind_pool(make_learner("mlp_consistency", **quick), X)
    alone: Any = make_learner("mlp_consistency", **quick)
    fits = [m.fit(X[:9], y[:9], n_classes=3, seed=1).predict_proba(X) for m in (bound, alone)]
    assert not np.array_equal(*fits)
    plain: Any = bind_pool(make_learner("mlp", **quick), X)
    assert plain.pool is None


def test_a_bare_query_binds_the_rows_that_it_is_given():
    from lal.policies.kinds import load_policy

    X, y = blobs()
    known = np.where(np.arange(60) < 12, y, np.nan)
    policy = load_policy("default")
    ours = policy.query(
        X, known, make_learner("pseudo_labels", threshold=0.6), return_utilities=True
    )[1]
    plain = policy.query(X, known, make_learner("logistic_regression"), return_utilities=True)[1]
    assert not np.allclose(np.nan_to_num(ours), np.nan_to_num(plain))


def test_pseudo_labels_take_the_rows_of_a_polars_frame():
    polars = pytest.importorskip("polars")
    X, y = blobs()
    frame = polars.DataFrame(X)
    learner: Any = PseudoLabels(make_learner("gaussian_nb"), threshold=0.5)
    plain, framed = learner.bind(X), learner.bind(frame)
    assert len(plain.pseudo_labels(plain.fit(X[:9], y[:9], n_classes=3), X[:9], y[:9])[0])
    wanted = plain.fit(X[:9], y[:9], n_classes=3).predict_proba(X)
    found = framed.fit(frame[:9], y[:9], n_classes=3).predict_proba(frame)
    np.testing.assert_allclose(found, wanted)
