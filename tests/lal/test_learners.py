"""Learners: every name, any classifier, zero labels and one class, and what fit must not do."""

import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from lal.errors import DataError, UnknownNameError, UsageError
from lal.learners import LEARNERS, SklearnLearner, make_learner, wrap_fitted
from lal.learners.leverage import leverage
from lal.learners.probabilities import decision_to_proba, spread


def blobs(n_classes=3, n=45, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = rng.normal(size=(n, 4)) + 3.0 * np.eye(4)[y]
    return X, y


@pytest.mark.parametrize("name", LEARNERS.names())
@pytest.mark.parametrize("n_classes", [2, 3])
def test_every_learner_learns_and_answers_for_all_classes(name, n_classes):
    X, y = blobs(n_classes)
    model = make_learner(name).fit(X[:30], y[:30], n_classes=n_classes + 1, seed=1)
    proba = model.predict_proba(X[30:])
    assert model.n_classes == n_classes + 1
    assert proba.shape == (15, n_classes + 1)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-12)
    assert proba.min() >= 0
    np.testing.assert_array_equal(model.predict(X[30:]), proba.argmax(axis=1))
    assert np.mean(model.predict(X[30:]) == y[30:]) >= 0.8
    assert (proba[:, n_classes] == 0).all(), "a class never seen has probability 0"


@pytest.mark.parametrize("name", LEARNERS.names())
def test_two_labels_no_label_and_one_class_are_legal(name):
    X, y = blobs()
    learner = make_learner(name)
    two = learner.fit(X[:2], y[:2], n_classes=3).predict_proba(X)
    assert np.isfinite(two).all()
    none = learner.fit(X[:0], y[:0], n_classes=3)
    np.testing.assert_allclose(none.predict_proba(X), np.full((45, 3), 1 / 3))
    one = learner.fit(X[[1, 4]], y[[1, 4]], n_classes=3)
    np.testing.assert_array_equal(one.predict_proba(X), np.tile([0.0, 1.0, 0.0], (45, 1)))
    assert (one.predict(X) == 1).all()
    assert one.committee_proba(X) is None
    assert one.variance(X) is None


@pytest.mark.parametrize("name", LEARNERS.names())
def test_same_seed_same_model_and_learners_travel(name):
    X, y = blobs()
    learner = make_learner(name)
    first = learner.fit(X, y, n_classes=3, seed=5).predict_proba(X)
    again = pickle.loads(pickle.dumps(learner)).fit(X, y, n_classes=3, seed=5).predict_proba(X)
    np.testing.assert_array_equal(first, again)


def test_classes_that_were_not_seen_keep_their_columns_empty():
    X, y = blobs(4)
    rows = np.isin(y, [1, 3])
    proba = make_learner("gaussian_nb").fit(X[rows], y[rows], n_classes=5).predict_proba(X)
    assert (proba[:, [0, 2, 4]] == 0).all()
    plain = GaussianNB().fit(X[rows], y[rows]).predict_proba(X)
    np.testing.assert_allclose(proba[:, [1, 3]], plain)


def test_random_states_are_set_on_clones_also_nested_and_the_estimator_stays():
    X, y = blobs()
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(5, max_depth=2))
    learner = SklearnLearner(forest)
    before = str(np.random.get_state())  # noqa: NPY002 - that it is left alone is the test
    a, b = (learner.fit(X, y, n_classes=3, seed=s).predict_proba(X) for s in (1, 1))
    other = learner.fit(X, y, n_classes=3, seed=2).predict_proba(X)
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, other)
    assert forest[-1].random_state is None
    assert not hasattr(forest[-1], "estimators_")
    assert str(np.random.get_state()) == before  # noqa: NPY002


def test_a_random_state_that_the_user_set_stays():
    X, y = blobs()
    learner = make_learner(RandomForestClassifier(5, random_state=3, max_depth=2))
    a, b = (learner.fit(X, y, n_classes=3, seed=s).predict_proba(X) for s in (1, 2))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "estimator", [LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression())]
)
def test_sample_weight_reaches_the_last_step(estimator):
    X = np.array([[0.0], [1.0], [1.0]])
    y = np.array([0, 0, 1])
    learner = make_learner(estimator)
    light = learner.fit(X, y, n_classes=2, sample_weight=np.array([1.0, 10.0, 0.1]))
    heavy = learner.fit(X, y, n_classes=2, sample_weight=np.array([1.0, 0.1, 10.0]))
    assert light.predict(X[1:2]) == 0
    assert heavy.predict(X[1:2]) == 1


def test_weights_that_a_learner_cannot_take_are_refused():
    X, y = blobs()
    with pytest.raises(UsageError, match="KNeighborsClassifier takes no sample_weight"):
        make_learner("knn").fit(X, y, n_classes=3, sample_weight=np.ones(45))


def test_knn_uses_as_many_neighbours_as_there_are_labels():
    X, _ = blobs(2)
    learner = SklearnLearner(KNeighborsClassifier(n_neighbors=7))
    proba = learner.fit(X[:3], np.array([0, 1, 1]), n_classes=2).predict_proba(X)
    np.testing.assert_allclose(proba, np.tile([1 / 3, 2 / 3], (45, 1)))
    assert learner.estimator.n_neighbors == 7


def test_decisions_become_probabilities_by_hand():
    np.testing.assert_allclose(
        decision_to_proba(np.array([0.0, 1.0]), slope=np.log(3)), [[0.5, 0.5], [0.25, 0.75]]
    )
    three = decision_to_proba(np.array([[0.0, 0.0, 0.0], [1.0, -1.0, -1.0]]), slope=np.log(3))
    np.testing.assert_allclose(three, [[1 / 3, 1 / 3, 1 / 3], [0.6, 0.2, 0.2]])
    assert np.isfinite(decision_to_proba(np.array([[-900.0, -900.0, -900.0]]))).all()


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "estimator",
    [RidgeClassifier(), SVC(decision_function_shape="ovo"), make_pipeline(StandardScaler(), SVC())],
)
def test_classifiers_without_probabilities_keep_their_order(estimator, n_classes):
    X, y = blobs(n_classes)
    model = make_learner(estimator).fit(X, y, n_classes=n_classes)
    assert model.predict_proba(X).shape == (45, n_classes)
    assert np.mean(model.predict(X) == y) > 0.9


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(4, random_state=0, max_depth=2),
        BaggingClassifier(DecisionTreeClassifier(max_depth=1), 4, max_features=2, random_state=0),
        # Two rows a member, without weights: most members miss a class.
        BaggingClassifier(KNeighborsClassifier(1), 9, max_samples=2, random_state=0),
        VotingClassifier([("a", GaussianNB()), ("b", LogisticRegression())], voting="soft"),
        make_pipeline(StandardScaler(), RandomForestClassifier(4, random_state=0, max_depth=2)),
    ],
)
def test_ensembles_hand_out_their_members(estimator):
    X, y = blobs()
    kept = y != 1
    model = make_learner(estimator).fit(X[kept], y[kept], n_classes=3)
    members = model.committee_proba(X)
    assert members is not None
    assert members.shape[1:] == (45, 3)
    assert (members[..., 1] == 0).all()
    np.testing.assert_allclose(members.mean(axis=0), model.predict_proba(X))


def test_boosting_and_single_models_have_no_members():
    X, y = blobs()
    for estimator in (AdaBoostClassifier(n_estimators=3), LogisticRegression()):
        assert make_learner(estimator).fit(X, y, n_classes=3).committee_proba(X) is None


def test_leverage_by_hand_and_the_same_in_both_spaces():
    # One column: H = ridge I + w [x, 1]'[x, 1] for one labelled row x = 1 and w = 0.25, ridge 1:
    # H = [[1.25, .25], [.25, 1.25]], H^-1 = [[1.25, -.25], [-.25, 1.25]] / 1.5.
    value = leverage(np.array([[2.0]]), np.array([[1.0]]), np.array([0.25]), 1.0)
    np.testing.assert_allclose(value, [(4 * 1.25 - 4 * 0.25 + 1.25) / 1.5])
    rng = np.random.default_rng(0)
    rows, labelled, w = rng.normal(size=(6, 3)), rng.normal(size=(9, 3)), rng.random(9)
    full = np.c_[labelled, np.ones(9)]
    inverse = np.linalg.inv(full.T @ (w[:, None] * full) + 0.5 * np.eye(4))
    expected = [np.r_[x, 1] @ inverse @ np.r_[x, 1] for x in rows]
    np.testing.assert_allclose(leverage(rows, labelled, w, 0.5), expected)
    few = slice(0, 2)
    full = full[few]
    inverse = np.linalg.inv(full.T @ (w[few, None] * full) + 0.5 * np.eye(4))
    expected = [np.r_[x, 1] @ inverse @ np.r_[x, 1] for x in rows]
    np.testing.assert_allclose(leverage(rows, labelled[few], w[few], 0.5), expected)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logistic_regression_knows_less_far_from_the_labels(n_classes):
    X, y = blobs(n_classes)
    model = make_learner(make_pipeline(StandardScaler(), LogisticRegression()))
    fitted = model.fit(X, y, n_classes=n_classes)
    near = fitted.variance(X)
    far = fitted.variance(X + 30.0)
    assert near is not None
    assert far is not None
    assert near.shape == (45,)
    assert far.min() > near.max()
    assert make_learner("knn").fit(X, y, n_classes=n_classes).variance(X) is None


def test_gaussian_process_agrees_with_scikit_learn():
    X, y = blobs()
    model = make_learner("gp", length_scale=1.5, noise=0.2).fit(X[:20], y[:20], n_classes=3)
    kernel = RBF(1.5, "fixed")
    reference = GaussianProcessRegressor(kernel, alpha=0.2, optimizer=None)
    mean, sd = reference.fit(X[:20], np.eye(3)[y[:20]]).predict(X, return_std=True)
    variance = model.variance(X)
    assert variance is not None
    np.testing.assert_allclose(variance, sd[:, 0] ** 2, atol=1e-10)
    raw = np.maximum(mean, 0) + variance[:, None] / 3
    expected = raw / raw.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-10)
    far = model.predict_proba(X + 100.0)
    np.testing.assert_allclose(far, np.full((45, 3), 1 / 3), atol=1e-12)


def test_gaussian_process_weights_count_like_copies():
    X, y = blobs(2)
    learner = make_learner("gp")
    twice = learner.fit(np.r_[X[:6], X[:1]], np.r_[y[:6], y[:1]], n_classes=2)
    weighted = learner.fit(X[:6], y[:6], n_classes=2, sample_weight=np.array([2.0, 1, 1, 1, 1, 1]))
    np.testing.assert_allclose(twice.predict_proba(X), weighted.predict_proba(X), atol=1e-10)
    with pytest.raises(UsageError, match="noise and length_scale must be above 0, got 0"):
        make_learner("gp", noise=0).fit(X, y, n_classes=2)


def test_sparse_rows_and_frames():
    pd = pytest.importorskip("pandas")
    sparse = pytest.importorskip("scipy.sparse")
    X, y = blobs()
    dense = make_learner("random_forest", n_estimators=5)
    frame = pd.DataFrame(X, columns=list("abcd"))
    plain = dense.fit(X, y, n_classes=3, seed=1)
    framed = dense.fit(frame, y, n_classes=3, seed=1)
    np.testing.assert_allclose(framed.predict_proba(frame), plain.predict_proba(X))
    members = framed.committee_proba(frame)
    assert members is not None
    np.testing.assert_allclose(members.mean(axis=0), plain.predict_proba(X))
    logistic = make_learner("logistic_regression")
    rows = sparse.csr_matrix(X)
    a, b = logistic.fit(rows, y, n_classes=3), logistic.fit(X, y, n_classes=3)
    from_sparse, from_dense = a.variance(rows), b.variance(X)
    assert from_sparse is not None
    assert from_dense is not None
    np.testing.assert_allclose(from_sparse, from_dense, rtol=1e-4)


def test_a_fitted_classifier_is_wrapped_by_its_class_names():
    X, y = blobs()
    names = np.array(["b", "c", "d"])[y]
    clf = GaussianNB().fit(X, names)
    model = wrap_fitted(clf, ["a", "d", "c", "b"])
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba[:, [3, 2, 1]], clf.predict_proba(X))
    assert (proba[:, 0] == 0).all()
    with pytest.raises(DataError, match="knows the class 'd'"):
        wrap_fitted(clf, ["a", "b", "c"])
    with pytest.raises(UsageError, match="GaussianNB is not fitted"):
        wrap_fitted(GaussianNB(), ["a", "b"])


def test_a_wrapped_logistic_regression_has_leverage_when_its_rows_are_given():
    X, y = blobs()
    clf = LogisticRegression().fit(X, y)
    assert wrap_fitted(clf, [0, 1, 2]).variance(X) is None
    own = SklearnLearner(LogisticRegression()).fit(X, y, n_classes=3).variance(X)
    wrapped = wrap_fitted(clf, [0, 1, 2], X).variance(X)
    assert own is not None
    assert wrapped is not None
    np.testing.assert_allclose(wrapped, own)


class Silent(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.zeros(len(X))


class Foreign:
    def fit(self, X, y):
        return self


class OwnLearner:
    name = "own"

    def fit(self, X, y, *, n_classes, sample_weight=None, seed=0):
        raise AssertionError("never fitted here")


def test_make_learner_takes_names_classes_estimators_and_learners():
    assert make_learner("knn", n_neighbors=3).name == "knn(n_neighbors=3)"
    assert make_learner(GaussianNB).name == "GaussianNB"
    made = make_learner(KNeighborsClassifier, n_neighbors=2)
    assert isinstance(made, SklearnLearner)
    assert made.estimator.n_neighbors == 2
    own = OwnLearner()
    assert make_learner(own) is own


@pytest.mark.parametrize(
    ("learner", "options", "error", "message"),
    [
        ("logistic_regresion", {}, UnknownNameError, "did you mean 'logistic_regression'"),
        ("knn", {"neighbours": 3}, UsageError, "learner 'knn' does not take these options"),
        (GaussianNB(), {"var_smoothing": 1.0}, UsageError, "with a finished GaussianNB"),
        (LinearRegression(), {}, UsageError, "LinearRegression is a regressor"),
        (StandardScaler(), {}, UsageError, "StandardScaler is not a classifier"),
        (3, {}, UsageError, "3 is not an estimator"),
        (Foreign(), {}, UsageError, "is not an estimator"),
    ],
)
def test_bad_learners_are_refused_in_one_line(learner, options, error, message):
    with pytest.raises(error, match=message):
        make_learner(learner, **options)


def test_bad_labels_and_silent_classifiers_are_refused():
    X, y = blobs()
    learner = make_learner("gaussian_nb")
    with pytest.raises(UsageError, match="label 2 is not a class code; expected 0 to 1"):
        learner.fit(X, y, n_classes=2)
    with pytest.raises(UsageError, match="X has 44 rows but y has 45 labels"):
        learner.fit(X[1:], y, n_classes=3)
    silent = make_learner(Silent()).fit(X, y, n_classes=3)
    with pytest.raises(UsageError, match="neither predict_proba nor decision_function"):
        silent.predict_proba(X)


def test_rows_without_a_finite_probability_are_uniform_over_the_seen():
    X = np.zeros((4, 2))
    proba = make_learner("gaussian_nb").fit(X[:2], np.array([0, 2]), n_classes=3).predict_proba(X)
    np.testing.assert_allclose(proba, np.tile([0.5, 0.0, 0.5], (4, 1)))
    given = spread(np.array([[np.nan, 1.0], [0.0, 0.0], [1.0, 3.0]]), np.array([0, 1]), 2)
    np.testing.assert_allclose(given, [[0.5, 0.5], [0.5, 0.5], [0.25, 0.75]])
