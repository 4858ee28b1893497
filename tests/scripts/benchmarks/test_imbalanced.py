"""Thinned data sets: shares, families, equal files, and their rows in the comparison."""

import json

import numpy as np
import pytest

from lal.data.dataset import make_dataset
from lal.data.datasets import load_dataset
from lal.data.suites import load_suite
from lal.errors import UsageError
from scripts.benchmarks.base import Results
from scripts.benchmarks.policies.compare import Config, run
from scripts.benchmarks.policies.imbalanced import write_thinned


def small(name, n_rare, n_classes=2):
    rng = np.random.default_rng(0)
    y = np.r_[np.zeros(400, int), np.ones(n_rare, int), np.repeat(np.arange(2, n_classes), 50)]
    return make_dataset(name, rng.normal(size=(len(y), 3)), y, source="test", family=f"of_{name}")


def test_the_rarer_class_is_thinned_and_the_other_kept(tmp_path):
    suite = load_suite(write_thinned([small("a", 300)], (0.1, 0.05), tmp_path))
    assert suite.names == ["a_10", "a_5"]
    for dataset, share in zip(suite, (0.1, 0.05), strict=True):
        counts = np.bincount(dataset.y)
        assert counts[0] == 400
        assert counts[1] / counts.sum() == pytest.approx(share, abs=0.002)
        assert dataset.family == "of_a"


def test_what_cannot_be_thinned_is_left_out(tmp_path):
    given = [small("a", 300), small("few", 25), small("three", 90, n_classes=3)]
    assert load_suite(write_thinned(given, (0.1,), tmp_path)).names == ["a_10"]
    with pytest.raises(UsageError, match="no data set has two classes and 20 rows of the rarer"):
        write_thinned(given, (0.03,), tmp_path)
    with pytest.raises(UsageError, match="shares of a rare class must be above 0 and below"):
        write_thinned(given, (0.5,), tmp_path)


def test_equal_arguments_give_equal_rows(tmp_path):
    one, two = (
        load_suite(write_thinned([small("a", 300)], (0.1,), tmp_path / name)) for name in "xy"
    )
    assert one[0].sha256 == two[0].sha256


def test_the_comparison_takes_thinned_sets_and_random_starts(tmp_path):
    config = Config(
        suite=("sklearn:breast_cancer", "sklearn:iris"), runs=1, max_pool=80, start=7, jobs=1,
        strategies=("random",), budget=4, rare_shares=(0.1, 0.07), out=tmp_path,
    )  # fmt: skip
    results = Results()
    run(config, results)
    rows = results.tables["compare"].rows
    assert [row["data sets"] for row in rows] == ["all", "10 % rare", "7 % rare"]
    protocol = json.loads((tmp_path / "evaluation.json").read_text())["protocol"]
    assert protocol["start"] == 7
    assert len(load_dataset(f"file:{tmp_path / 'thinned' / 'breast_cancer_7.npz'}")) < 400
