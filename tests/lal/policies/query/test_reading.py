"""What `query` reads, value by value: labels, numbers, candidates, probabilities, weights."""

from typing import Any

import numpy as np
import pandas as pd
import polars
import pytest
from scipy import sparse
from sklearn.linear_model import LinearRegression

from lal.errors import DataError, UsageError
from lal.learners.probabilities import TOLERANCE
from lal.policies.query import probabilities
from lal.policies.query.labels import find_missing, label_column, read_labels
from lal.policies.query.probabilities import checked_proba
from lal.policies.query.regression import fitted_regressor, read_numbers
from lal.policies.query.samples import check_index, read_candidates, refuse_masked, samples

NAN = float("nan")
masked: Any = np.ma.array


def read(y: Any, **options: Any) -> tuple[list[int], list[int], tuple[Any, ...], bool]:
    found = read_labels(y, len(y), **{"missing_label": NAN, **options})
    return found.rows.tolist(), found.codes.tolist(), found.classes, found.known


@pytest.mark.parametrize(
    ("y", "options", "expected"),
    [
        ([1.0, NAN, 0.0, 1.0], {}, ([0, 2, 3], [1, 0, 1], (0.0, 1.0), False)),
        ([None, "b", "a", None], {}, ([1, 2], [1, 0], ("a", "b"), False)),
        ([None, "b"], {"classes": ["b", "a"]}, ([1], [0], ("b", "a"), True)),
        ([None, 2], {"hinted": [7, 1]}, ([1], [1], (1, 2, 7), False)),
        ([NAN, NAN], {}, ([], [], (), False)),
        ([-1, 1, -1], {"missing_label": -1}, ([1], [0], (1,), False)),
        ([-1, 1, 1], {}, ([0, 1, 2], [0, 1, 1], (-1, 1), False)),  # two classes may be -1 and 1
        ([0, 255, 0], {}, ([0, 1, 2], [0, 1, 0], (0, 255), False)),
        (["", None, "x"], {}, ([0, 2], [0, 1], ("", "x"), False)),  # None is the mark here
        ([True, False, None], {}, ([0, 1], [1, 0], (False, True), False)),
        (np.array([0, 1, 2, -1]), {"classes": [-1, 0, 1, 2]},
         ([0, 1, 2, 3], [1, 2, 3, 0], (-1, 0, 1, 2), True)),
        (pd.Series([1, None, 0], dtype="Int64"), {}, ([0, 2], [1, 0], (0, 1), False)),
        (masked([3, 9, 5], mask=[0, 1, 0]), {}, ([0, 2], [0, 1], (3, 5), False)),
        (masked([3.0, NAN, 5.0], mask=[1, 0, 0]), {}, ([2], [0], (5.0,), False)),
        (masked(["a", 9], mask=[0, 1], dtype=object), {}, ([0], [0], ("a",), False)),
    ],
)  # fmt: skip
def test_labels_and_their_codes(y: Any, options: dict[str, Any], expected: Any) -> None:
    found = read(y, **options)
    assert found == expected
    assert read_labels(y, len(y), **{"missing_label": NAN, **options}).n_seen == len(
        set(expected[1])
    )


ALL_LABELLED = "every row of y has a label, and one of the labels is "


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1, -1], ALL_LABELLED + "-1"),
        ([0, 1, 2, -9], ALL_LABELLED + "-9"),  # the only negative number
        ([0.0, 1.0, -1.0], ALL_LABELLED + "-1"),
        (np.array([0, 1, 255], dtype=np.uint8), ALL_LABELLED + "255"),
        (np.array([0, 1, 127], dtype=np.int8), ALL_LABELLED + "127"),
        (np.array([0, 1, -128], dtype=np.int8), ALL_LABELLED + "-128"),
        ([0, 1, 2**31 - 1], ALL_LABELLED + "2147483647"),
        ([0, 1, -(2**63)], ALL_LABELLED + "-9223372036854775808"),
        (["a", "b", " NaN "], ALL_LABELLED + "' NaN '"),
        (["a", "?"], ALL_LABELLED + "'\\?'"),
        (["a", "Unlabeled"], "or name the classes in classes= if it is one"),
        ([0.5, NAN], 'y holds 0.5, which is not a class label; pass task="regression" to query'),
        ([float("inf"), 1.0], "y holds inf, which is not a class label; set missing_label in"),
        ([[0], [1]], r"got shape \(2, 1\); multi-label"),
        ([[0, 1], [1]], "y must have one label a row, got rows of labels"),
        (np.array([{0}, {1}]), "y holds several labels a row"),
        (sparse.csr_matrix([[0, 1]]), "y is a sparse matrix, expected one label a row"),
        (np.array([True, 2], dtype=object), "y mixes True or False with labels of other types"),
        (np.array(["a", 2, None], dtype=object), "expected all numbers or all text"),
        (polars.LazyFrame({"y": [0]}), r"y is a LazyFrame, whose rows are not computed yet; pass "
         r"y\.collect\(\)"),
    ],
)  # fmt: skip
def test_labels_that_are_none(y: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_labels(y, len(y) if isinstance(y, list | np.ndarray) else 2, missing_label=NAN)


@pytest.mark.parametrize("y", [[0, 1, -2, -3], [0, 3, 7], ["a", "b", "c"], np.array([0, 1, 200])])
def test_labels_that_only_look_odd(y: Any) -> None:
    assert read(y)[0] == list(range(len(y)))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("ab", "classes must be a list of all class names, got 'ab'; .* pass range"),
        (3, "classes must be a list of all class names, got 3"),
        ([], r"classes must be different names, got \[\]"),
        (["a", "a"], r"classes must be different names, got \['a', 'a'\]"),
        ([["a"]], "classes must be a flat list of names"),
        (["b"], r"y holds the label 'a', which is not among the classes \['b'\]; name every"),
    ],
)
def test_classes_that_are_none(classes: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_labels(["a", None], 2, missing_label=NAN, classes=classes)


def test_names_of_arrays_are_plain_values() -> None:
    found = read_labels([None, 1], 2, missing_label=NAN, classes=[np.int64(0), np.int64(1)])
    assert [type(name) for name in found.classes] == [int, int]
    assert read_labels([None, 1], 2, missing_label=NAN, classes=range(3)).classes == (0, 1, 2)


def test_what_is_missing() -> None:
    def missing(values: Any, mark: Any = NAN) -> list[bool]:
        column = np.asarray(values)
        found: list[bool] = find_missing(values, column, mark).tolist()
        return found

    assert missing([1.0, NAN]) == [False, True]
    assert missing([1.0, NAN], 1) == [True, True]
    assert missing(np.array([pd.NA, None, NAN, "x"], dtype=object)) == [True, True, True, False]
    assert missing(np.array(["2020-01-01", "NaT"], dtype="M8[D]")) == [False, True]
    assert missing(np.array(["a", "?"]), "?") == [False, True]
    assert missing(np.array(["a", "b"]), None) == [False, False]
    assert missing(np.array(["a", "nan"]), "nan") == [False, True]
    with pytest.raises(DataError, match="text in which nan became the text 'nan'"):
        missing(np.array(["a", "nan"]))


def test_columns_have_the_length_of_the_pool() -> None:
    assert label_column([1, 2], 2).tolist() == [1, 2]
    with pytest.raises(DataError, match="X has 3 rows but y has 2 labels; expected as many"):
        label_column([1, 2], 3)


def test_numbers_of_a_regression() -> None:
    rows, numbers = read_numbers([1, None, 2.5, NAN], 4, NAN)
    assert (rows.tolist(), numbers.tolist()) == ([0, 2], [1.0, 2.5])
    assert numbers.dtype == np.float64
    assert read_numbers([-1, 3], 2, -1)[0].tolist() == [1]
    for y, said in (
        (["a", None], "'a'"),
        (np.array(["1", "2"]), "'1'"),
        ([1.0, float("inf")], "inf"),
        (np.array([1 + 2j, 0]), r"\(1\+2j\)"),
        (np.array(["2020-01-01", "2020-01-02"], dtype="M8[D]"), "2020-01-01"),
        (np.array([1, "x"], dtype=object), "1|'x'"),
    ):
        with pytest.raises(DataError, match=f"y holds .*{said}.*, which is not a finite number"):
            read_numbers(y, 2, NAN)


def test_regressors_are_fitted_used_or_asked_for() -> None:
    X = np.arange(6.0)[:, None]
    some = (np.array([0, 5]), np.array([1.0, 11.0]))
    none = (np.array([], dtype=np.int64), np.array([]))
    model, learner = fitted_regressor(X, some, LinearRegression(), 0)
    assert model is not None
    assert learner is not None
    np.testing.assert_allclose(model.predict(X), 1 + 2 * X[:, 0], atol=1e-12)
    assert fitted_regressor(X, none, None, 0) == (None, None)
    model, learner = fitted_regressor(X, none, LinearRegression(), 0)
    assert model is None
    assert learner is not None
    with pytest.raises(UsageError, match="y shows 2 numbers but no model; give a regressor in clf"):
        fitted_regressor(X, some, None, 0)
    fitted = LinearRegression().fit(X, -X[:, 0])
    model, learner = fitted_regressor(X, some, fitted, 0, fit=False)
    assert model is not None
    assert learner is None
    np.testing.assert_allclose(model.predict(X), -X[:, 0], atol=1e-12)
    heavy, _ = fitted_regressor(
        X, (np.arange(3), np.array([0.0, 0, 3])), LinearRegression(), 0,
        sample_weight=np.array([1.0, 1, 0]),
    )  # fmt: skip
    assert heavy is not None
    np.testing.assert_allclose(heavy.predict(X), 0, atol=1e-12)


LABELLED = np.array([0, 3])


@pytest.mark.parametrize(
    ("candidates", "rows"),
    [
        (None, [1, 2, 4]),
        ([4, 1], [4, 1]),
        ([4.0, 1.0], [4, 1]),
        ([0], [0]),
        ([], []),
        (np.array([], dtype=bool), []),
        ([True, False, False, False, True], [0, 4]),
        (np.array([2], dtype=np.uint8), [2]),
        (pd.Series([2, 4]), [2, 4]),
    ],
)
def test_candidates_are_rows(candidates: Any, rows: list[int]) -> None:
    if isinstance(candidates, np.ndarray) and candidates.dtype == bool:
        with pytest.raises(UsageError, match="candidates must be row numbers"):
            read_candidates(np.array([True]), LABELLED, 5)
        return
    found, more = read_candidates(candidates, LABELLED, 5)
    assert found.tolist() == rows
    assert found.dtype == np.int64
    assert more is None


def test_candidates_may_be_samples() -> None:
    with pytest.raises(DataError, match=r"^candidates holds complex128, expected numbers"):
        read_candidates(np.array([[1j]]), LABELLED, 5)
    found, more = read_candidates([[1.0, 2.0]], LABELLED, 5)
    assert found.tolist() == []
    np.testing.assert_array_equal(more, [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ([5], "candidates must be row numbers from 0 to 4"),
        ([-1], "candidates must be row numbers from 0 to 4"),
        ([1, 1], "candidates holds a row twice; expected different rows"),
        ([1.5], r"candidates must be row numbers \(n,\) or samples \(n, D\)"),
        (["a"], "candidates must be row numbers"),
        ([True, False], "candidates must be row numbers"),
        (np.zeros((2, 2, 2)), "candidates must be row numbers"),
        (np.array(3), "candidates must be row numbers"),
    ],
)
def test_candidates_that_are_none(candidates: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_candidates(candidates, LABELLED, 5)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([1.0, 2.0], r"X must have rows and columns, got shape \(2,\); pass numbers that describe"),
        ([[1.0], [1.0, 2.0]], "X has rows of different lengths; expected a table"),
        (np.array([[1j]]), "X holds complex128, expected numbers or texts; convert it first"),
        (np.array([["2020-01-01"]], dtype="M8[D]"), r"X holds datetime64\[D\], expected"),
        (
            masked([[1.0, 2.0]], mask=[[0, 1]]),
            r"X has masked cells; expected numbers, or pass",
        ),
    ],
)
def test_samples_that_are_none(X: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        samples(X, "X")


def test_samples_of_several_kinds() -> None:
    assert sparse.issparse(samples(sparse.coo_matrix([[1.0, 0.0]]), "X"))
    assert samples(sparse.coo_matrix([[1.0, 0.0]]), "X").format == "csr"
    assert samples([[1, 2]], "X").shape == (1, 2)
    frame = pd.DataFrame({"a": [1], "b": ["x"]})
    assert samples(frame, "X") is frame
    refuse_masked(masked([1.0], mask=[0]), "X", "way")  # nothing is masked


def test_names_of_rows_are_compared() -> None:
    X = pd.DataFrame({"a": [1, 2, 3]}, index=["p", "q", "r"])
    y = pd.Series([0, 1, 1], index=["r", "q", "p"])
    with pytest.raises(DataError, match=r"y has the index of X in another order; pass y\.loc\[X\."):
        check_index(X, y, "y")
    check_index(X, y.loc[X.index], "y")
    check_index(X, y.reset_index(drop=True), "y")  # other names: by position
    check_index(X, y.iloc[:2], "y")  # another length is refused where it is read
    check_index(X.to_numpy(), y, "y")
    twice = pd.Series([0, 1, 1], index=["p", "p", "q"])
    check_index(pd.DataFrame({"a": [1, 2, 3]}, index=["p", "q", "p"]), twice, "y")
    with pytest.raises(DataError, match="candidates is an index of names, expected row numbers"):
        check_index(X, X.index[:2], "candidates")
    plain = pd.DataFrame({"a": [1, 2]})
    check_index(plain, plain.index[:1], "candidates")


def test_probabilities_are_checked_to_a_tolerance() -> None:
    table = np.array([[0.25, 0.75], [1.0, 0.0]])
    np.testing.assert_array_equal(checked_proba(table.tolist(), 2, 2), table)
    first = np.array([[TOLERANCE, 0.0], [0.0, 0.0]])
    checked_proba(table + 0.9 * first, 2, 2)
    checked_proba(table - 0.9 * first, 2, 2)
    for off in (1.1, -1.1):
        with pytest.raises(DataError, match="sum to 1 in every row; one row is off by"):
            checked_proba(table + off * first, 2, 2)
    for bad in (np.nan, np.inf, -np.inf, -1e-9):
        with pytest.raises(DataError, match="must be finite and not negative"):
            checked_proba(np.array([[0.5, 0.5], [bad, 1.0 - bad]]), 2, 2)
    with pytest.raises(DataError, match=r"must have shape \(2, 3\), got \(2, 2\)"):
        checked_proba(table, 2, 3)


@pytest.mark.parametrize("row", [0, 2, 3, 4])
def test_every_part_of_a_large_table_is_checked(row: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(probabilities, "PART", 2)
    table = np.full((5, 2), 0.5)
    checked_proba(table, 5, 2)
    for bad, message in (([-0.5, 1.5], "not negative"), ([0.5, 0.6], "off by 0.1")):
        table[row] = bad
        with pytest.raises(DataError, match=message):
            checked_proba(table, 5, 2)
