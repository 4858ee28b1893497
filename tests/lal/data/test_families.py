import json
from importlib.resources import files

import pytest

from lal.data.datasets import DATASETS, load_dataset, make_dataset
from lal.data.families import ambiguous_names, assert_disjoint, get_family
from lal.data.suites import load_suite
from lal.errors import DataError

WDBC = "breast cancer Wisconsin (diagnostic)"


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("sklearn:breast_cancer", WDBC),
        ("dev:wdbc", WDBC),
        ("bridge:wdbc", WDBC),
        ("dev:breast_cancer", "breast cancer (Ljubljana)"),
        ("bridge:breast", "breast cancer Wisconsin (original)"),
        ("dev:diabetis", "pima"),
        ("bridge:diabetes", "pima"),
        ("credit-g", "credit-g"),
        ("german", "credit-g"),
        ("dna", "splice/dna"),
        ("bridge:ex8a", "ex8"),
        ("bridge:gcloudub", "gcloud"),
        ("bridge:twonorm", "ringnorm/twonorm (Breiman)"),
        ("dev:waveform", "waveform (Breiman)"),
        ("bridge:checkerboard", "checkerboard"),
        ("synthetic:xor@5", "checkerboard"),
        ("dev:australian", "credit approval"),
        ("sklearn:digits", "optical digits (UCI)"),
        ("dev:mnist_test10k", "mnist"),
        ("nobody_knows", "nobody_knows"),
        ("pima", "pima"),
    ],
)
def test_names(name, family):
    assert get_family(name) == family


@pytest.mark.parametrize("name", sorted(ambiguous_names()))
def test_ambiguous_bare_names_are_refused(name):
    with pytest.raises(DataError, match="names unrelated data sets"):
        get_family(name)


def test_the_table_is_consistent():
    raw = json.loads(files("lal.data").joinpath("families.json").read_text())
    for kind in ("members", "aliases", "content"):
        keys = [k for entry in raw["families"].values() for k in entry[kind]]
        assert len(keys) == len(set(keys)), f"a key of {kind} stands in two families"
    families = set(raw["families"])
    assert all(set(named) <= families for named in raw["ambiguous"].values())
    aliases = {a for entry in raw["families"].values() for a in entry["aliases"]}
    assert not aliases & set(raw["ambiguous"])


@pytest.mark.parametrize("name", DATASETS.names())
def test_registered_data_sets_are_in_the_table(name):
    assert load_dataset(name).family == get_family(name)


def test_content_beats_the_name():
    known = load_dataset("sklearn:breast_cancer")
    renamed = make_dataset("mystery", known.X, known.y, source="file:mystery.npz")
    assert renamed.family == WDBC
    other = make_dataset("breast_cancer", known.X[:-1], known.y[:-1], source="file:b.npz")
    assert other.family == "breast_cancer"


def test_relatives_on_both_sides_are_refused():
    with pytest.raises(DataError, match=r"1 family is both .*checkerboard: synthetic:xor against"):
        assert_disjoint(["synthetic:xor", "sklearn:iris"], ["bridge:checkerboard", "dev:wine"])
    with pytest.raises(DataError, match=r"2 families are both .*iris.*wine"):
        assert_disjoint(["dev:iris", "dev:wine"], load_suite("bundled").entries)
    assert_disjoint(["sklearn:iris"], ["dev:wine"])


def test_the_further_sets_are_known_by_name_and_content(further_data):
    for folder in ("dev", "bridge"):
        suite = load_suite(further_data / folder, kinds=("tabular", "synthetic", "image"))
        for data in suite:
            family = get_family(f"{folder}:{data.name}")
            assert suite.entry(data.name).family == data.family == family != data.source
            renamed = make_dataset("x", data.X, data.y, source="y")
            assert renamed.family == family, f"content {data.sha256[:16]} is not in the table"


def test_same_rows_by_the_manifest_are_one_family(further_data):
    manifest = json.loads((further_data / "bridge" / "manifest.json").read_text())
    for item in manifest["datasets"]:
        if item["same_data_in_dev"]:
            here, there = f"bridge:{item['name']}", f"dev:{item['same_data_in_dev']}"
            assert get_family(here) == get_family(there)
