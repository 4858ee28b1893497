"""Any learner: wrappers, torch, boosting, in-context, texts, frames; 0 labels to 26 classes."""

import warnings
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import lal
from lal.policies.margin import margin_policy

N = 120


class InContext(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The contract of a model such as TabPFN: fit stores the context, prediction reads it."""

    def fit(self, X, y):
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.context_ = np.asarray(X, dtype=np.float32), codes
        return self

    def predict_proba(self, X):
        rows, codes = self.context_
        squares = ((np.asarray(X, dtype=np.float32)[:, None] - rows[None]) ** 2).sum(axis=2)
        weight = np.exp(-squares) + 1e-6
        votes = weight @ np.eye(len(self.classes_), dtype=np.float32)[codes]
        return votes / votes.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def torch_module() -> Any:
    skorch = pytest.importorskip("skorch", reason="skorch is not installed")
    torch: Any = pytest.importorskip("torch", reason="torch is not installed")

    class Net(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 3)

        def forward(self, X):
            return torch.softmax(self.layer(X.float()), dim=-1)

    torch.manual_seed(0)
    return skorch.NeuralNetClassifier(
        Net, max_epochs=3, train_split=None, verbose=0, classes=[0, 1, 2]
    )


def xgboost() -> Any:
    module = pytest.importorskip("xgboost", reason="xgboost is not installed")
    return module.XGBClassifier(n_estimators=5, n_jobs=1)


def lightgbm() -> Any:
    module = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    return module.LGBMClassifier(n_estimators=5, min_child_samples=1, n_jobs=1, verbose=-1)


logistic = LogisticRegression(max_iter=500)
LEARNERS: dict[str, Any] = {
    "pipeline": lambda: make_pipeline(StandardScaler(), logistic),
    "calibrated": lambda: CalibratedClassifierCV(LinearSVC(), cv=2),
    "search": lambda: GridSearchCV(logistic, {"C": [0.1, 1.0]}, cv=2),
    "own folds": lambda: LogisticRegressionCV(
        Cs=2, cv=2, max_iter=500, use_legacy_attributes=False, scoring="accuracy", l1_ratios=(0,)
    ),
    "one against rest": lambda: OneVsRestClassifier(logistic),
    "stacked": lambda: StackingClassifier([("a", GaussianNB())], logistic, cv=2),
    "network": lambda: MLPClassifier((8,), max_iter=40),
    "decision values": LinearSVC,
    "decision values, ridge": RidgeClassifier,
    "in context": InContext,
    "torch": torch_module,
    "xgboost": xgboost,
    "lightgbm": lightgbm,
}


def pool(n_classes: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n_classes)
    truth = np.arange(N) % n_classes
    X = rng.normal(size=(N, 4)).astype(np.float32)
    X += 2.0 * rng.normal(size=(n_classes, 4)).astype(np.float32)[truth]
    y = np.full(N, np.nan)
    y[:24] = truth[:24]
    return X, truth, y


@pytest.mark.parametrize("name", LEARNERS)
def test_queries_with_any_learner(name, policy):
    """Six queries through a policy that reads every feature; the estimator is left alone."""
    clf = LEARNERS[name]()
    X, truth, y = pool()
    before = repr(clf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a network of 40 epochs has not converged
        for _ in range(6):
            row = int(policy.query(X, y, clf)[0])
            assert np.isnan(y[row])
            y[row] = truth[row]
        fitted = clf.fit(X[:24], truth[:24])
        given = policy.query(X, y, fitted, fit_clf=False)
    assert np.isnan(y[given[0]])
    assert repr(LEARNERS[name]()) == before


@pytest.mark.parametrize("n_classes", [2, 7, 26])
def test_2_to_26_classes_by_name(n_classes, policy):
    X, truth, _ = pool(n_classes)
    names = np.array([f"class {chr(97 + c)}" for c in range(n_classes)], dtype=object)
    y = np.full(N, None, dtype=object)
    y[:60] = names[truth[:60]]
    picked = policy.query(X, y, GaussianNB(), batch_size=5)
    assert (picked >= 60).all()
    declared = policy.query(X, y, GaussianNB(), classes=sorted(names))
    assert declared[0] >= 60


def test_decision_values_keep_their_order():
    """LinearSVC has no probabilities: margin asks for the smallest decision value."""
    X, truth, y = pool(2)
    y[24:] = np.nan
    clf = LinearSVC(random_state=0)
    picked = margin_policy().query(X, y, clf)
    values = np.abs(clf.fit(X[:24], truth[:24]).decision_function(X))
    assert picked[0] == 24 + np.argmin(values[24:])


def test_one_class_then_two(policy):
    X, truth, _ = pool(2)
    y = np.full(N, np.nan)
    for row in (0, 2, 4, 1):
        assert np.isnan(y[policy.query(X, y, logistic)[0]])
        y[row] = truth[row]


def test_a_learner_that_needs_more_labels_says_so(policy):
    """A calibrated classifier needs each class twice; its own sentence gets through."""
    X, truth, _ = pool(2)
    y = np.full(N, np.nan)
    y[:2] = truth[:2]
    with pytest.raises(ValueError, match=r"less than 2 examples|number of members|n_splits"):
        policy.query(X, y, CalibratedClassifierCV(LinearSVC(), cv=2))


def test_texts_as_sparse_counts(policy):
    words = ["red green", "green blue", "blue red", "grey", "red red grey", "blue blue"]
    texts = [f"{words[i % 6]} {words[(i * 7) % 6]} item{i % 11}" for i in range(N)]
    X = TfidfVectorizer().fit_transform(texts)
    assert sparse.issparse(X)
    y = np.full(N, None, dtype=object)
    y[:10] = ["yes" if "red" in t else "no" for t in texts[:10]]
    rows = policy.query(X, y, logistic, batch_size=3)
    assert (rows >= 10).all()
    clf = logistic.fit(X[:10], y[:10].astype(str))
    by_proba = policy.query(X, y, proba=clf.predict_proba(X), classes=["no", "yes"])
    assert by_proba[0] >= 10


def frame(kind: str, X: np.ndarray) -> Any:
    columns = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "d": X[:, 3]}
    if kind == "polars":
        polars = pytest.importorskip("polars", reason="polars is not installed")
        return polars.DataFrame(columns)
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    return pandas.DataFrame(columns, index=np.arange(len(X))[::-1] + 1000)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames_are_answered_in_row_positions(kind, policy):
    X, _, y = pool()
    expected = policy.query(X.astype(np.float64), y, GaussianNB(), batch_size=4)
    found = policy.query(frame(kind, X.astype(np.float64)), y, GaussianNB(), batch_size=4)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", lal.list_policies("pool"))
def test_shipped_policies_do_not_mind_order_names_or_units(name, symmetric_state):
    """Classes renamed, rows permuted, columns rescaled and shifted: the same row is asked for."""
    policy = lal.load_policy(name)
    if not policy.class_symmetric:
        pytest.skip(f"{name} declares that it depends on class names")
    clf = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, tol=1e-10))
    X, y = symmetric_state
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picked = int(policy.query(X, y, clf)[0])
        swapped = np.where(np.isnan(y), np.nan, 2.0 - y)
        assert int(policy.query(X, swapped, clf)[0]) == picked
        order = np.random.default_rng(3).permutation(len(X))
        assert order[int(policy.query(X[order], y[order], clf)[0])] == picked
        units = X * np.array([1000.0, 0.01, 7.0, 1.0]) + np.array([5.0, -3.0, 0.0, 100.0])
        assert int(policy.query(units, y, clf)[0]) == picked


@pytest.fixture(params=[0, 1, 2])
def symmetric_state(request) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(request.param)
    truth = rng.integers(3, size=200)
    X = rng.normal(size=(200, 4)) + rng.normal(size=(3, 4))[truth]
    y = np.full(200, np.nan)
    y[:15] = truth[:15]
    return X, y
