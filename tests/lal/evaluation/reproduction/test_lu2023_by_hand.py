"""A reproduction on a made-up folder: which seeds and numbers stand beside which."""

import json

import numpy as np
import pytest

from lal.errors import UsageError
from lal.evaluation.reproduction import lu2023
from lal.evaluation.reproduction.lu2023 import (
    ReproductionRow,
    StartSetError,
    labels_until,
    reproduce,
    reproduction_task,
)

ENTRY = {
    "name": "toy", "file": "toy.npz", "reference_comparable": True, "reference_check": "",
    "published_aubc": {"US-C": {"mean": 0.75, "sd": 0.05}, "Uniform": {"mean": 0.5, "sd": 0.125}},
    "published_aubc_usc_by_seed": {"1": 0.7, "4": 0.8}, "published_runs_usc": 100,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The data set toy, whose areas are known: by its seed, and none for the third."""
    X, y = np.arange(80.0).reshape(40, 2), np.arange(40) % 2
    np.savez(tmp_path / "toy.npz", X=X, y=y)
    others = [{**ENTRY, "name": name, "file": "none.npz"} for name in ("other",)]
    (tmp_path / "manifest.json").write_text(json.dumps({"datasets": [*others, ENTRY]}))
    asked = []

    def seed_area(rows, labels, seed, strategy, *, every):
        np.testing.assert_array_equal(rows, X)
        np.testing.assert_array_equal(labels, y)
        asked.append((seed, strategy, every))
        if seed == 3:
            raise StartSetError("one class only")
        return 0.7 + seed / 100

    monkeypatch.setattr(lu2023, "reproduce_seed", seed_area)
    return tmp_path, asked


def test_every_strategy_stands_beside_its_published_numbers(folder):
    path, asked = folder
    margin, random = reproduce(path, ["toy"], seeds=iter([1, 3, 4, 5]), every=2)
    assert asked == [(s, name, 2) for name in ("margin", "random") for s in (1, 3, 4, 5)]
    for row, name, mean, sd in ((margin, "margin", 0.75, 0.05), (random, "random", 0.5, 0.125)):
        assert (row.dataset, row.strategy) == ("toy", name)
        assert row.seeds.tolist() == [1, 4, 5]  # the third was dropped
        assert row.aubc == pytest.approx([0.71, 0.74, 0.75])
        assert (row.published_mean, row.published_sd, row.published_runs) == (mean, sd, 100)
        assert (row.n_rows, row.every) == (40, 2)
    np.testing.assert_array_equal(margin.published, [0.7, 0.8, np.nan])
    assert np.isnan(random.published).all()
    assert (margin.n_compared, random.n_compared) == (2, 0)
    assert margin.seeds.dtype == np.int64
    assert margin.aubc.dtype == margin.published.dtype == np.float64


def test_only_what_was_published_can_be_compared(folder):
    with pytest.raises(
        UsageError, match="no published numbers for the strategy 'entropy'; known: m"
    ):
        reproduce(folder[0], ["toy"], seeds=[1], strategies=["entropy"])
    assert reproduce(folder[0], [], seeds=[1]) == []


def test_one_run_has_no_standard_error():
    row = ReproductionRow("toy", "margin", np.array([1]), np.array([0.8]), np.array([0.8]), 0.75,
                          0.05, 100)  # fmt: skip
    assert np.isnan(row.standard_error)
    assert (row.n_rows, row.every) == (0, 1)


def test_thinned_curves_take_a_fifth_of_what_was_acquired():
    assert [labels_until(n, 5) for n in (0, 4, 5, 9, 10, 24, 25, 500)] == [1, 1, 1, 1, 2, 4, 5, 5]
    assert labels_until(500, 1) == 1


def test_a_task_says_where_it_is_from():
    X = np.random.default_rng(0).normal(size=(60, 2))
    task = reproduction_task(X, np.arange(60) % 2, seed=0)
    assert (task.name, task.family, task.n_classes) == ("lu2023", "lu2023", 2)
    assert task.learner.name == "rbf_svm_lu"
