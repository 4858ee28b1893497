"""What a request to `query` becomes: states, classes of columns, weights, seeds, answers."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB

from lal.errors import DataError, UsageError
from lal.policies.query.request import Options, answer, read_request, read_seed
from lal.strategies.selection import Picks

NAN = float("nan")
masked: Any = np.ma.array


X = np.array([[0.0], [1.0], [2.0], [3.0]])
Y = [0, 1, None, None]


def state(y: Any = Y, clf: Any = None, **options: Any) -> Any:
    return read_request(X, y, clf, Options(**options)).state


def test_columns_of_a_frame_go_by_name() -> None:
    proba = pd.DataFrame({"b": [0.1, 0.2, 0.3, 0.4], "a": [0.9, 0.8, 0.7, 0.6]})
    y = ["a", None, None, None]
    found = state(y, proba=proba)
    assert found.n_classes == 2
    np.testing.assert_allclose(found.proba, proba[["b", "a"]])
    np.testing.assert_allclose(state(y, proba=proba, classes=["a", "b"]).proba, proba[["a", "b"]])
    assert state(y, proba=proba).labels.tolist() == [1]
    assert state(y, proba=proba, classes=["a", "b"]).labels.tolist() == [0]
    with pytest.raises(DataError, match=r"columns \['b', 'a'\], and classes= names \['a', 'c'\]"):
        state(y, proba=proba, classes=["a", "c"])
    with pytest.raises(DataError, match="and classes= names"):
        state(y, proba=proba, classes=["a", "b", "c"])
    numbered = pd.DataFrame(proba.to_numpy())
    np.testing.assert_allclose(state(y, proba=numbered, classes=["b", "a"]).proba, proba)
    assert state(proba=numbered).n_classes == 2  # codes 0 and 1
    assert state(["no", "yes", None, None], proba=numbered).labels.tolist() == [0, 1]


def test_columns_of_an_array_are_what_y_shows_or_codes() -> None:
    two, three = np.full((4, 2), 0.5), np.full((4, 3), 1 / 3)
    assert state(proba=two).labels.tolist() == [0, 1]
    assert state(["no", "yes", None, None], proba=two).labels.tolist() == [0, 1]
    assert state([2, 1, None, None], proba=three).labels.tolist() == [2, 1]
    with pytest.raises(UsageError, match=r"3 columns and y shows the classes \[1, 3\]; name the"):
        state([3, 1, None, None], proba=three)
    with pytest.raises(UsageError, match=r"2 columns and y shows the classes \[0, 1, 2\]"):
        state([0, 1, 2, None], proba=two)
    for bad in ("text", np.array([["a"]]), np.array([[1j]]), [[0.5], [0.5, 0.5]]):
        with pytest.raises(DataError, match=r"must be a table of numbers of shape \(N, C\)"):
            state(proba=bad)
    with pytest.raises(DataError, match="proba has masked cells"):
        state(proba=masked(two, mask=[[1, 0]] + [[0, 0]] * 3))


def test_what_a_state_says_of_the_request() -> None:
    found = state(budget=3, classes=[0, 1, 2], proba=np.full((4, 3), 1 / 3))
    assert (found.budget, found.n_classes, found.classes_known) == (3, 3, True)
    assert (found.learner, found.model, found.sample_weight) == (None, None, None)
    plain = state(clf=GaussianNB())
    assert (plain.budget, plain.n_classes, plain.classes_known) == (None, 2, False)
    assert plain.learner is not None
    assert state(clf=GaussianNB().fit(X, [0, 1, 0, 1]), fit_clf=False).learner is None
    weights = state(clf=GaussianNB(), sample_weight=[1, 2, NAN, -3]).sample_weight
    assert weights.tolist() == [1.0, 2.0]  # of labelled rows alone
    rows = read_request(X, Y, GaussianNB(), Options(candidates=[[5.0]]))
    assert (rows.rows.tolist(), rows.offset, rows.width) == ([4], 4, 1)
    assert rows.state.N == 5
    inside = read_request(X, Y, GaussianNB(), Options(candidates=[3]))
    assert (inside.rows.tolist(), inside.offset, inside.width, inside.state.N) == ([3], 0, 4, 4)


def test_what_a_state_of_numbers_says() -> None:
    request = read_request(
        X, [0.0, 2.0, None, None], LinearRegression(),
        Options(task="regression", budget=4, candidates=[[5.0], [6.0]], sample_weight=[1, 2, 0, 0]),
    )  # fmt: skip
    found: Any = request.state
    assert (request.rows.tolist(), request.offset, request.width) == ([4, 5], 4, 2)
    assert (found.N, found.n_classes, found.budget, found.proba) == (6, 0, 4, None)
    assert not found.classes_known
    np.testing.assert_allclose(found.prediction, [0, 2, 4, 6, 10, 12])
    assert found.sample_weight.tolist() == [1, 2]
    for wrong in ({"proba": np.ones((4, 1))}, {"classes": [0]}):
        with pytest.raises(UsageError, match="proba= and classes= are for classification; with"):
            read_request(X, [None] * 4, None, Options(task="regression", **wrong))
    assert read_request(X, [None] * 4, None, Options(task="regression")).state.prediction is None


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (["a"] * 4, "sample_weight must be numbers, one a row"),
        ([1.0] * 3, r"sample_weight must have shape \(4,\), got \(3,\)"),
        ([1.0, -1.0, 0, 0], "sample_weight must be 0 or more where y has a label, got -1.0"),
        ([1.0, NAN, 0, 0], "sample_weight must be 0 or more where y has a label, got nan"),
    ],
)
def test_weights_that_are_none(weights: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        state(clf=GaussianNB(), sample_weight=weights)


def test_a_class_in_place_of_a_classifier_is_named() -> None:
    with pytest.raises(UsageError, match=r"clf is the class GaussianNB; pass an instance, Gauss"):
        state(clf=GaussianNB)
    with pytest.raises(UsageError, match="y shows 2 classes but no model; give clf= or proba="):
        state()
    with pytest.raises(UsageError, match="give either clf or proba=, not both"):
        state(clf=GaussianNB(), proba=np.full((4, 2), 0.5))


def test_seeds_come_from_what_callers_hold() -> None:
    def drawn(seed: int) -> int:
        return int(np.random.default_rng(seed).integers(2**31))

    assert read_seed(0) == 0
    assert read_seed(np.int64(5)) == 5
    assert read_seed(np.random.default_rng(4)) == drawn(4)
    legacy = np.random.RandomState(4)
    assert read_seed(np.random.RandomState(4)) == int(legacy.randint(2**31 - 1))
    for bad, said in ((-1, "-1"), ("7", "'7'"), (1.0, "'float'")):
        with pytest.raises(UsageError, match=f"integer from 0, a generator or None, got {said}"):
            read_seed(bad)


def test_seeds_without_a_state_are_fresh_and_in_the_range_of_integers() -> None:
    fresh = [read_seed(None) for _ in range(20)]
    assert len(set(fresh)) == 20
    assert all(0 <= seed < 2**31 for seed in fresh)
    assert max(fresh) > 2**27


def test_answers_are_in_the_callers_numbers() -> None:
    request = read_request(X, Y, GaussianNB(), Options(candidates=[[5.0], [6.0]]))
    utilities = [np.arange(6.0), np.arange(6.0) * 10]
    index, table = answer(request, Picks(np.array([5, 4]), utilities), np.array([4, 5]))
    assert index.tolist() == [1, 0]
    np.testing.assert_array_equal(table, [[4, 5], [40, NAN]])
