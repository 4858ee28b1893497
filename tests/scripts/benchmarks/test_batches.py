"""The comparison of batches: settings, kinds of data sets, and finished runs that are kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from scripts.benchmarks.base import Results
from scripts.benchmarks.policies import batches


@pytest.fixture
def config(tmp_path: Path) -> batches.Config:
    for name, classes in (("two", 2), ("three", 3)):
        X, y = make_blobs(120, 2, centers=classes, cluster_std=3.0, random_state=classes)
        np.savez(tmp_path / f"{name}.npz", X=X, y=y)
    return batches.Config(
        datasets=("two", "three"), folder=tmp_path, batch_sizes=("5", "10C"), starts=("4", "cold"),
        labels=24, runs=1, max_pool=60, out=tmp_path / "kept",
    )  # fmt: skip


def test_every_setting_is_compared_by_kind_of_data_set(config, monkeypatch):
    results = Results()
    batches.run(config, results)
    assert list(results.tables) == ["all", "two-classes", "more-classes"]
    for table in results.tables.values():
        settings = {(row["start"], row["batch"]) for row in table.rows}
        assert settings == {("4", "5"), ("4", "10C"), ("cold", "5"), ("cold", "10C")}
        assert len(table.rows) == 4 * 5
    assert str(results.tables["two-classes"].rows[0]["data sets ahead"]).endswith("of 1")
    to_random = [r for r in results.tables["all"].rows if r["default minus"] == "random"]
    assert any(row["accuracy"] != "+0.00 [+0.00, +0.00]" for row in to_random)

    monkeypatch.setattr(batches, "_run", lambda *_: pytest.fail("ran again"))
    again = Results()
    batches.run(config, again)
    assert again.tables == results.tables


def test_a_kept_run_belongs_to_its_settings(config):
    one = batches.Run("4", "5", "two", 0)
    first = batches._kept(config, one)
    other = replace(config, labels=22)
    assert batches._kept(other, one) != first
