import subprocess
import sys

import numpy as np
import pytest

from lal.data.datasets import DATASETS, dataset_from_frame, load_dataset, make_dataset
from lal.data.hashing import content_sha256, row_hashes
from lal.errors import DataError, UnknownNameError, UsageError

SHAPES = {
    "sklearn:iris": (150, 4, 3),
    "sklearn:wine": (178, 13, 3),
    "sklearn:digits": (1797, 64, 10),
    "sklearn:breast_cancer": (569, 30, 2),
}


@pytest.mark.parametrize("name", DATASETS.names())
def test_every_data_set_keeps_the_contract(name):
    data = load_dataset(name)
    again = load_dataset(name)
    assert data.sha256 == again.sha256
    assert data.X.shape == (len(data), data.n_features) == again.X.shape
    if data.kind == "regression":
        assert data.y.dtype == np.float64
        assert (data.n_classes, data.class_names) == (0, ())
    else:
        assert data.y.dtype == np.int64
        assert set(data.y.tolist()) == set(range(data.n_classes))
        assert len(data.class_names) == data.n_classes >= 2
    assert len(data.feature_names) == data.n_features
    assert data.family


@pytest.mark.parametrize(("name", "shape"), SHAPES.items())
def test_bundled_shapes(name, shape):
    data = load_dataset(name)
    assert (len(data), data.n_features, data.n_classes) == shape
    assert data.source == name


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("sklearn:irs", "did you mean 'sklearn:iris'"),
        ("iris", "did you mean 'sklearn:iris'"),
        ("synthetic:xr", "did you mean 'xor'"),
        ("web:7", "known: sklearn:breast_cancer"),
    ],
)
def test_unknown_names_get_the_nearest_ones(name, match):
    with pytest.raises(UnknownNameError, match=match):
        load_dataset(name)


def test_a_name_must_be_a_text_and_a_seed_a_number():
    with pytest.raises(UsageError, match="by name, got int"):
        load_dataset(3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="whole number, got 'one'"):
        load_dataset("synthetic:xor@one")


def test_seeds_of_synthetic_sets():
    first, second = load_dataset("synthetic:xor@1"), load_dataset("synthetic:xor@2")
    assert first.sha256 != second.sha256
    assert first.family == second.family
    assert load_dataset("synthetic:xor").sha256 == load_dataset("synthetic:xor@0").sha256


GOOD_X = np.arange(12.0).reshape(6, 2)
GOOD_Y = np.array([0, 1, 0, 1, 0, 1])
REGRESSION = np.random.default_rng(0).normal(size=60)


@pytest.mark.parametrize(
    ("X", "y", "match"),
    [
        (GOOD_X[:0], GOOD_Y[:0], "must be a table with rows and columns"),
        (GOOD_X, np.zeros(6), "has one class only"),
        (GOOD_X, GOOD_Y[:4], "has 6 rows but 4 labels"),
        (GOOD_X, [0, 1, np.nan, 1, 0, 1], "1 of 6 labels of 'bad' are missing"),
        (GOOD_X, ["a", None, "b", None, "a", "b"], "2 of 6 labels of 'bad' are missing"),
        (GOOD_X, np.ones((6, 2)), "one question for each row and label: see lal.tasks.crowds"),
        (GOOD_X, np.array([["a"], ["b"]] * 3).repeat(2, 1), "expected one column"),
        (np.zeros((60, 2)), REGRESSION, 'pass task="regression" to make_dataset'),
        (np.zeros((60, 2)), np.arange(60), "looks like a regression"),
        (np.full((6, 2), np.inf), GOOD_Y, "has infinite values"),
        (np.full((6, 2), 1e300), GOOD_Y, "values beyond 1e"),
        (np.c_[GOOD_X[:, 0], np.full(6, np.nan)], GOOD_Y, "column 'x1' of 'bad' has no value"),
        (np.arange(6), GOOD_Y, "must be a table with rows and columns"),
        (np.full((6, 2), 1j), GOOD_Y, "expected numbers or texts"),
    ],
)
def test_unusable_data_are_refused(X, y, match):
    with pytest.raises(DataError, match=match) as caught:
        make_dataset("bad", X, y, source="test")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("y", "codes", "names"),
    [
        (["b", "a", "b"], [1, 0, 1], ("a", "b")),
        ([10, 2, 10], [1, 0, 1], ("2", "10")),
        ([-1.0, 1.0, -1.0], [0, 1, 0], ("-1", "1")),
        ([True, False, True], [1, 0, 1], ("False", "True")),
        ([[1], [0], [1]], [1, 0, 1], ("0", "1")),
        (["10", "2", "10"], [1, 0, 1], ("2", "10")),
        ([0.5, 1.0, 0.5], [0, 1, 0], ("0.5", "1")),
    ],
)
def test_labels_of_any_kind_become_codes(y, codes, names):
    data = make_dataset("small", np.eye(3), y, source="test")
    assert data.y.tolist() == codes
    assert data.class_names == names


def test_class_names_follow_codes_and_absent_classes_go():
    data = make_dataset("small", np.eye(3), [0, 2, 2], source="t", class_names=["a", "b", "c"])
    assert data.class_names == ("a", "c")
    assert data.y.tolist() == [0, 1, 1]
    with pytest.raises(DataError, match="must be codes 0 to 1"):
        make_dataset("small", np.eye(3), [0, 2, 2], source="t", class_names=["a", "b"])


@pytest.mark.parametrize("other", ["Ko\u0308ln", "K\xf6ln\u200b"], ids=ascii)
def test_classes_that_look_alike_are_refused(other):
    alike = r"in data set 'towns', the classes .* look alike and would be two; write them the same"
    with pytest.raises(DataError, match=alike):
        make_dataset("towns", np.eye(3), ["Bonn", "K\xf6ln", other], source="t")
    with pytest.raises(DataError, match=alike):
        make_dataset("towns", np.eye(2), [0, 1], source="t", class_names=["K\xf6ln", other])


def test_thirty_and_more_classes_are_classes():
    y = np.repeat(np.arange(40), 10)
    assert make_dataset("many", np.zeros((400, 1)), y, source="t").n_classes == 40


def test_object_columns_of_mixed_cells_become_texts():
    X = np.array([["a", 1], [2, None], ["b", 2.5]], dtype=object)
    data = make_dataset("mixed", X, [0, 1, 1], source="t")
    assert data.X[:, 0].tolist() == ["a", "2", "b"]
    assert data.X[0, 1] == 1
    assert np.isnan(data.X[1, 1])


def test_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "size": pandas.array([1, None, 3, 4], dtype="Int64"),
            "colour": pandas.Categorical(["red", None, "blue", "red"]),
            "flag": [True, False, True, True],
            "label": ["yes", "no", "yes", "no"],
        }
    )
    data = dataset_from_frame(frame, name="things")
    assert data.feature_names == ("size", "colour", "flag")
    assert data.class_names == ("no", "yes")
    assert data.X[0].tolist() == [1.0, "red", 1.0]
    assert np.isnan(data.X[1, 0])
    assert np.isnan(data.X[1, 1])
    by_flag = dataset_from_frame(frame, target="flag")
    assert by_flag.class_names == ("0", "1")
    with pytest.raises(DataError, match="no column 'lbl'; the table has 'size'"):
        dataset_from_frame(frame, target="lbl")
    with pytest.raises(DataError, match="holds dates or times"):
        dataset_from_frame(frame.assign(day=pandas.Timestamp("2020-01-01")), target="label")
    with pytest.raises(DataError, match="expected a pandas or polars data frame, got list"):
        dataset_from_frame([[1, 2]])


def test_row_hashes_follow_content_only():
    X = np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0], [np.nan, 1.0], [np.nan, 1.0]])
    hashes = row_hashes(X)
    assert hashes[0] == hashes[1]
    assert hashes[3] == hashes[4]
    assert len(set(hashes.tolist())) == 3
    texts = np.array([["a", 1.0], ["a", 1.0], ["b", 1.0], [None, 1.0]], dtype=object)
    assert len(set(row_hashes(texts).tolist())) == 3
    assert row_hashes(X.astype(object)).tolist() == hashes.tolist()


def test_content_hash_sees_values_labels_and_shape():
    X, y = np.arange(6.0).reshape(3, 2), np.array([0, 1, 0])
    base = content_sha256(X, y)
    assert base == content_sha256(X.copy(order="F"), y)
    assert base == content_sha256(X.astype(object), y)
    assert base != content_sha256(X, y[::-1].copy() + 1)
    assert base != content_sha256(X + 1e-12, y)
    assert base != content_sha256(X[::-1], y)


def test_nothing_heavy_is_imported_for_the_names():
    code = (
        "import sys, lal.data.datasets, lal.data.suites, lal.tasks.splits, lal.data.prior;"
        "heavy = {'sklearn', 'scipy', 'pandas', 'torch', 'matplotlib'} & set(sys.modules);"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
