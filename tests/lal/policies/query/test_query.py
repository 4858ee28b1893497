"""policy.query: what it accepts, what it answers, what it refuses."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from lal.errors import DataError, UsageError
from lal.policies.kinds import load_policy
from lal.policies.margin import margin_policy
from lal.policies.query.request import read_seed

X = np.sin(np.outer(np.arange(1, 61), np.arange(1, 5)))
TRUE = (X[:, 0] + X[:, 1] > 0).astype(int)
Y = np.full(60, np.nan)
Y[:10] = TRUE[:10]
CLF = GaussianNB()


def margins(rows=X):
    proba = GaussianNB().fit(X[:10], TRUE[:10]).predict_proba(rows)
    return np.abs(proba[:, 0] - proba[:, 1])


BEST = 10 + np.argsort(margins(X[10:]), kind="stable")


def test_answers_index_x():
    policy = margin_policy()
    np.testing.assert_array_equal(policy.query(X, Y, CLF, batch_size=3), BEST[:3])
    rows = BEST[[7, 4, 9]]
    assert policy.query(X, Y, CLF, candidates=rows).tolist() == [BEST[4]]
    mask = np.zeros(60, dtype=bool)
    mask[rows] = True
    assert policy.query(X, Y, CLF, candidates=mask).tolist() == [BEST[4]]


def test_answers_index_candidates_that_are_samples():
    policy = margin_policy()
    samples = X[BEST[[7, 4, 9]]]
    picked, table = policy.query(X, Y, CLF, candidates=samples, return_utilities=True)
    assert picked.tolist() == [1]
    np.testing.assert_allclose(table, [-margins(samples)])


def test_layout_of_utilities():
    picked, table = margin_policy().query(X, Y, CLF, batch_size=3, return_utilities=True)
    assert table.shape == (3, 60)
    assert np.isnan(table[:, :10]).all()
    np.testing.assert_allclose(table[0, 10:], -margins(X[10:]))
    assert np.isfinite(table[0, picked]).all()
    assert np.isnan(table[1, picked[0]])
    assert np.isnan(table[2, picked[:2]]).all()
    assert np.isfinite(table[2, picked[2]])
    assert np.nanargmax(table[1]) == picked[1]


def test_labelled_candidates_are_taken_at_their_word():
    assert margin_policy().query(X, Y, CLF, candidates=[3]).tolist() == [3]


NAMES = np.array(["no", "yes"], dtype=object)
TEXT = np.array([None if np.isnan(v) else NAMES[int(v)] for v in Y], dtype=object)


@pytest.mark.parametrize(
    ("y", "missing_label"),
    [
        (Y.tolist(), float("nan")),
        (TEXT, float("nan")),
        (TEXT, None),
        (np.where(TEXT == None, np.nan, TEXT), float("nan")),  # noqa: E711  (elementwise)
        (np.where(np.isnan(Y), -1, Y).astype(int), -1),
        (np.array(["?" if v is None else v for v in TEXT]), "?"),
        (pd.Series(TEXT), float("nan")),
        (pd.Series(TEXT, dtype="string"), float("nan")),
        (pd.Series(TEXT, dtype="category"), float("nan")),
        (pd.Series(np.where(np.isnan(Y), 0, Y)).astype("Int64").mask(np.isnan(Y)), float("nan")),
    ],
)
def test_labels_of_all_kinds(y, missing_label):
    policy = load_policy("margin", missing_label=missing_label)
    np.testing.assert_array_equal(policy.query(X, y, CLF, batch_size=4), BEST[:4])


@pytest.mark.parametrize("kind", ["list", "frame", "frame with text", "sparse", "float32"])
def test_samples_of_all_kinds(kind, policy):
    clf = LogisticRegression()
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(100, 160))
    rows = {
        "list": X.tolist(),
        "frame": frame,
        "frame with text": frame.assign(a=np.where(X[:, 0] > 0, "up", "down")),
        "sparse": sparse.coo_matrix(np.where(X > 0, X, 0.0)),
        "float32": X.astype(np.float32),
    }[kind]
    if kind == "frame with text":
        clf = None
        proba = GaussianNB().fit(X[:10], TRUE[:10]).predict_proba(X)
        assert 10 <= policy.query(rows, Y, proba=proba)[0] < 60
        return
    picked = policy.query(rows, Y, clf, batch_size=3)
    assert picked.dtype == np.int64
    assert (picked >= 10).all()
    if kind == "frame":
        np.testing.assert_array_equal(picked, policy.query(X, Y, clf, batch_size=3))
        few = policy.query(rows, Y, clf, candidates=frame.iloc[20:30])
        assert 0 <= few[0] < 10
    if kind == "sparse":
        assert 0 <= policy.query(rows, Y, clf, candidates=rows.tocsr()[20:30])[0] < 10


def test_texts_through_probabilities():
    texts = [f"word{i % 7} word{i % 5} word{i % 3}" for i in range(60)]
    rows = TfidfVectorizer().fit_transform(texts)
    proba = np.column_stack([np.linspace(0, 1, 60), np.linspace(1, 0, 60)])
    y = np.full(60, None, dtype=object)
    y[[0, 59]] = ["spam", "ham"]
    assert margin_policy().query(rows, y, proba=proba)[0] in (29, 30)


def test_probabilities_need_names_when_y_does_not_show_them():
    proba = np.full((60, 3), 1 / 3)
    assert margin_policy().query(X, Y, proba=proba)[0] >= 10  # y holds the codes 0 and 1
    with pytest.raises(UsageError, match="3 columns and y shows the classes \\['no', 'yes'\\]"):
        margin_policy().query(X, TEXT, proba=proba)
    assert margin_policy().query(X, TEXT, proba=proba, classes=["no", "yes", "?"])[0] >= 10


@pytest.mark.parametrize("labels", [0, 1, 3])
@pytest.mark.parametrize("clf", [CLF, None])
def test_cold_start(labels, clf, policy):
    y = np.full(60, np.nan)
    y[:labels] = 1
    for one in (policy, margin_policy()):
        assert labels <= one.query(X, y, clf)[0] < 60
        assert len(one.query(X, y, clf, batch_size=60 - labels)) == 60 - labels


def test_ties_break_by_the_seed_not_by_row_order():
    y = np.full(60, np.nan)
    picks = {int(margin_policy().query(X, y, random_state=s)[0]) for s in range(20)}
    assert len(picks) > 10
    again = [int(margin_policy().query(X, y, random_state=4)[0]) for _ in range(2)]
    assert again[0] == again[1]


def test_a_fitted_classifier_is_used_as_it_is():
    fitted = GaussianNB().fit(X, TRUE)
    means = fitted.theta_.copy()
    proba = fitted.predict_proba(X[10:])
    picked = margin_policy().query(X, Y, fitted, fit_clf=False)
    assert picked[0] == 10 + np.argmin(np.abs(proba[:, 0] - proba[:, 1]))
    np.testing.assert_array_equal(fitted.theta_, means)
    wider = KNeighborsClassifier().fit(X, np.arange(60) % 4)  # knows classes that y does not show
    assert 10 <= margin_policy().query(X, Y, wider, fit_clf=False)[0] < 60


def test_the_classifier_passed_is_left_alone():
    clf = GaussianNB()
    margin_policy().query(X, Y, clf)
    assert not hasattr(clf, "classes_")


def test_decision_functions_and_weights():
    assert margin_policy().query(X, Y, LinearSVC())[0] >= 10
    weights = np.where(np.arange(60) < 5, 100.0, 0.1)
    _, plain = margin_policy().query(X, Y, CLF, return_utilities=True)
    _, heavy = margin_policy().query(X, Y, CLF, sample_weight=weights, return_utilities=True)
    assert np.nanmax(np.abs(plain - heavy)) > 0.01


@pytest.mark.parametrize("selection", ["top", "gumbel", "greedy_diverse"])
def test_batches(selection, make_policy):
    policy = make_policy(selection=selection)
    picked, table = policy.query(X, Y, CLF, batch_size=12, return_utilities=True)
    assert len(set(picked.tolist())) == 12
    assert picked.min() >= 10
    assert policy.query(X, Y, CLF)[0] == make_policy().query(X, Y, CLF)[0]
    if selection != "gumbel":
        assert picked[0] == np.nanargmax(table[0])
    else:
        other = policy.query(X, Y, CLF, batch_size=12, random_state=5)
        assert other.tolist() != picked.tolist()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"y": Y[:-1]}, DataError, "X has 60 rows but y has 59 labels"),
        ({"y": np.column_stack([Y, Y])}, DataError, "one label a row"),
        ({"y": X[:, 0]}, DataError, 'is not a class label; pass task="regression" to query'),
        ({"y": np.array(["a", np.nan] * 30)}, DataError, "became the text 'nan'"),
        ({"y": np.array(["a", 1, None] * 20, dtype=object)}, DataError, "different types"),
        ({"X": X[:, 0]}, DataError, "X must have rows and columns"),
        ({"X": X[:0], "y": Y[:0]}, DataError, "the pool is empty"),
        ({"clf": None}, UsageError, "give clf= or proba="),
        ({"clf": LinearRegression()}, UsageError, "is a regressor"),
        ({"fit_clf": False}, UsageError, "is not fitted"),
        ({"proba": np.ones((60, 2)) / 2}, UsageError, "either clf or proba="),
        ({"clf": None, "proba": np.ones((60, 2))}, DataError, "must sum to 1"),
        ({"clf": None, "proba": np.ones((6, 2)) / 2}, DataError, "must have shape \\(60, 2\\)"),
        ({"clf": None, "proba": np.full((60, 2), np.nan)}, DataError, "must be finite"),
        ({"clf": None, "proba": np.ones(60)}, DataError, "must have shape \\(N, C\\)"),
        ({"classes": [1, 2]}, DataError, "which is not among the classes \\[1, 2\\]"),
        ({"classes": [0, 1, 1]}, DataError, "different names"),
        ({"budget": 0}, UsageError, "budget must be at least 1"),
        ({"candidates": [60]}, UsageError, "row numbers from 0 to 59"),
        ({"candidates": [20, 20]}, UsageError, "holds a row twice"),
        ({"candidates": ["a"]}, UsageError, "candidates must be row numbers"),
        ({"candidates": []}, UsageError, "nothing is left to ask"),
        ({"candidates": X[:5, :3]}, DataError, "candidates have 3 columns, X has 4"),
        ({"y": TRUE}, UsageError, "nothing is left to ask"),
        ({"batch_size": 51}, UsageError, "batch_size must be 1 to 50"),
        ({"batch_size": 0}, UsageError, "batch_size must be 1 to 50"),
        ({"sample_weight": np.ones(10)}, DataError, "sample_weight must have shape \\(60,\\)"),
        ({"random_state": "seven"}, UsageError, "random_state must be an integer"),
    ],
)
def test_bad_input_is_refused(arguments, error, message):
    given = {"X": X, "y": Y, "clf": CLF} | arguments
    rows, y, clf = (given.pop(name) for name in ("X", "y", "clf"))
    with pytest.raises(error, match=message):
        margin_policy().query(rows, y, clf, **given)


def test_samples_and_given_probabilities_do_not_mix():
    with pytest.raises(UsageError, match="row numbers of X, not samples"):
        margin_policy().query(X, Y, proba=np.ones((60, 2)) / 2, candidates=X[:4])


def test_seeds():
    assert read_seed(7) == 7
    assert read_seed(np.random.default_rng(1)) == read_seed(np.random.default_rng(1))
    assert read_seed(np.random.RandomState(1)) == read_seed(np.random.RandomState(1))
    assert read_seed(None) != read_seed(None)
