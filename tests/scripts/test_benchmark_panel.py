"""The compiled panel: paired rows, parts kept, a policy of margin equal to margin."""

from typing import Any

import pytest

pytest.importorskip("numba")
pytest.importorskip("pandas")

from lal.errors import UsageError
from scripts.benchmark_panel import Config, learned, run

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


def test_learned_compares_with_random_and_with_the_mean_of_the_copies(table):
    import pandas

    assert learned(table, "mine") == {}
    doubled = table[table["strategy"].isin(["mine", "random"])]
    for label, loss in (("untrained0", 0.1), ("untrained1", 0.3), ("shuffled", 0.0)):
        copy = table[table["strategy"] == "mine"].assign(strategy=label)
        copy["cell"] = label + copy["cell"]
        for column in ("area", "area_accuracy", "area_balanced_accuracy"):
            copy[column] -= loss
        doubled = pandas.concat([doubled, copy])
    found = learned(doubled, "mine")
    assert found["mean of the untrained, accuracy"].startswith("+20.00 [+20.00")
    assert found["shuffled, balanced_accuracy"].startswith("+0.00")
    assert len(found) == 6
