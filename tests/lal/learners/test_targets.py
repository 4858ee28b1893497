"""What a caller keys by labels works, or is refused in one sentence; so do odd classifiers."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris, make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lal.errors import DataError, LalError, UsageError
from lal.learners.names import make_named_learner
from lal.learners.targets import listed_classes
from lal.policies.kinds import load_policy

IRIS, TRUTH = load_iris(return_X_y=True)
ROWS = [0, 1, 2, 50, 51, 52, 100, 101, 102]
MARGIN = load_policy("margin")


def labels(names=(0, 1, 2), rows=ROWS):
    y = np.full(150, None, dtype=object)
    y[rows] = [names[c] for c in TRUTH[rows]]
    return y


def table(y, clf, **options):
    return MARGIN.query(IRIS, y, clf, batch_size=5, return_utilities=True, **options)


def weighted(kind, names, weights=(1, 5, 20)):
    given = dict(zip(names, weights, strict=True))
    if kind == "plain":
        return LogisticRegression(max_iter=300, class_weight=given)
    if kind == "pipeline":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, class_weight=given))
    if kind == "calibrated":
        return CalibratedClassifierCV(
            LogisticRegression(max_iter=300, class_weight=given), cv=2, ensemble=False
        )
    return RandomForestClassifier(10, class_weight=given, random_state=0)


@pytest.mark.parametrize("kind", ["plain", "pipeline", "forest"])
@pytest.mark.parametrize("names", [(0, 1, 2), ("a", "b", "c"), ("c", "b", "a"), (30, 2, 7)])
def test_class_weights_follow_labels_whatever_their_names(kind, names):
    weights = (1, 5, 20)
    expected, utilities = table(labels(), weighted(kind, (0, 1, 2)))
    rows, again = table(labels(names), weighted(kind, names, weights))
    if kind != "forest":  # trees draw by the order of names
        assert rows.tolist() == expected.tolist()
        np.testing.assert_allclose(again, utilities, atol=1e-4)
    declared = table(labels(names), weighted(kind, names), classes=list(names)[::-1])[0]
    assert declared.tolist() == rows.tolist()


def test_a_weight_for_a_class_without_labels_is_left_out():
    y = labels(rows=ROWS[:6])
    clf = weighted("plain", (0, 1, 2))
    without = LogisticRegression(max_iter=300, class_weight={0: 1, 1: 5})
    np.testing.assert_array_equal(table(y, clf)[1], table(y, without)[1])


def test_weights_that_name_no_label_are_refused():
    clf = LogisticRegression(class_weight={0: 1, 1: 20})
    with pytest.raises(UsageError, match=r"class_weight names the class 0.*\['a', 'b', 'c'\]"):
        MARGIN.query(IRIS, labels(("a", "b", "c")), clf)


def test_priors_follow_the_order_of_labels_not_of_declared_classes():
    for clf in (
        GaussianNB(priors=[0.7, 0.2, 0.1]),
        LinearDiscriminantAnalysis(priors=[0.7, 0.2, 0.1]),
    ):
        first = table(labels(), clf, classes=[0, 1, 2])[1]
        np.testing.assert_allclose(table(labels(), clf, classes=[2, 0, 1])[1], first, atol=1e-12)
    with pytest.raises(DataError, match="GaussianNB cannot be fitted to the 6 labelled rows: Num"):
        MARGIN.query(IRIS, labels(rows=ROWS[:6]), GaussianNB(priors=[0.7, 0.2, 0.1]))


def test_the_positive_label_is_translated():
    X, t = make_classification(80, 4, random_state=0)
    y = np.full(80, None, dtype=object)
    y[:20] = np.where(t[:20] == 1, "yes", "no")
    inner = LogisticRegression(max_iter=200)
    clf = FixedThresholdClassifier(inner, threshold=0.7, pos_label="yes")
    assert MARGIN.query(X, y, clf).shape == (1,)
    with pytest.raises(UsageError, match="pos_label names the class 'maybe'"):
        MARGIN.query(X, y, FixedThresholdClassifier(inner, threshold=0.7, pos_label="maybe"))


@pytest.mark.parametrize(
    "names", [(0, 1, 2), (1, 2, 3), ("a", "b", "c"), (2, 1, 0), (1.0, 2.0, 4.0)]
)
@pytest.mark.parametrize("inside", ["frozen", "pipeline", "as it is"])
def test_classifiers_fitted_before_speak_the_callers_labels(names, inside):
    y = labels(names)
    fitted = LogisticRegression(max_iter=500).fit(IRIS[ROWS], [names[c] for c in TRUTH[ROWS]])
    clf = {
        "frozen": FrozenEstimator(fitted),
        "pipeline": make_pipeline(
            StandardScaler(with_mean=False, with_std=False), FrozenEstimator(fitted)
        ),
        "as it is": fitted,
    }[inside]
    expected = table(
        labels(), LogisticRegression(max_iter=500).fit(IRIS[ROWS], TRUTH[ROWS]), fit_clf=False
    )
    options = {"fit_clf": inside != "as it is"}
    for classes in (None, list(names), list(names)[::-1]):
        rows, utilities = table(y, clf, classes=classes, **options)
        assert rows.tolist() == expected[0].tolist()
        np.testing.assert_allclose(utilities, expected[1], atol=1e-3)


def test_a_frozen_classifier_that_knows_more_than_is_labelled():
    frozen = FrozenEstimator(LogisticRegression(max_iter=500).fit(IRIS, TRUTH))
    y = labels(rows=ROWS[:6])
    utilities = table(y, frozen)[1]
    np.testing.assert_allclose(utilities, table(y, frozen, fit_clf=False)[1], atol=1e-12)


class Strict(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Takes the codes 0 to S - 1 alone, as XGBoost does."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        if not np.array_equal(self.classes_, np.arange(len(self.classes_))):
            raise ValueError(f"expected codes, got {self.classes_}")
        self.inner = LogisticRegression(max_iter=500).fit(X, y)
        return self

    def predict_proba(self, X):
        return self.inner.predict_proba(X)


class Bare(Strict):
    """Never sets classes_."""

    def fit(self, X, y):
        super().fit(X, y)
        del self.classes_
        return self


class Net(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """As skorch: targets are positions in `classes`, one output for each of them."""

    def __init__(self, classes=None, outputs=3):
        self.classes = classes
        self.outputs = outputs

    @property
    def classes_(self):
        return np.arange(self.outputs) if self.classes is None else np.asarray(self.classes)

    def fit(self, X, y):
        assert y.dtype.kind == "i"
        self.inner = LogisticRegression(max_iter=500).fit(X, y)
        return self

    def predict_proba(self, X):
        full = np.zeros((len(X), self.outputs))
        full[:, self.inner.classes_] = self.inner.predict_proba(X)
        return full


@pytest.mark.parametrize("clf", [Strict(), Bare(), Net([0, 1, 2])])
@pytest.mark.parametrize("rows", [[0, 1, 50, 51], [0, 1, 100, 101], [50, 51, 100, 101], ROWS])
def test_classes_that_are_declared_but_not_labelled(clf, rows):
    y = labels(rows=rows)
    expected = table(y, LogisticRegression(max_iter=500), classes=[0, 1, 2])
    picked, utilities = table(y, clf, classes=[0, 1, 2])
    assert picked.tolist() == expected[0].tolist()
    np.testing.assert_allclose(utilities, expected[1], atol=1e-9)


@pytest.mark.parametrize("names", [("a", "b", "c"), (3, 5, 9), ("c", "a", "b")])
def test_nets_list_their_classes(names):
    y = labels(names, rows=[0, 1, 100, 101])
    picked, _ = table(y, Net(list(names)))
    assert (
        picked.tolist()
        == table(labels(rows=[0, 1, 100, 101]), LogisticRegression(max_iter=500))[0].tolist()
    )
    other = ["x", "y", "z"] if isinstance(names[0], str) else [31, 32, 33]
    with pytest.raises(UsageError, match=r"Net lists the classes \[.*\], and .* is not among them"):
        MARGIN.query(IRIS, y, Net(other))
    assert listed_classes(Net(list(names))) == names


def test_a_net_with_outputs_for_classes_nobody_named():
    y = labels(rows=[0, 1, 50, 51])
    rows, _ = table(y, Net())
    assert rows.tolist() == table(y, LogisticRegression(max_iter=500))[0].tolist()


def answers(kind):
    class Odd(Strict):
        def predict_proba(self, X):
            proba = self.inner.predict_proba(X)
            if kind == "logs":
                return np.log(proba)
            if kind == "scores":
                return 3.0 * proba
            if kind == "negative":
                return proba - [[0.5, -0.25, -0.25]]
            if kind == "infinite":
                return np.where(proba > 0.9, np.inf, proba)
            if kind == "zeros":
                return np.zeros_like(proba)
            if kind == "one nan":
                return np.where(np.arange(3) == 1, np.nan, proba)
            if kind == "narrow":
                return proba[:, :2]
            raise RuntimeError("out of memory on device\n  at line 7")

    return Odd()


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("logs", "negative or not finite .logits or log-probabilities"),
        ("scores", "do not sum to 1 .one row is off by 2"),
        ("negative", "negative or not finite"),
        ("infinite", "negative or not finite"),
        ("zeros", "do not sum to 1"),
        ("one nan", "negative or not finite"),
        ("narrow", r"shape \(150, 2\) for 3 classes"),
        ("raises", "Odd gives no probabilities for the rows of X: out of memory on device at"),
    ],
)
@pytest.mark.parametrize("fit", [True, False])
def test_answers_that_are_not_probabilities_are_refused(kind, match, fit):
    clf = answers(kind)
    if not fit:
        clf.fit(IRIS[ROWS], TRUTH[ROWS])
    with pytest.raises(DataError, match=match):
        MARGIN.query(IRIS, labels(), clf, fit_clf=fit)


def test_rows_of_nan_alone_are_still_uniform():
    class Silent(Strict):
        def predict_proba(self, X):
            proba = self.inner.predict_proba(X)
            proba[::2] = np.nan
            return proba

    utilities = table(labels(), Silent())[1]
    assert (utilities[0, 4:50:2] == 0).all()


def test_a_fit_that_fails_says_so_in_one_sentence_and_keeps_the_cause():
    class Broken(Strict):
        def fit(self, X, y):
            raise KeyError("3")

    with pytest.raises(LalError, match="Broken cannot be fitted to the 9 labelled rows: '3'") as e:
        MARGIN.query(IRIS, labels(), Broken())
    assert isinstance(e.value.__cause__, KeyError)
    assert "\n" not in str(e.value)


def test_labels_of_several_outputs_are_refused():
    forest = RandomForestClassifier(3).fit(IRIS, np.column_stack([TRUTH, TRUTH]))
    with pytest.raises(DataError, match="several outputs; multi-label"):
        MARGIN.query(IRIS, labels(), forest, fit_clf=False)


def test_real_boosting_libraries():
    xgboost = pytest.importorskip("xgboost")
    y = labels(("a", "b", "c"), rows=[0, 1, 100, 101])
    clf = xgboost.XGBClassifier(n_estimators=3)
    assert MARGIN.query(IRIS, y, clf, classes=["a", "b", "c"]).shape == (1,)


def test_lightgbm_with_weights_for_classes_not_labelled_yet():
    lightgbm = pytest.importorskip("lightgbm")
    y = labels((1, 3, 7), rows=[0, 1, 2, 100, 101, 102])
    clf = lightgbm.LGBMClassifier(
        n_estimators=3, min_child_samples=1, verbose=-1, class_weight={1: 1, 3: 2, 7: 9}
    )
    assert MARGIN.query(IRIS, y, clf, classes=[1, 3, 7]).shape == (1,)


def test_custom_learners_are_left_alone():
    named = make_named_learner("logistic_regression", ["a", "b"])
    assert getattr(named, "classes") == ["a", "b"]  # noqa: B009
    assert getattr(make_named_learner(named, ["c", "d"]), "classes") == ["c", "d"]  # noqa: B009
