import numpy as np
import pytest

from lal.data.datasets import load_dataset
from lal.errors import DataError

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
        ("a,label\n1,x\n2\n", "line 3 of 'things.csv' does not have the 2 cells"),
        ("a,a,label\n1,1,x\n", "columns of the same name"),
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
