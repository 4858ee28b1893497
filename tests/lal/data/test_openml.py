"""OpenML: resolved through its answers (recorded form, kept in a folder), and errors offline."""

import gzip
import hashlib
import json
from urllib.error import URLError

import numpy as np
import pytest

from lal.data.datasets import load_dataset
from lal.data.suites import load_suite
from lal.errors import DataError

pytest.importorskip("pandas", reason="OpenML needs the extra tables")

ROWS = [f"{i / 10},{'red' if i % 3 else '?'},{'yes' if i > 9 else 'no'}" for i in range(20)]
ARFF = (
    "@RELATION toy\n@ATTRIBUTE width REAL\n@ATTRIBUTE colour {red,blue}\n"
    "@ATTRIBUTE class {no,yes}\n@DATA\n" + "\n".join(ROWS) + "\n"
)


def feature(index, name, kind, target):
    about = {"index": str(index), "name": name, "data_type": kind, "is_target": target}
    return {**about, "is_ignore": "false", "is_row_identifier": "false",
            "number_of_missing_values": "0"}  # fmt: skip


ANSWERS = {
    "api/v1/json/data/7": {
        "data_set_description": {
            "id": "7", "name": "toy", "description": "made up", "version": "1", "format": "ARFF",
            "status": "active",
            "file_id": "70", "url": "https://www.openml.org/data/v1/download/70/toy.arff",
            "default_target_attribute": "class",
            "md5_checksum": hashlib.md5(ARFF.encode()).hexdigest(), "processing_date": "2020-01-01",
        }
    },
    "api/v1/json/data/features/7": {
        "data_features": {
            "feature": [
                feature(0, "width", "numeric", "false"),
                feature(1, "colour", "nominal", "false"),
                feature(2, "class", "nominal", "true"),
            ]
        }
    },
    "api/v1/json/data/qualities/7": {
        "data_qualities": {"quality": [{"name": "NumberOfInstances", "value": "20.0"}]}
    },
}  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LAL_OPENML", str(tmp_path))
    return tmp_path


@pytest.fixture
def recorded(home):
    def put(path, text):
        file = home / "openml" / "openml.org" / f"{path}.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(text.encode()))

    for path, answer in ANSWERS.items():
        put(path, json.dumps(answer))
    put("data/v1/download/70/toy.arff", ARFF)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_answers_become_a_data_set(recorded):
    found = load_dataset("openml:7")
    assert (found.name, found.source, found.class_names) == ("toy", "openml:7", ("no", "yes"))
    assert found.feature_names == ("width", "colour")
    assert np.bincount(found.y).tolist() == [10, 10]
    assert found.X[3, 0] == pytest.approx(0.3)
    assert found.X[1, 1] == "red"
    assert load_dataset("openml:7").sha256 == found.sha256


def test_offline_is_one_sentence_with_a_way_out(home, monkeypatch):
    def no_network(*arguments, **options):
        raise URLError("name resolution failed")

    monkeypatch.setattr("sklearn.datasets._openml.urlopen", no_network)
    with pytest.raises(DataError, match=r"cannot be fetched from OpenML.*connect.*copy"):
        load_dataset("openml:9999999")


def test_a_number_is_needed():
    with pytest.raises(DataError, match="expected a number, for example openml:61"):
        load_dataset("openml:iris")


def test_lists_of_openml_have_their_sets_and_families():
    cc18, alpbench = load_suite("openml-cc18"), load_suite("alpbench")
    ours = load_suite("tabular-al-v1")
    assert len(ours) == len(ours.families) == 42
    assert set(ours.names) <= {*cc18.names, "breast_cancer", "digits", "iris", "wine"}
    assert ours.entry("iris").sha256 == ours["iris"].sha256  # loaded, so it was checked
    assert (len(cc18), len(alpbench)) == (72, 90)
    assert set(cc18.names) < set(alpbench.names)
    assert cc18.entry("openml-37").family == "pima"
    assert {e.source for e in cc18.entries} == {f"openml:{e.name[7:]}" for e in cc18.entries}
