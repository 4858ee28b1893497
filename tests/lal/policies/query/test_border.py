"""The border of `query`: marks for "not labelled", names, types; one sentence, no traceback."""

import contextlib
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from lal.errors import DataError, LalError, UsageError
from lal.policies.kinds import load_policy

X, TRUTH = load_iris(return_X_y=True)
ROWS = [0, 1, 2, 50, 51, 52, 100, 101, 102]
REST = np.setdiff1d(np.arange(150), ROWS)
CLF = LogisticRegression(max_iter=500)
MARGIN = load_policy("margin")
EXPECTED = MARGIN.query(
    X, np.where(np.isin(np.arange(150), ROWS), TRUTH, np.nan), CLF, batch_size=5
).tolist()


def marked(mark, dtype=object, names=(0, 1, 2)):
    y = np.full(150, mark, dtype=dtype)
    y[ROWS] = [names[c] for c in TRUTH[ROWS]]
    return y


def unlabelled(kind):
    """Return y with one of the marks that mean "not labelled" everywhere."""
    if kind == "masked":
        mask = ~np.isin(np.arange(150), ROWS)
        return np.ma.MaskedArray(TRUTH, mask=mask)
    if kind == "masked floats":
        y = np.ma.MaskedArray(marked(np.nan, float), mask=np.zeros(150, bool))
        y[140:] = np.ma.masked
        return y
    if kind == "masked objects":
        mask = ~np.isin(np.arange(150), ROWS)
        return np.ma.MaskedArray(TRUTH.astype(object), mask=mask)
    if kind in ("NA", "NaT", "Int64", "arrow"):
        pandas = pytest.importorskip("pandas")
        if kind == "Int64":
            return pandas.Series(marked(pandas.NA)).astype("Int64")
        if kind == "arrow":
            pytest.importorskip("pyarrow")
            return pandas.Series(marked(None)).astype("int64[pyarrow]")
        return marked(getattr(pandas, kind))
    if kind == "polars":
        return pytest.importorskip("polars").Series(marked(None).tolist())
    return marked({"nan": np.nan, "None": None, "NaN objects": float("nan")}[kind])


@pytest.mark.parametrize(
    "kind",
    ["nan", "None", "NaN objects", "masked", "masked floats", "masked objects", "NA", "NaT",
     "Int64", "arrow", "polars"],
)  # fmt: skip
def test_marks_that_are_known(kind):
    assert MARGIN.query(X, unlabelled(kind), CLF, batch_size=5).tolist() == EXPECTED


@pytest.mark.parametrize("mark", [-1, "", "?", "nan", "None", "NA", "unlabeled", "<NA>"])
@pytest.mark.parametrize("candidates", [None, REST, X[REST]])
def test_marks_that_look_like_labels_are_refused_by_name(mark, candidates):
    names = (0, 1, 2) if mark == -1 else ("a", "b", "c")
    y = marked(mark, names=names)
    with pytest.raises(DataError, match="set missing_label in load_policy"):
        MARGIN.query(X, y, CLF, candidates=candidates)
    told = load_policy("margin", missing_label=mark)
    assert told.query(X, y, CLF, batch_size=5).tolist() == EXPECTED


def test_such_labels_are_classes_where_they_are_declared_or_plain():
    y = marked(-1)
    rows = MARGIN.query(X, y, CLF, candidates=REST, classes=[-1, 0, 1, 2])
    assert rows[0] in REST
    signs = np.where(TRUTH > 0, 1, -1)
    assert MARGIN.query(X, signs, CLF, candidates=REST)[0] in REST
    with_nan = np.where(np.isin(np.arange(150), ROWS), TRUTH - 1.0, np.nan)
    assert MARGIN.query(X, with_nan, CLF, batch_size=5).tolist() == EXPECTED


def test_nothing_left_to_ask_names_missing_label():
    with pytest.raises(UsageError, match=r"nothing is left to ask.*set missing_label"):
        MARGIN.query(X, TRUTH, CLF)


@pytest.mark.parametrize(
    "pair", [(["a", "b"], ["a"]), (("a", "b"), ("a",)), ({"a"}, {"b"}), (np.ones(2), np.ones(1))]
)
def test_several_labels_a_row_are_refused(pair):
    y = np.full(150, None, dtype=object)
    for i in range(6):
        y[i] = pair[i % 2]
    with pytest.raises(DataError, match="multi-label"):
        MARGIN.query(X, y, CLF)


@pytest.mark.parametrize(
    "y", [np.eye(150)[:, :3], sparse.csr_matrix(np.eye(150)[:, :3]), [[1, 2], [3]] * 75]
)
def test_tables_of_labels_are_refused(y):
    with pytest.raises(DataError, match="multi-label"):
        MARGIN.query(X, y, CLF)


def frames():
    pandas = pytest.importorskip("pandas")
    return pandas, pandas.DataFrame(X, columns=list("abcd"), index=[f"r{i}" for i in range(150)])


def test_an_index_in_another_order_is_refused_and_the_way_out_works():
    pandas, D = frames()
    y = pandas.Series(marked(np.nan, float), index=D.index)
    mixed = y.sample(frac=1, random_state=0)
    with pytest.raises(DataError, match=r"y has the index of X in another order; pass y\.loc"):
        MARGIN.query(D, mixed, CLF)
    assert MARGIN.query(D, mixed.loc[D.index], CLF, batch_size=5).tolist() == EXPECTED
    weights = pandas.Series(np.ones(150), index=D.index).sample(frac=1, random_state=1)
    with pytest.raises(DataError, match="sample_weight has the index of X in another order"):
        MARGIN.query(D, y, CLF, sample_weight=weights)
    shifted = y.set_axis(range(150))  # another index altogether goes by position
    assert MARGIN.query(D, shifted, CLF, batch_size=5).tolist() == EXPECTED


def test_named_columns_of_probabilities_win_over_their_order():
    pandas, D = frames()
    names = ("x", "y", "z")
    y = marked(None, names=names)
    proba = CLF.fit(X[ROWS], TRUTH[ROWS]).predict_proba(X)
    named = pandas.DataFrame(proba, columns=names, index=D.index)
    for table in (named, named[["z", "x", "y"]]):
        for classes in (None, list(names), ["y", "z", "x"]):
            rows = MARGIN.query(D, y, proba=table, classes=classes, batch_size=5)
            assert rows.tolist() == EXPECTED
    scarce = load_policy("default")
    first = scarce.query(D, y, proba=named, classes=["y", "z", "x"], return_utilities=True)[1]
    other = scarce.query(D, y, proba=named[["z", "x", "y"]], return_utilities=True)[1]
    np.testing.assert_allclose(first, other, atol=1e-9)
    numbered = pandas.DataFrame(proba, index=D.index)
    assert MARGIN.query(D, y, proba=numbered, classes=names, batch_size=5).tolist() == EXPECTED
    with pytest.raises(DataError, match=r"proba has the columns \['x', 'y', 'z'\], and classes="):
        MARGIN.query(D, y, proba=named, classes=["x", "y", "w"])
    with pytest.raises(DataError, match="proba has the index of X in another order"):
        MARGIN.query(D, y, proba=named.iloc[::-1])


@pytest.mark.parametrize("size", [5.0, np.int8(5), np.float32(5), np.int64(5)])
def test_whole_numbers_of_any_type(size):
    y = marked(np.nan, float)
    assert MARGIN.query(X, y, CLF, batch_size=size, budget=size + 20).tolist() == EXPECTED
    assert MARGIN.explain(X, y, CLF, size) == MARGIN.explain(X, y, CLF, 5)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"batch_size": 5.5}, "batch_size must be a whole number, got 5.5"),
        ({"batch_size": "5"}, "batch_size must be a whole number"),
        ({"batch_size": True}, "batch_size must be a whole number"),
        ({"batch_size": np.array([4])}, "batch_size must be a whole number"),
        ({"budget": "many"}, "budget must be a whole number"),
        ({"classes": 3}, r"classes must be a list of all class names.*range\(C\)"),
        ({"classes": "abc"}, "classes must be a list of all class names"),
        ({"classes": [[0, 1], [2]]}, "classes must be a flat list"),
        ({"candidates": [[1, 2], [3]]}, "candidates has rows of different lengths"),
        ({"sample_weight": ["a"] * 150}, "sample_weight must be numbers"),
        ({"X": [[1, 2], [3]]}, "X has rows of different lengths"),
        ({"X": ["some text"] * 150}, "embeddings or counts.*proba="),
        ({"X": np.zeros((150, 8, 8))}, "embeddings or counts.*proba="),
        ({"X": X.astype(complex)}, "X holds complex128, expected numbers or texts"),
        ({"clf": None, "proba": [["a", "b"]] * 150}, "proba must be a table of numbers"),
        ({"batch_rule": "best"}, "unknown batch rule 'best'"),
    ],
)
def test_other_types_get_one_sentence(arguments, match):
    given = {"X": X, "y": marked(np.nan, float), "clf": CLF} | arguments
    rows, y, clf = (given.pop(name) for name in ("X", "y", "clf"))
    with pytest.raises(LalError, match=match) as error:
        MARGIN.query(rows, y, clf, **given)
    assert "\n" not in str(error.value)


def test_explain_takes_one_row():
    with pytest.raises(UsageError, match=r"index must be a whole number, got array\(\[4\]\)"):
        MARGIN.explain(X, marked(np.nan, float), CLF, np.array([4]))


@pytest.mark.parametrize("size", [1e154, 1e200, 1e308])
def test_huge_columns(size):
    huge = X.copy()
    huge[:, 0] = np.where(TRUTH > 0, size, -size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = load_policy("default").query(huge, marked(np.nan, float), KNeighborsClassifier(3))
    assert rows[0] in REST


def test_sparse_rows_without_a_single_number():
    y = np.full(30, np.nan)
    y[:4] = [0, 1, 0, 1]
    empty = sparse.csr_matrix((30, 8))
    assert load_policy("default").query(empty, y, CLF)[0] >= 4


CELLS = st.one_of(
    st.none(), st.floats(), st.integers(-3, 3), st.integers(), st.booleans(), st.text(max_size=3),
    st.sampled_from(["a", "b", "", "nan", "1", "01"]), st.tuples(st.integers(0, 1)),
    st.just(np.datetime64("2020-01-01")), st.just(np.datetime64("NaT")), st.binary(max_size=2),
)  # fmt: skip
LABELS = st.one_of(
    st.lists(st.sampled_from([0, 1, None]), min_size=8, max_size=8),
    st.lists(st.sampled_from([0.0, 1.0, 2.0, float("nan")]), min_size=8, max_size=8),
    st.lists(st.sampled_from(["a", "b", None, ""]), min_size=8, max_size=8),
    st.lists(CELLS, min_size=8, max_size=8),
)
TABLES = st.one_of(
    st.lists(st.lists(st.floats(width=32), min_size=2, max_size=2), min_size=8, max_size=8),
    st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=8, max_size=8),
    st.lists(st.lists(st.integers(-5, 5), min_size=1, max_size=3), min_size=8, max_size=8),
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "batch_size": st.one_of(st.integers(-1, 9), st.floats(), st.text(max_size=1)),
        "classes": st.one_of(st.integers(), st.sampled_from([[0, 1, 2], ["a", "b"], "a", ""])),
        "budget": st.one_of(st.integers(-2, 30), st.floats()),
        "candidates": st.one_of(
            st.lists(st.integers(-2, 9), max_size=4), st.just([[0.0, 1.0]]), CELLS
        ),
        "random_state": st.one_of(st.integers(-1, 5), st.text(max_size=1), st.none()),
    },
)  # fmt: skip


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(rows=TABLES, y=LABELS, options=OPTIONS, array=st.booleans())
@pytest.mark.filterwarnings("ignore")
def test_whatever_is_passed_gives_rows_or_one_sentence(rows, y, options, array):
    given_rows = (
        np.array(rows, dtype=object) if array and len({len(r) for r in rows}) == 1 else rows
    )
    given_y = y
    if array:
        given_y = np.empty(8, dtype=object)
        given_y[:] = y
    with contextlib.suppress(LalError):  # anything else is a foreign traceback
        chosen = load_policy("default").query(given_rows, given_y, GaussianNB(), **options)
        assert len(set(chosen.tolist())) == len(chosen) >= 1


def test_weights_are_those_of_the_labelled_rows():
    """Labelled rows are not the first ones, and a weight of nought takes a row out of the fit."""
    y = marked(np.nan, float)
    weights = np.ones(150)
    weights[[50, 51]] = 1e-9
    without = y.copy()
    without[[50, 51]] = np.nan
    rest = np.setdiff1d(REST, [50, 51])
    weighted = MARGIN.query(
        X, y, CLF, sample_weight=weights, candidates=rest, return_utilities=True
    )
    left_out = MARGIN.query(X, without, CLF, candidates=rest, return_utilities=True)
    np.testing.assert_allclose(weighted[1][0, rest], left_out[1][0, rest], atol=1e-3)


def test_ranges_are_warned_of_by_what_is_there(recwarn):
    from dataclasses import replace

    from lal.policies.pool_policy import PolicyRangeWarning

    narrow = replace(MARGIN, card={"ranges": {"n_labelled": [1, 8]}})
    with pytest.warns(PolicyRangeWarning, match="n_labelled from 1 to 8; here it is 9"):
        narrow.query(X, marked(np.nan, float), CLF)
    wide = replace(MARGIN, card={"ranges": {"n_labelled": [9, 9]}})
    recwarn.clear()
    wide.query(X, marked(np.nan, float), CLF)
    assert not [w for w in recwarn if w.category is PolicyRangeWarning]
