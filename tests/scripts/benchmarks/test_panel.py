"""The compiled panel: paired rows, parts kept, a policy of margin equal to margin."""

import gc
from typing import Any

import pytest

pytest.importorskip("numba")
pytest.importorskip("pandas")

import scripts.report as report
from envs.simulator.pool import PoolSimulator
from lal.errors import UsageError
from lal.serialization import read_json
from scripts.benchmarks.policies.panel import Config, draw_tasks, learned, run
from scripts.benchmarks.policies.panel_parts import PANEL
from scripts.benchmarks.policies.panel_rules import rule
from scripts.entry import run_main

SMALL: dict[str, Any] = {
    "datasets": ("iris", "wine"),
    "learners": ("gaussian_nb",),
    "runs": 2,
    "budget": 6,
    "rules": ("k_farthest_then_margin?k=3",),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("panel")


@pytest.fixture(scope="module")
def table(folder):
    return run(Config(policies=("mine=default",), out=folder, **SMALL))


def test_every_strategy_plays_every_run(table):
    counts = table.groupby("strategy").size()
    assert set(counts.index) == {"margin", "random", "k_farthest_then_margin?k=3", "mine"}
    assert (counts == 4).all()
    assert table["area_balanced_accuracy"].between(0, 1).all()
    assert table.groupby("strategy")["area"].mean().nunique() > 1


def test_finished_parts_are_not_played_again(table, folder, monkeypatch):
    monkeypatch.setattr("scripts.benchmarks.policies.panel.play", None)
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


@pytest.mark.parametrize("spec", ["epsilon_margin?epsilon=1.0", "epsilon_margin?epsilon=0.0"])
def test_epsilon_is_the_share_of_random_queries(spec, table, folder):
    found = run(Config(out=folder, policies=(), **{**SMALL, "rules": (spec,)}))
    areas = found.pivot_table(index="dataset", columns="strategy", values="area")
    assert (areas[spec] == areas["margin"]).all() == spec.endswith("0.0")


def test_typiclust_explores_and_then_goes_by_margin(folder):
    rules = ("typiclust_then_margin?k=0", "typiclust_then_margin?k=5")
    found = run(Config(out=folder, policies=(), **{**SMALL, "rules": rules}))
    areas = found.pivot_table(index=["dataset", "split"], columns="strategy", values="area")
    assert (areas[rules[0]] == areas["margin"]).all()
    assert (areas[rules[1]] != areas["margin"]).any()


def test_a_rule_that_asks_a_model_is_refused(folder):
    with pytest.raises(UsageError, match="cannot play 'query_by_committee'"):
        run(Config(out=folder, rules=("query_by_committee",)))


def test_areas_from_where_all_classes_are_seen_leave_the_rest_out(table):
    both = table.dropna(subset=["area_all_seen_accuracy"])
    assert 0 < len(both) <= len(table)
    assert (both["area_all_seen_accuracy"] - both["area_accuracy"]).mean() > 0


def test_the_advice_reads_a_panel(table, folder, tmp_path, capsys):
    run(Config(policies=("mine=default",), out=folder, **SMALL))
    which = tmp_path / "which.md"
    assert run_main(report.main, report.Config, [str(folder), "--which", str(which)]) == 0
    text = which.read_text()
    assert "4 strategies, 2 data sets of 2 families, learners gaussian_nb; paired" in text
    assert "    python -m scripts.benchmark panel --" in text
    assert "mine=default" in text
    assert "## By data size" in text
    parts = read_json(folder / PANEL)["parts"]
    (folder / parts[0]).rename(tmp_path / "away")
    capsys.readouterr()
    assert run_main(report.main, report.Config, [str(folder), "--which", str(which)]) == 2
    assert "1 of 4 parts of the panel" in capsys.readouterr().err
    (tmp_path / "away").rename(folder / parts[0])


def test_a_rule_sees_every_pool_as_if_it_had_met_no_other():
    met = rule("typiclust_then_margin")
    for name in ("iris", "wine", "breast_cancer"):
        config = Config(**{**SMALL, "datasets": (name,), "runs": 1})
        tasks = [task for _, _, task in draw_tasks(config, "gaussian_nb")]
        simulator = PoolSimulator(tasks, len(tasks), slate_size=len(tasks[0].pool))
        simulator.reset()
        assert (met(simulator) == rule("typiclust_then_margin")(simulator)).all()
        del tasks, simulator
        gc.collect()
