"""Faults that people report of active-learning libraries, tried on the real packages.

One test a kind; each gives the right rows or one sentence. Those that need modAL or small-text are
in tests/lal/integrations/test_real_hosts.py.
"""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from lal.errors import DataError, UsageError
from lal.policies.kinds import load_policy

X, TRUTH = load_iris(return_X_y=True)
RNG = np.random.default_rng(3)
ROWS = np.sort(np.concatenate([RNG.choice(np.flatnonzero(c == TRUTH), 6, False) for c in range(3)]))
REST = np.setdiff1d(np.arange(150), ROWS)
CLF = LogisticRegression(max_iter=500)
MARGIN = load_policy("margin")
NAMES = ("c", "b", "a")


def labels(names=(0, 1, 2), mark=None):
    y = np.full(150, mark, dtype=object)
    y[ROWS] = [names[c] for c in TRUTH[ROWS]]
    return y


def asked(X=X, y=None, clf=CLF, **options):
    y = labels() if y is None else y
    return MARGIN.query(X, y, clf, batch_size=5, **options).tolist()


EXPECTED = asked()
PROBA = CLF.fit(X[ROWS], TRUTH[ROWS]).predict_proba(X)


def refused(match, *arguments, error=DataError, **options):
    with pytest.raises(error, match=match) as refusal:
        asked(*arguments, **options)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 700


# A: what the caller keyed by labels


def test_a_search_over_class_weights_is_keyed_by_labels():
    weights = {"c": 1, "b": 20, "a": 1}
    plain = asked(y=labels(NAMES), clf=LogisticRegression(max_iter=500, class_weight=weights))
    assert plain != EXPECTED
    for grid in ({"class_weight": [weights]}, [{"class_weight": (weights,)}]):
        assert asked(y=labels(NAMES), clf=GridSearchCV(CLF, grid, cv=2)) == plain
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GridSearchCV(CLF, {"C": [-1.0]}, cv=2)
        refused(r"GridSearchCV cannot be fitted.*All the 2 fits failed.*\[\.\.\.\]", clf=search)


def test_lightgbm_with_weights_by_text():
    lightgbm = pytest.importorskip("lightgbm")

    def clf(weights):
        return lightgbm.LGBMClassifier(
            n_estimators=5, min_child_samples=1, verbose=-1, class_weight=weights
        )

    texts = asked(y=labels(NAMES), clf=clf({"a": 9, "b": 1, "c": 1}))
    assert texts == asked(y=labels((2, 1, 0)), clf=clf({0: 9, 1: 1, 2: 1}))


def test_xgboost_with_labels_of_any_type():
    xgboost = pytest.importorskip("xgboost")
    pandas = pytest.importorskip("pandas")
    clf = xgboost.XGBClassifier(n_estimators=5)
    expected = asked(y=labels((2, 1, 0)), clf=clf)
    assert asked(y=pandas.Series(pandas.Categorical(labels(NAMES))), clf=clf) == expected
    truth = asked(y=labels((True, False, False)), clf=clf)
    assert truth == asked(y=labels((1, 0, 0)), clf=clf)


# B: answers that are not probabilities


def objective(truth, raw):
    proba = 1 / (1 + np.exp(-raw))
    return proba - truth, proba * (1 - proba)


def test_raw_scores_of_boosting_libraries_are_refused():
    lightgbm = pytest.importorskip("lightgbm")
    xgboost = pytest.importorskip("xgboost")
    y = labels((0, 1, 1))
    own = lightgbm.LGBMClassifier(objective=objective, min_child_samples=1, verbose=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refused(r"LGBMClassifier gave probabilities of shape \(150,\)", y=y, clf=own)
    raw = xgboost.XGBClassifier(objective="binary:logitraw", n_estimators=20)
    refused("XGBClassifier gave probabilities that are negative", y=y, clf=raw)


def test_a_net_without_softmax_is_refused_and_one_with_it_works():
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    rows = X.astype(np.float32)
    options = {"verbose": 0, "train_split": None, "max_epochs": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = skorch.NeuralNetClassifier(torch.nn.Linear(4, 3), **options)
        refused("NeuralNetClassifier gave probabilities that", rows, clf=scores)
        net = skorch.NeuralNetClassifier(
            torch.nn.Linear(4, 3), criterion=torch.nn.CrossEntropyLoss, **options
        )
        assert len(set(asked(rows, labels(NAMES), net))) == 5
        refused("NeuralNetClassifier cannot be fitted.*same dtype", X, clf=net)


def test_tensors_with_gradients_and_masked_tables():
    torch = pytest.importorskip("torch")
    tracked = torch.tensor(PROBA, requires_grad=True)
    assert asked(clf=None, proba=tracked) == EXPECTED
    assert asked(torch.tensor(X, requires_grad=True)) == EXPECTED
    hidden = np.ma.MaskedArray(PROBA, mask=PROBA < 0.01)
    refused("proba has masked cells; expected numbers", clf=None, proba=hidden)
    refused("X has masked cells.*filled", np.ma.MaskedArray(X, mask=X > 7))
    assert asked(np.ma.MaskedArray(X, mask=False)) == EXPECTED
    refused("proba must be a table of numbers", clf=None, proba=PROBA.astype(complex))


# C: number or text decided by spelling


def test_true_and_one_are_not_one_class():
    refused("y mixes True or False with labels of other types", y=labels((True, 1, 2)))
    refused("y mixes True or False", y=labels((np.True_, 0, 1)))
    assert len(asked(y=labels((True, False, False)))) == 5


def test_polars_decimals_enums_and_categories():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(X, schema=list("abcd"))
    tenths = frame.with_columns(polars.col("a").cast(polars.Decimal(10, 2)))
    assert asked(tenths) == asked(frame) == EXPECTED
    for dtype in (polars.Enum(NAMES), polars.Categorical):
        y = polars.Series(labels(NAMES).tolist(), dtype=dtype)
        assert asked(frame, y) == asked(y=labels(NAMES))


# D: not labelled


@pytest.mark.parametrize(
    "mark", [-9, -999, -(2**63), 2**31 - 1, 2**63 - 1, -(2**31), -1.0], ids=repr
)
def test_numbers_that_mean_not_labelled_are_refused_by_name(mark):
    hint = r"one of the labels is .*set missing_label in load_policy"
    refused(hint, y=labels(mark=mark), candidates=REST)
    assert load_policy("margin", missing_label=mark).query(X, labels(mark=mark), CLF)[0] in REST


def test_what_other_types_make_of_nan_and_minus_one():
    open_rows = ~np.isin(np.arange(150), ROWS)
    with np.errstate(invalid="ignore"):
        for y in (
            np.where(open_rows, np.nan, TRUTH).astype(np.int64),
            np.where(open_rows, -1, TRUTH).astype(np.uint8),
            np.where(open_rows, -1, TRUTH).astype(np.uint16),
        ):
            refused("set missing_label in load_policy", y=y, candidates=REST)
    pixels = np.where(TRUTH > 0, 255, 0).astype(np.uint8)  # two classes, both plain
    assert len(asked(y=pixels, candidates=REST)) == 5
    grades = TRUTH - 1
    refused("set missing_label", y=grades, candidates=REST)
    assert len(asked(y=grades, candidates=REST, classes=[-1, 0, 1])) == 5


@pytest.mark.parametrize("mark", [np.inf, -np.inf])
def test_infinite_labels_are_marks_not_regression(mark):
    refused("is not a class label; set missing_label in load_policy", y=labels(mark=mark))


# E: names win over positions


def frame(**options):
    return pytest.importorskip("pandas").DataFrame(X, columns=list("abcd"), **options)


def test_fitted_to_columns_in_another_order():
    """LightGBM goes by position without a word."""
    lightgbm = pytest.importorskip("lightgbm")
    D = frame()
    for clf in (lightgbm.LGBMClassifier(min_child_samples=1, verbose=-1), CLF):
        fitted = clf.fit(D.iloc[ROWS], TRUTH[ROWS])
        assert len(asked(D, clf=fitted, fit_clf=False)) == 5
        match = r"fitted to the columns \['a', 'b', 'c', 'd'\] and X has \['d', 'c', 'b', 'a'\]"
        refused(match, D[list("dcba")], clf=fitted, fit_clf=False)
        refused(
            "fitted to the columns", D.set_axis(list("wxyz"), axis=1), clf=fitted, fit_clf=False
        )
    on_arrays = lightgbm.LGBMClassifier(min_child_samples=1, verbose=-1).fit(X[ROWS], TRUTH[ROWS])
    assert len(asked(D, clf=on_arrays, fit_clf=False)) == 5


def test_candidates_that_carry_names():
    pandas = pytest.importorskip("pandas")
    D = frame(index=np.arange(150)[::-1])
    wanted = np.isin(np.arange(150), [70, 80, 90, 93, 95])
    y = pandas.Series(labels(), index=D.index)
    expected = asked(candidates=np.flatnonzero(wanted))
    refused(r"index of names.*np\.flatnonzero\(X\.index\.isin", D, y, candidates=D.index[wanted])
    mask = pandas.Series(wanted, index=D.index)
    refused(r"candidates\.loc\[X\.index\]", D, y, candidates=mask.sort_index())
    assert asked(D, y, candidates=mask) == expected
    assert asked(D, y, candidates=np.flatnonzero(D.index.isin(D.index[wanted]))) == expected
    assert asked(frame(), candidates=frame().index[wanted]) == expected


def test_polars_samples_with_columns_in_another_order():
    polars = pytest.importorskip("polars")
    D = polars.DataFrame(X, schema=list("abcd"))
    expected = asked(candidates=X[REST])
    assert asked(D, candidates=D[REST].select(list("dcba"))) == expected
    whole = D[REST].with_columns(polars.col("d").cast(polars.Float32))
    assert asked(D, candidates=whole) == expected
    named = polars.DataFrame(PROBA, schema=list(NAMES)).select(["a", "c", "b"])
    assert asked(y=labels(NAMES), clf=None, proba=named) == EXPECTED


# G: types at the border


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"clf": LogisticRegression}, r"clf is the class LogisticRegression; pass an instance"),
        ({"clf": LogisticRegression, "fit_clf": False}, "clf is the class LogisticRegression"),
        ({"random_state": np.random.SeedSequence(1)}, "got 'SeedSequence'"),
        ({"candidates": {1, 2}}, "candidates must be row numbers"),
    ],
)
def test_things_of_the_wrong_type(options, match):
    refused(match, error=UsageError, **options)


@pytest.mark.parametrize("thing", [False, np.bool_(True), 3, np.array(3), "all"], ids=repr)
def test_candidates_that_are_no_array(thing):
    refused("candidates must be row numbers", candidates=thing, error=UsageError)


def test_lazy_frames_are_named_with_the_way_out():
    polars = pytest.importorskip("polars")
    lazy = polars.DataFrame(X, schema=list("abcd")).lazy()
    refused(r"X is a LazyFrame, whose rows are not computed yet; pass X\.collect\(\)", lazy)
    y = polars.LazyFrame({"y": labels().tolist()})
    refused(r"y is a LazyFrame.*pass y\.collect\(\)", y=y)
    refused(r"candidates is a LazyFrame", candidates=lazy)
    assert asked(lazy.collect(), y.collect()["y"]) == EXPECTED


@pytest.mark.parametrize("bad", [-1.0, np.nan, -np.inf])
@pytest.mark.parametrize("name", ["LogisticRegression", "lightgbm", "xgboost"])
def test_weights_below_nought_are_refused_and_only_where_they_are_used(name, bad):
    """scikit-learn's logistic regression answers with equal probabilities, without a word."""
    if name == "LogisticRegression":
        clf = CLF
    elif name == "lightgbm":
        clf = pytest.importorskip(name).LGBMClassifier(min_child_samples=1, verbose=-1)
    else:
        clf = pytest.importorskip(name).XGBClassifier(n_estimators=3)
    weights = np.ones(150)
    weights[REST] = bad
    assert asked(clf=clf, sample_weight=weights) == asked(clf=clf, sample_weight=np.ones(150))
    weights[ROWS[3]] = bad
    refused("sample_weight must be 0 or more where y has a label", clf=clf, sample_weight=weights)


def test_tables_of_pyarrow_are_named():
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({name: X[:, i] for i, name in enumerate("abcd")})
    refused(r"X is a Table; expected an array.*to_pandas\(\)", table)
    assert asked(table.to_pandas(), pyarrow.array(labels().tolist())) == EXPECTED


# K: what is kept between queries


def test_what_is_kept_belongs_to_the_content():
    default, rng = load_policy("default"), np.random.default_rng(0)
    y = np.full(60, np.nan)
    y[:8] = [0, 1] * 4

    def utilities(rows):
        return default.query(rows, y, CLF, return_utilities=True)[1]

    wide = rng.normal(size=(60, 600))
    first = utilities(wide)
    wide *= rng.normal(size=600)  # in place
    assert not np.allclose(utilities(wide), first, equal_nan=True)
    np.testing.assert_array_equal(utilities(wide), utilities(wide.copy()))
    thin = sparse.random(60, 600, 0.1, random_state=1, format="csr")
    first = utilities(thin)
    np.testing.assert_array_equal(utilities(thin.tocsc()), first)
    thin.data *= rng.normal(size=len(thin.data))
    np.testing.assert_array_equal(utilities(thin), utilities(thin.copy()))
    assert not np.allclose(utilities(thin), first, equal_nan=True)
