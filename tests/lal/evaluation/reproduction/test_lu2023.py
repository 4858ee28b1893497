"""The literature bridge: its area by hand, its protocol, and a few published numbers."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lal.errors import DataError, UsageError
from lal.evaluation.reproduction.lu2023 import (
    ReproductionRow,
    StartSetError,
    as_written,
    published_area,
    reproduce,
    reproduce_seed,
    reproduction_task,
)
from lal.evaluation.reproduction.lu2023_order import published_order
from lal.evaluation.reproduction.lu2023_page import (
    check_reproduction,
    load_reproduction,
    reproduction_markdown,
    save_reproduction,
)

DATA = Path(os.environ.get("LAL_DATA", Path(__file__).parents[5] / "shared" / "data")) / "bridge"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the bridge data sets are not here; set LAL_DATA to their folder"
)


def toy(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    return X, (X[:, 0] > 0).astype(np.int64)


def test_published_area_by_hand():
    assert published_area([0.5, 0.7, 0.9]) == pytest.approx((0.6 + 0.8) / 3)
    constant = published_area(np.full(10, 0.8))
    assert constant == pytest.approx(0.8 * 9 / 10)
    with pytest.raises(UsageError, match="one accuracy a query"):
        published_area([])


def test_task_follows_the_protocol():
    X, y = toy()
    task = reproduction_task(X, y, seed=4)
    order = np.arange(60)
    np.random.default_rng(4).shuffle(order)
    pool = order[:36].copy()
    np.random.default_rng(4).shuffle(pool)
    np.testing.assert_array_equal(task.pool.y, y[pool])
    np.testing.assert_array_equal(task.test_part().y, y[order[36:]])
    scaled = (X - X[pool].mean(axis=0)) / X[pool].std(axis=0)
    np.testing.assert_allclose(task.pool.X, scaled[pool])
    np.testing.assert_allclose(task.test_part().X, scaled[order[36:]])
    assert task.budget == 16
    assert task.start == 20


def test_runs_repeat_and_pass_margin_and_random():
    X, y = toy()
    first = reproduce_seed(X, y, seed=1)
    assert first == reproduce_seed(X, y, seed=1)
    assert 0.5 < reproduce_seed(X, y, seed=1, strategy="random") < 1.0
    assert first != reproduce_seed(X, y, seed=2)


def test_unusable_data_is_refused():
    X, y = toy()
    with pytest.raises(DataError, match="class codes 0 and 1"):
        reproduce_seed(X, y + 1, seed=0)
    with pytest.raises(DataError, match="expected more than 20"):
        reproduce_seed(X[:30], y[:30], seed=0)
    rare = np.zeros(60, dtype=np.int64)
    order = np.arange(60)
    np.random.default_rng(0).shuffle(order)
    rare[order[-1]] = 1
    with pytest.raises(StartSetError, match="start set of seed 0 holds one class only"):
        reproduction_task(X, rare, seed=0)


def row(ours, published, mean=0.8, sd=0.04, runs=100):
    return ReproductionRow(
        "toy", "margin", np.arange(len(ours)), np.array(ours), np.array(published), mean, sd, runs
    )


def test_row_counts_matches_and_standard_errors_by_hand():
    found = row([0.81, 0.83, 0.85], [0.81005, 0.8302, np.nan])
    assert found.n_compared == 2
    assert found.n_matched == 1
    assert found.difference == pytest.approx(0.03)
    assert found.standard_error == pytest.approx(np.sqrt(0.0004 / 3 + 0.0016 / 100))
    assert found.z == pytest.approx(0.03 / found.standard_error)
    assert "1 of 2 seeds equal" in str(found)


def test_the_area_of_some_queries_is_that_of_the_line_between_them():
    whole = published_area([0.5, 0.6, 0.7, 0.8])
    assert published_area([0.5, 0.8], [1, 4]) == pytest.approx(whole)


def test_thinner_random_curves_have_nearly_the_same_area():
    X, y = toy(n=200)
    areas = [[reproduce_seed(X, y, s, "random", every=k) for s in range(4)] for k in (1, 5)]
    assert np.mean(areas[0]) == pytest.approx(np.mean(areas[1]), abs=0.02)


def test_float32_is_read_back_as_it_was_written():
    written = np.array([[-0.727139, 0.1], [1e-3, 0.3333]])
    np.testing.assert_array_equal(as_written(written.astype(np.float32)), written)
    assert as_written(written) is written


def test_lines_are_kept_and_checked(tmp_path):
    good = replace(row([0.8, 0.81], [0.8, 0.81]), n_rows=200)
    far = replace(row([0.9, 0.9001], [np.nan, np.nan]), strategy="random", n_rows=200)
    save_reproduction([good, far], tmp_path / "bridge.json")
    again = load_reproduction(tmp_path / "bridge.json")
    np.testing.assert_array_equal(again[0].aubc, good.aubc)
    np.testing.assert_array_equal(again[1].published, far.published)
    check = check_reproduction(again)
    assert (check.n_small, check.n_small_passed, check.n_uniform, check.n_near) == (1, 1, 1, 0)
    assert check.worst > 4
    assert not check.passed
    assert check_reproduction([good]).passed
    assert "| toy | 200 | 2 of 2 |" in reproduction_markdown(again)


def test_equal_keys_are_left_as_the_old_sort_leaves_them():
    # numpy 2.4 with its vector sorts switched off gives these
    keys = [3, 2, 2, 1, 1, 0, 0, 0, 0, 3, 2, 3, 2, 2, 3, 2, 2, 2, 2, 3,
            1, 3, 2, 0, 1, 3, 2, 0, 3, 2, 3, 0, 0, 3, 0, 2, 0, 1, 1, 1]  # fmt: skip
    order = [31, 32, 27, 23, 5, 6, 7, 8, 34, 36, 24, 20, 38, 39, 3, 4, 37, 35, 1, 2, 26, 13, 22,
             12, 18, 17, 16, 29, 10, 15, 33, 0, 28, 25, 21, 14, 11, 9, 30, 19]  # fmt: skip
    assert list(published_order(np.array(keys, dtype=np.float64))) == order
    many = np.random.default_rng(1).integers(0, 30, 700).astype(np.float64)
    found = np.array(list(published_order(many)), dtype="<i8")
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == "2e4acbce64bb1c01"
    assert list(published_order(np.zeros(0))) == []
    distinct = np.random.default_rng(2).permutation(100).astype(np.float64)
    assert list(published_order(distinct)) == np.argsort(distinct).tolist()


def test_unequal_seeds_are_named():
    assert row([0.81, 0.83], [0.81, 0.8302]).unequal == {1: pytest.approx(-0.0002)}


def test_other_files_are_no_lines(tmp_path):
    (tmp_path / "x.json").write_text('[{"dataset": 1}]')
    with pytest.raises(DataError, match="holds no lines of a reproduction"):
        load_reproduction(tmp_path / "x.json")


def test_folder_errors_are_one_clear_line(tmp_path):
    with pytest.raises(DataError, match="manifest"):
        reproduce(tmp_path, ["heart"], seeds=[0])
    entry = {"name": "tic", "reference_comparable": False, "reference_check": "other labels"}
    (tmp_path / "manifest.json").write_text(json.dumps({"datasets": [entry]}))
    with pytest.raises(DataError, match="no data set 'heart'; it has tic"):
        reproduce(tmp_path, ["heart"], seeds=[0])
    with pytest.raises(DataError, match="'tic' cannot be compared: other labels"):
        reproduce(tmp_path, ["tic"], seeds=[0])


@needs_data
@pytest.mark.parametrize("name", ["heart", "haberman"])
def test_margin_equals_the_published_area_seed_by_seed(name):
    (found,) = reproduce(DATA, [name], seeds=range(2), strategies=["margin"])
    np.testing.assert_allclose(found.aubc, found.published, atol=1e-4)


@needs_data
def test_random_is_near_the_published_mean():
    (found,) = reproduce(DATA, ["heart"], seeds=range(2), strategies=["random"])
    assert found.n_compared == 0
    assert abs(found.difference) < 4 * found.standard_error


@needs_data
def test_a_strategy_without_published_numbers_is_refused():
    with pytest.raises(UsageError, match="no published numbers for the strategy 'entropy'"):
        reproduce(DATA, ["heart"], seeds=[], strategies=["entropy"])
