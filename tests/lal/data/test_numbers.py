"""Number or text: one rule for frames of any backend, CSV, data sets and arrays."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lal.data.columns import column_layout, read_columns
from lal.data.dataset import make_dataset
from lal.data.numbers import read_label_numbers, read_number, read_numbers
from lal.data.tables import dataset_from_frame, load_file
from lal.data.view import make_geometry

TEXTS = ["007", "+5", "1_000", " 5", "5 ", "1.", ".5", "1,5", "0x10", "NaN", "Inf", "Infinity",
         "12345678901234567", "1e999", "--1", "1e", "", "٣", "1\n"]  # fmt: skip
NUMBERS = {"5": 5.0, "-3": -3.0, "0.10": 0.1, "1e3": 1000.0, "-2.5E-07": -2.5e-7, "0": 0.0}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_that_is_not_printed_so_stays_a_text(text):
    assert read_number(text) is None
    assert column_layout(np.array([[1], [text]], dtype=object)).is_text == (True,)


@pytest.mark.parametrize("text", NUMBERS)
def test_printed_numbers_are_numbers(text):
    assert read_number(text) == NUMBERS[text]


def test_numbers_of_all_types_and_missing_ones():
    pandas = pytest.importorskip("pandas")
    cells = [1, 2.5, np.float32(0.5), np.int8(3), Decimal("1.25"), True, None, pandas.NA, 10**400]
    numbers = read_numbers(cells)
    assert numbers is not None
    np.testing.assert_array_equal(numbers[:6], [1, 2.5, 0.5, 3, 1.25, 1])
    assert np.isnan(numbers[6:8]).all()
    assert np.isinf(numbers[8])
    assert read_numbers([1, (2,)]) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_python_prints_is_read_back(value):
    text = repr(value)
    read = read_number(text)
    assert read == value or (read is None and len(text.partition(".")[0].lstrip("-")) > 15)


@settings(max_examples=200)
@given(st.lists(st.sampled_from(["1", "01", "1.0", "1e0", "+1", "2", "10", "1e1", "2.0", "x"])))
def test_labels_never_merge(labels):
    labels = [*labels, "0", "3"]
    found = make_dataset("t", np.arange(float(len(labels)))[:, None], labels, source="mine")
    assert found.n_classes == len(set(labels))
    assert len(set(found.class_names)) == found.n_classes


@pytest.mark.parametrize(
    "labels",
    [
        ["01", "1", "2"],
        ["1e3", "1000", "7"],
        ["9007199254740993", "9007199254740992", "5"],
        [9007199254740993, 9007199254740992, 5],
        ["1", "1.0", "2"],
    ],
)
def test_labels_never_merge_in_any_reader(labels, tmp_path):
    pandas = pytest.importorskip("pandas")
    y = [labels[i % 3] for i in range(30)]
    X = np.arange(30.0)[:, None]
    assert make_dataset("t", X, y, source="mine").n_classes == 3
    assert make_dataset("t", X, np.array(y), source="mine").n_classes == 3
    frame = pandas.DataFrame({"x": X[:, 0], "label": y})
    assert dataset_from_frame(frame).n_classes == 3
    frame.to_csv(tmp_path / "t.csv", index=False)
    read = load_file(tmp_path / "t.csv", target="label")
    assert read.n_classes == 3
    assert set(read.class_names) == {str(v) for v in labels}


def test_labels_that_are_numbers_keep_their_order():
    assert make_dataset("t", np.ones((4, 1)) * [[1], [2], [3], [4]], ["10", "9", "10", "9"],
                        source="mine").class_names == ("9", "10")  # fmt: skip
    np.testing.assert_array_equal(read_label_numbers(["1.0", "2.0"]), [1.0, 2.0])


def test_csv_cells_that_are_codes_stay_texts(tmp_path):
    path = tmp_path / "t.csv"
    rows = "".join(f"{i:03d},{i / 10:.2f},{'ab'[i % 2]}\n" for i in range(8))
    path.write_text(f"code,size,label\n{rows}")
    data = load_file(path)
    assert data.X[1, 0] == "001"
    assert data.X[1, 1] == 0.1


FRAMES = {
    "float64": lambda D: D,
    "pyarrow": lambda D: D.astype("double[pyarrow]"),
    "nullable": lambda D: D.astype("Float64"),
    "sparse": lambda D: D.astype("Sparse[float64]"),
    "objects": lambda D: D.astype(object),
    "texts": lambda D: D.astype(str),
    "decimals": lambda D: D.map(lambda v: Decimal(repr(float(v)))),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_of_any_backend_are_the_same_numbers(kind):
    pandas = pytest.importorskip("pandas")
    if kind == "pyarrow":
        pytest.importorskip("pyarrow")
    D = pandas.DataFrame(
        np.random.default_rng(0).normal(size=(60, 3)).round(3), columns=list("abc")
    )
    frame = FRAMES[kind](D)
    np.testing.assert_array_equal(make_geometry(frame).Z, make_geometry(D).Z)
    numbers, words = read_columns(frame, column_layout(frame))
    np.testing.assert_array_equal(numbers, D.to_numpy())
    assert words == []


def test_polars_columns():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1, 2, None], "b": [True, False, True], "c": ["1", "2", "3"],
                              "d": ["01", "2", "3"]})  # fmt: skip
    assert column_layout(frame).is_text == (False, False, False, True)


def test_categories_and_dates_are_texts():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": pandas.Categorical([1, 2, 1]),
                              "b": pandas.date_range("2020-01-01", periods=3)})  # fmt: skip
    assert column_layout(frame).is_text == (True, True)
