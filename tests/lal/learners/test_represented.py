"""Learners on representations of the pool, and learners that tune themselves."""

import pickle
from typing import Any

import numpy as np
import pytest

from lal.errors import UnknownNameError, UsageError
from lal.learners import make_learner
from lal.learners.capabilities import TrainingDiary, find_capability
from lal.learners.represented import REPRESENTATIONS


def blobs(n=80):
    """Rows whose two halves of columns both tell the classes apart, as two views need them to."""
    y = np.arange(n) % 3
    return np.random.default_rng(0).normal(size=(n, 6)) + np.tile(3.0 * np.eye(3)[y], 2), y


def test_principal_components_are_those_of_the_pool():
    X, y = blobs()
    learner: Any = make_learner("represented", n_columns=2)
    model = learner.bind(X).fit(X[:15], y[:15], n_classes=3)
    centred = X - X.mean(axis=0)
    _, s, vt = np.linalg.svd(centred, full_matrices=False)
    scores = centred @ vt[:2].T / (s[:2] / np.sqrt(len(X) - 1))
    embedded = find_capability(model, "embed", X)
    np.testing.assert_allclose(np.abs(embedded), np.abs(scores), atol=1e-8)
    direct = make_learner("logistic_regression").fit(embedded[:15], y[:15], n_classes=3)
    np.testing.assert_array_equal(model.predict_proba(X), direct.predict_proba(embedded))


@pytest.mark.parametrize("by", REPRESENTATIONS.names())
def test_a_representation_is_of_the_pool_alone_and_repeats(by):
    if by != "pca":
        pytest.importorskip("torch")
    X, y = blobs()
    learner: Any = make_learner("represented", by=by, n_columns=4)
    first, second, narrow = learner.bind(X), learner.bind(X), learner.bind(X[:40])
    fits = [bound.fit(X[:15], y[:15], n_classes=3) for bound in (first, second, narrow)]
    proba = [fit.predict_proba(X) for fit in fits]
    np.testing.assert_array_equal(proba[0], proba[1])
    assert not np.array_equal(proba[0], proba[2])
    assert find_capability(fits[0], "embed", X).shape == (80, 4)
    assert (proba[0].argmax(axis=1) == y).mean() > 0.8
    again = pickle.loads(pickle.dumps(fits[0]))
    np.testing.assert_array_equal(again.predict_proba(X), proba[0])


def test_two_views_are_alike_to_a_contrast_by_hand():
    torch = pytest.importorskip("torch")
    from lal.learners.neural.representations import nt_xent

    first, second = torch.eye(2), torch.eye(2)
    # each code has one equal code and two orthogonal ones: -log(e / (e + 2))
    expected = float(np.log(1.0 + 2.0 / np.exp(1.0)))
    assert float(nt_xent(first, second, temperature=1.0)) == pytest.approx(expected, rel=1e-6)


def test_wrong_representations_are_refused():
    with pytest.raises(UnknownNameError, match="unknown representation 'pcs'; did you mean 'pca'"):
        make_learner("represented", by="pcs")
    with pytest.raises(UsageError, match="n_columns must be at least 1, got 0"):
        make_learner("represented", n_columns=0)
    learner: Any = make_learner("represented")
    with pytest.raises(UsageError, match="needs finite numbers; impute missing values first"):
        learner.bind(np.full((4, 2), np.nan))


def test_tuning_takes_the_parameters_that_generalise_and_spends_no_label():
    X, y = blobs()
    noise = np.random.default_rng(1).normal(size=(80, 30))
    wide, grid = np.hstack([X, noise]), {"C": [1e-4, 0.1]}
    learner: Any = make_learner("retuned", grid=grid)
    chosen = learner.choose(wide[:30], y[:30], n_classes=3, seed=0)
    assert learner.options[chosen] == {"C": 0.1}
    found = learner.fit(wide[:30], y[:30], n_classes=3)
    direct = make_learner("logistic_regression", C=0.1).fit(wide[:30], y[:30], n_classes=3)
    np.testing.assert_array_equal(found.predict_proba(wide), direct.predict_proba(wide))


def test_with_few_labels_the_own_parameters_stand():
    X, y = blobs()
    learner: Any = make_learner("retuned")
    assert learner.choose(X[:5], y[:5], n_classes=3, seed=0) is None
    plain = make_learner("logistic_regression").fit(X[:5], y[:5], n_classes=3)
    found = learner.fit(X[:5], y[:5], n_classes=3)
    np.testing.assert_array_equal(found.predict_proba(X), plain.predict_proba(X))


def test_wrong_grids_are_refused():
    with pytest.raises(UsageError, match="retuned has no grid for 'gaussian_nb'; give one"):
        make_learner("retuned", base="gaussian_nb")
    with pytest.raises(UsageError, match="folds must be at least 2, got 1"):
        make_learner("retuned", folds=1)


def test_a_data_map_by_hand():
    diary = TrainingDiary(np.array([[0.2, 0.9], [0.4, 0.9]]), np.array([[0.0, 1.0], [0.0, 1.0]]))
    np.testing.assert_allclose(diary.confidence, [0.3, 0.9])
    np.testing.assert_allclose(diary.variability, [0.1, 0.0], atol=1e-12)
