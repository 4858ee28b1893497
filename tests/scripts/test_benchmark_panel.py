"""The compiled panel: paired rows, parts kept, a policy of margin equal to margin."""

from typing import Any

import pytest

pytest.importorskip("numba")
pytest.importorskip("pandas")

from lal.errors import UsageError
from scripts.benchmark_panel import Config, run

SMALL: dict[str, Any] = {
    "datasets": ("iris", "wine"),
    "learners": ("gaussian_nb",),
    "runs": 2,
    "budget": 6,
    "farthest": (3,),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("panel")


@pytest.fixture(scope="module")
def table(folder):
    return run(Config(policies=("mine=default",), out=folder, **SMALL))


def test_every_strategy_plays_every_run(table):
    counts = table.groupby("strategy").size()
    assert set(counts.index) == {"margin", "random", "3 farthest, then margin", "mine"}
    assert (counts == 4).all()
    assert table["area_balanced_accuracy"].between(0, 1).all()
    assert table.groupby("strategy")["area"].mean().nunique() > 1


def test_finished_parts_are_not_played_again(table, folder, monkeypatch):
    monkeypatch.setattr("scripts.benchmark_panel.play", None)
    again = run(Config(policies=("mine=default",), out=folder, **SMALL))
    assert again[list(table)].equals(table)


def test_a_data_set_that_no_suite_has_is_named(folder):
    with pytest.raises(UsageError, match="nowhere is in none of bundled"):
        run(Config(out=folder, datasets=("nowhere",)))
