import hashlib
import json

import numpy as np
import pytest

from lal.data.datasets import BUNDLED, load_dataset
from lal.data.suites import Entry, Suite, load_suite
from lal.data.synthetic import SYNTHETIC
from lal.errors import DataError, LalError, UnknownNameError


@pytest.fixture
def folder(tmp_path):
    """A folder with a manifest of two tables and a text."""
    items = []
    for name in ("heart", "mine"):
        path = tmp_path / f"{name}.npz"
        np.savez(path, X=np.arange(8.0).reshape(4, 2) + len(name), y=np.array([0, 1, 0, 1]))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        items.append({"name": name, "file": path.name, "kind": "tabular", "sha256": digest})
    items.append({"name": "words", "file": "words.jsonl.gz", "kind": "text"})
    write_manifest(tmp_path, {"collection": "own", "datasets": items})
    return tmp_path


def write_manifest(folder, content):
    (folder / "manifest.json").write_text(json.dumps(content))


def test_built_in_suites():
    assert load_suite("bundled").names == list(BUNDLED)
    assert load_suite("synthetic").names == list(SYNTHETIC)
    suite = load_suite("bundled")
    assert suite["iris"].sha256 == load_dataset("sklearn:iris").sha256
    assert suite[2] is suite["iris"]
    assert [d.name for d in suite[2:4]] == ["iris", "wine"]
    assert suite["iris"] in suite
    assert suite.entry("wine").family == "wine"
    assert [d.name for d in suite.datasets] == suite.names
    assert repr(suite) == "Suite('bundled', 4 data sets)"
    assert suite.subset(["wine", "iris"]).names == ["wine", "iris"]


def test_data_sets_are_loaded_once_and_only_when_asked_for():
    calls: list[str] = []

    def entry(name):
        def load():
            calls.append(name)
            return load_dataset("sklearn:iris")

        return Entry(name, name, name, load)

    suite = Suite("lazy", [entry("a"), entry("b")])
    assert suite.families == ["a", "b"]
    assert calls == []
    assert suite["b"] is suite[1]
    assert calls == ["b"]


def test_a_folder_with_a_manifest(folder):
    suite = load_suite(folder)
    assert suite.name == "own"
    assert suite.names == ["heart", "mine"]
    assert suite.families == ["heart disease (Cleveland)", "mine"]
    assert suite["heart"].family == "heart disease (Cleveland)"
    assert suite["mine"].X[0].tolist() == [4.0, 5.0]


def test_images(folder):
    assert load_suite("images").names == ["digits"]
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["datasets"][0]["kind"] = "image"
    write_manifest(folder, manifest)
    assert load_suite(f"images:{folder}").names == [manifest["datasets"][0]["name"]]
    with pytest.raises(DataError, match="got 'images:no/such/folder'"):
        load_suite("images:no/such/folder")
    with pytest.raises(DataError, match="expected images:FOLDER"):
        load_suite("images:bundled")


def test_a_changed_file_is_refused(folder):
    np.savez(folder / "mine.npz", X=np.zeros((4, 2)), y=np.array([0, 1, 0, 1]))
    suite = load_suite(folder)
    assert len(suite["heart"]) == 4
    with pytest.raises(DataError, match=r"'mine\.npz' is not the file of the manifest: its sha256"):
        _ = suite["mine"]


def test_a_missing_file_is_named(folder):
    (folder / "mine.npz").unlink()
    with pytest.raises(DataError, match=r"the manifest names 'mine\.npz', which is not in"):
        _ = load_suite(folder)["mine"]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ([], "must be an object with a list 'datasets'"),
        ({"datasets": [{"file": "a.npz"}]}, "has no 'name'"),
        ({"datasets": [{"name": "a"}]}, "has no 'file'"),
        ({"datasets": []}, "has no data sets"),
        ({"datasets": [{"name": "a", "file": "../a.npz"}]}, "names a file outside its folder"),
        ({"datasets": [{"name": "a", "file": "a.npz"}] * 2}, "names a more than once"),
        ({"datasets": [{"name": "a", "file": "a.gz", "kind": "text"}]}, "has no data sets"),
    ],
)
def test_damaged_manifests(tmp_path, content, match):
    write_manifest(tmp_path, content)
    with pytest.raises(DataError, match=match) as caught:
        load_suite(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_bare_folder(folder):
    (folder / "manifest.json").unlink()
    (folder / "table.csv").write_text("a,label\n1,x\n2,y\n")
    suite = load_suite(str(folder))
    assert suite.names == ["heart", "mine", "table"]
    assert suite.entry("heart").family == suite["heart"].family == "heart disease (Cleveland)"
    assert suite["table"].class_names == ("x", "y")


def test_a_list_of_sources(tmp_path):
    iris = load_dataset("sklearn:iris")
    items = [
        {"source": "sklearn:iris", "sha256": iris.sha256},
        {"source": "synthetic:xor@3", "id": "board"},
        {"source": "sklearn:wine", "id": "wrong", "sha256": "0" * 64},
    ]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"name": "mine", "datasets": items}))
    suite = load_suite(path)
    assert suite.names == ["iris", "board", "wrong"]
    assert suite.families == ["checkerboard", "iris", "wine"]
    assert suite["iris"].sha256 == iris.sha256
    assert (suite["board"].name, suite["board"].family) == ("board", "checkerboard")
    with pytest.raises(DataError, match=r"has content .* the suite expects 000000000000"):
        _ = suite["wrong"]


def test_unknown_suites(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'bundled'"):
        load_suite("bundle")
    with pytest.raises(DataError, match=r"neither a folder nor a \.json file"):
        load_suite(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"has no manifest\.json and no \.npz, \.csv, \.parquet"):
        load_suite(tmp_path)
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(DataError, match="cannot read"):
        load_suite(tmp_path / "bad.json")
    with pytest.raises(UnknownNameError, match=r"unknown data set of suite 'bundled' 'irs'"):
        _ = load_suite("bundled")["irs"]


def test_the_further_suites_load_with_their_hashes(further_data):
    dev = load_suite(further_data / "dev")
    assert len(dev) == 38
    assert len(load_suite(further_data / "dev", kinds=("image",))) == 3
    assert len(load_suite(further_data / "bridge")) == 25
    assert dev["satimage"].n_classes == 6


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("[]", "must be an object with a list 'datasets'"),
        ('{"datasets": {}}', "must be an object with a list 'datasets'"),
        ('{"datasets": [3]}', "an entry of .* has no 'source'"),
        ('{"datasets": [{"source": "sklearn:iris", "sha256": 5}]}', "has the sha256 5; expected"),
        ('{"datasets": [{"source": ["a"]}]}', "no such data set|unknown data set|is no|no family"),
        ("nul", "as JSON"),
    ],
)
def test_lists_of_the_wrong_kind_are_refused_by_name(tmp_path, text, match):
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(LalError, match=match):
        load_suite(path)[0]
