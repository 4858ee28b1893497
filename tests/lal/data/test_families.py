import json
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest

from lal.data.datasets import DATASETS, load_dataset, make_dataset
from lal.data.families import ambiguous_names, assert_disjoint, get_family, split_by_family
from lal.data.overlap import overlap
from lal.data.suites import load_suite
from lal.errors import DataError, UsageError

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


def test_folds_hold_families_together_and_everything_once():
    suite = load_suite("synthetic")
    folds = split_by_family(suite.entries, 3, seed=1)
    assert sorted(e.name for fold in folds for e in fold) == sorted(suite.names)
    for a, b in combinations(folds, 2):
        assert_disjoint(a, b)
    again = split_by_family(suite.entries, 3, seed=1)
    assert [[e.name for e in f] for f in folds] == [[e.name for e in f] for f in again]
    shuffled = split_by_family(suite.entries[::-1], 3, seed=1)
    assert [{e.name for e in f} for f in folds] == [{e.name for e in f} for f in shuffled]
    different = split_by_family(suite.entries, 3, seed=2)
    assert [{e.name for e in f} for f in folds] != [{e.name for e in f} for f in different]
    with pytest.raises(UsageError, match="expected 2 to 4 folds"):
        split_by_family(load_suite("bundled").entries, 5, seed=0)


def rows(n=100, d=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def named(X, name="a"):
    return make_dataset(name, X, np.arange(len(X)) % 2, source="test")


@pytest.mark.parametrize(
    ("change", "shared_rows", "shared_columns"),
    [
        (lambda X: X[::-1], 1.0, 1.0),
        (lambda X: X * [2.0, 3.0, 0.1, 50.0] - 4.0, 1.0, 1.0),
        (lambda X: X[:, [2, 0, 3, 1]], 0.0, 1.0),
        (lambda X: X[:50], 1.0, 0.0),
        (lambda X: np.c_[X, np.ones(len(X))], 0.0, 1.0),
        (lambda X: -X, 0.0, 1.0),
    ],
)
def test_overlap_sees_through_disguises(change, shared_rows, shared_columns):
    X = rows()
    found = overlap(named(X), named(change(X)))
    assert found.related
    assert found.rows == shared_rows
    assert found.columns == shared_columns


def test_strangers_do_not_overlap():
    found = overlap(named(rows()), named(rows(seed=1)))
    assert (found.rows, found.related) == (0.0, False)


def test_two_percent_of_common_rows_make_relatives():
    a, b = rows(300), rows(300, seed=1)
    b[:6] = a[:6]
    assert overlap(named(a), named(b)).rows == pytest.approx(0.02)
    assert overlap(named(a), named(b)).related


def unrelated_overlaps(datasets):
    return [
        (a.source, b.source, overlap(a, b))
        for a, b in combinations(datasets, 2)
        if a.family != b.family and overlap(a, b).related
    ]


def test_every_overlap_of_the_built_in_sets_is_within_a_family():
    assert not unrelated_overlaps([*load_suite("bundled"), *load_suite("synthetic")])


def test_every_overlap_of_the_further_sets_is_within_a_family(further_data):
    suites = ["bundled", "synthetic", further_data / "dev", further_data / "bridge"]
    assert not unrelated_overlaps([d for s in suites for d in load_suite(s)])


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
