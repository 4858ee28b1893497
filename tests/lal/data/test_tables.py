import contextlib
import io
import os
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lal.data.datasets import dataset_from_frame, load_dataset
from lal.data.tables import csv_column
from lal.errors import DataError, DataWarning

CSV = """size,colour,label
1.5,red,yes
,blue,no
2,?,yes
3,red,no
"""


def write(folder, text, name="things.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_with_texts_and_missing_values(tmp_path):
    data = load_dataset(f"file:{write(tmp_path, CSV)}")
    assert data.name == data.family == "things"
    assert data.feature_names == ("size", "colour")
    assert data.class_names == ("no", "yes")
    assert data.y.tolist() == [1, 0, 1, 0]
    assert data.X[:, 0].tolist()[2:] == [2.0, 3.0]
    assert np.isnan(data.X[1, 0])
    assert np.isnan(data.X[2, 1])


def test_csv_target_by_name_by_convention_and_last(tmp_path):
    path = write(tmp_path, "a,Class,b\n1,x,0\n2,y,1\n3,x,0\n")
    assert load_dataset(f"file:{path}").feature_names == ("a", "b")
    assert load_dataset(f"file:{path}?target=b").feature_names == ("a", "Class")
    last = write(tmp_path, "a;b;kind\n1;2;u\n2;3;v\n", "last.csv")
    data = load_dataset(f"file:{last}")
    assert data.class_names == ("u", "v")
    assert data.X.dtype == np.float64
    with pytest.raises(DataError, match="no column 'c'; the table has 'a', 'Class', 'b'"):
        load_dataset(f"file:{path}?target=c")


def test_a_class_may_be_called_none(tmp_path):
    path = write(tmp_path, "a,label\n1,none\n2,some\n")
    assert load_dataset(f"file:{path}").class_names == ("none", "some")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is empty"),
        ("a,label\n", "is empty"),
        ("a,label\n1,x\n2\n", "row 2 of 'things.csv' has 1 cells; the header has 2"),
        ("a,a,label\n1,1,x\n", "two columns called 'a'"),
        ("a,label\n1,x\n2,\n", "1 of 2 labels of 'things' are missing"),
        ("a,label\n1,x\n2,x\n", "one class only"),
        ("a,b,label\n1,,x\n2,NA,y\n", "column 'b' of 'things' has no value at all"),
        ("a,label\n1,x\ninf,y\n", "has infinite values"),
        ("label\nx\ny\n", "no other column"),
    ],
)
def test_unusable_csv(tmp_path, text, match):
    with pytest.raises(DataError, match=match) as caught:
        load_dataset(f"file:{write(tmp_path, text)}")
    assert "\n" not in str(caught.value)


def test_binary_rubbish_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(DataError, match=r"cannot read 'a\.csv' as UTF-8"):
        load_dataset(f"file:{path}")


def test_npz(tmp_path):
    path = tmp_path / "set.npz"
    X, y = np.arange(8, dtype=np.float32).reshape(4, 2), np.array([0, 1, 1, 0])
    np.savez(path, X=X, y=y, class_names=["no", "yes"], feature_names=np.array([], dtype=str))
    data = load_dataset(f"file:{path}")
    assert data.class_names == ("no", "yes")
    assert data.feature_names == ("x0", "x1")
    assert data.X.tolist() == X.tolist()
    with pytest.raises(DataError, match="its target is the array 'y', not 'z'"):
        load_dataset(f"file:{path}?target=z")


def test_unusable_npz(tmp_path):
    no_y = tmp_path / "no_y.npz"
    np.savez(no_y, X=np.eye(2))
    with pytest.raises(DataError, match=r"must hold arrays 'X' and 'y'; it holds \['X'\]"):
        load_dataset(f"file:{no_y}")
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, X=np.array([[{}], [{}]], dtype=object), y=np.array([0, 1]))
    with pytest.raises(DataError, match="without pickles"):
        load_dataset(f"file:{pickled}")
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(DataError, match=r"cannot read 'broken\.npz'"):
        load_dataset(f"file:{broken}")


def test_missing_file_and_unknown_format(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_dataset(f"file:{tmp_path / 'nowhere.csv'}")
    with pytest.raises(DataError, match=r"unknown format '\.xlsx'; expected \.npz, \.csv, \.parq"):
        load_dataset(f"file:{write(tmp_path, 'x', 'a.xlsx')}")


def test_parquet_equals_csv(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    csv = write(tmp_path, CSV)
    parquet = tmp_path / "things.parquet"
    pandas.read_csv(csv, na_values="?").to_parquet(parquet)
    assert load_dataset(f"file:{parquet}").sha256 == load_dataset(f"file:{csv}").sha256
    broken = write(tmp_path, "PAR1 no", "broken.parquet")
    with pytest.raises(DataError, match="as parquet"):
        load_dataset(f"file:{broken}")


def test_columns_without_a_name_are_left_out_with_a_word(tmp_path):
    path = write(tmp_path, ",a,label,\n0,5,x,\n1,6,y,\n")
    with pytest.warns(DataWarning, match="column '' is left out: it has no name"):
        data = load_dataset(f"file:{path}")
    assert data.feature_names == ("a",)
    last = write(tmp_path, "a,b,\n1,x,\n2,y,\n", "last.csv")  # not the target either
    with pytest.warns(DataWarning, match="left out"):
        assert load_dataset(f"file:{last}").class_names == ("x", "y")


def test_the_index_of_a_frame_is_not_learned_from(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0], "label": ["x", "y"]})
    frame.to_csv(tmp_path / "t.csv")
    again = pandas.read_csv(tmp_path / "t.csv")
    with pytest.warns(DataWarning, match="column 'Unnamed: 0' is left out"):
        assert dataset_from_frame(again).feature_names == ("a",)
    assert dataset_from_frame(frame).feature_names == ("a",)


@pytest.mark.parametrize("name", ["NA", "nan", "N/A", "None", "null"])
def test_a_class_called_like_a_missing_value_gets_a_word(tmp_path, name):
    path = write(tmp_path, f"a,label\n1,x\n2,{name}\n")
    with pytest.warns(DataWarning, match=f"class called '{name}'"):
        assert set(load_dataset(f"file:{path}").class_names) == {"x", name}


def test_a_target_spelled_otherwise_is_refused_with_the_name(tmp_path):
    path = write(tmp_path, CSV)
    with pytest.raises(DataError, match=r"no column 'Label'.* did you mean 'label'"):
        load_dataset(f"file:{path}?target=Label")


def test_labels_of_a_csv_are_texts_to_its_target(tmp_path):
    path = write(tmp_path, "a,label\n1,1_0\n2,10\n3,x\n")
    assert load_dataset(f"file:{path}").class_names == ("10", "1_0", "x")


def test_pipes_devices_and_folders_are_refused_before_they_are_opened(tmp_path):
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="is a pipe, a socket or a device; expected a regular file"):
        load_dataset(f"file:{pipe}")
    device = tmp_path / "zero.npz"
    device.symlink_to("/dev/zero")
    with pytest.raises(DataError, match="is a pipe, a socket or a device"):
        load_dataset(f"file:{device}")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="it is a folder"):
        load_dataset(f"file:{tmp_path / 'folder.csv'}")


def archive(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def stored(array):
    out = io.BytesIO()
    np.lib.format.write_array(out, array)
    return out.getvalue()


def test_archives_that_unpack_to_too_much_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("lal.data.arrays_file.MOST_BYTES", 100_000)
    y = stored(np.arange(10) % 2)
    bomb = archive(tmp_path / "bomb.npz", {"X": stored(np.zeros((10, 5000))), "y": y})
    assert bomb.stat().st_size < 5000
    with pytest.raises(DataError, match=r"'bomb\.npz' unpack to 4\d+ bytes; at most 100000"):
        load_dataset(f"file:{bomb}")


def test_a_header_that_promises_more_than_there_is_allocates_nothing(tmp_path):
    header = io.BytesIO()
    fields = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**6)}
    np.lib.format.write_array_header_1_0(header, fields)
    path = archive(
        tmp_path / "liar.npz", {"X": header.getvalue() + bytes(64), "y": stored(np.arange(4) % 2)}
    )
    with pytest.raises(DataError, match=r"'X\.npy' is shorter than its header says"):
        load_dataset(f"file:{path}")


def test_every_flipped_bit_of_an_archive_is_read_or_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, X=np.arange(8.0).reshape(4, 2), y=np.array([0, 1, 1, 0]))
    content = path.read_bytes()
    for bit in range(0, 8 * len(content), 7):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with contextlib.suppress(DataError):  # anything else fails the test
            assert load_dataset(f"file:{path}").n_features <= 8


def test_a_small_parquet_file_of_too_many_rows_is_refused(tmp_path, monkeypatch):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    monkeypatch.setattr("lal.data.tables.MOST_CELLS", 1000)
    path = tmp_path / "many.parquet"
    pandas.DataFrame({"a": np.zeros(600), "label": np.zeros(600)}).to_parquet(path)
    with pytest.raises(DataError, match=r"600 rows of 2 columns; at most 1000 cells"):
        load_dataset(f"file:{path}")


@given(
    st.lists(
        st.one_of(
            st.text(alphabet=" -+.0123456789eE_\\n", max_size=8),
            st.floats(allow_nan=False).map(repr),
            st.integers(-(10**17), 10**17).map(str),
            st.sampled_from(["", "NA", " 7 ", "x", "1e99", "1e999", "\u0661"]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_the_quick_reading_of_a_column_is_that_of_the_rule(cells):
    quick = csv_column(cells)
    assert repr(quick) == repr(csv_column([f" {cell}" for cell in cells]))  # never the quick one
