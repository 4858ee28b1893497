"""The zoo in small: cells, controls, what is kept and gone on with, the search of settings."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import optuna
import pytest

pytest.importorskip("torch")

from agents import AGENTS
from agents.training.tuned import changed_fields, read_tuned, tuned_names, write_tuned
from lal.errors import MissingDependencyError, UnknownNameError, UsageError
from scripts import benchmark
from scripts.benchmarks.base import Results
from scripts.benchmarks.zoo import cells, command, tune
from scripts.benchmarks.zoo.cells import Cell, run_cell, scaled
from scripts.benchmarks.zoo.command import Config, control_gaps, get_cells, is_ahead
from scripts.benchmarks.zoo.scores import ENVIRONMENTS

DESIGN = "lal/Design-v0"


def smoke(agent, environment, seed=0):
    return Cell(agent, environment, seed, "smoke", 1.0, 4, 2)


def test_every_agent_has_tuned_settings_for_its_environments():
    for environment in ENVIRONMENTS.values():
        for agent in environment.agents:
            config = AGENTS[agent].preset(environment.name)
            assert isinstance(config, AGENTS[agent].config_type)
            assert config != AGENTS[agent].config_type()
    assert AGENTS["ppo"].preset("lal/Pool-v0/random_forest").learners == ("random_forest",)


def test_presets_are_listed_without_pyyaml(monkeypatch):
    for agent in AGENTS:
        assert tuned_names(agent) == tuple(read_tuned(agent))
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(UnknownNameError, match=r"has no preset 'fast'; known: demo.*lal/Design-v0"):
        AGENTS["dad"].preset("fast")
    with pytest.raises(MissingDependencyError, match="yaml"):
        AGENTS["dad"].preset("lal/Design-v0")


def test_an_environment_without_settings_is_named_with_those_that_have_some():
    with pytest.raises(UnknownNameError, match=r"has no preset 'lal/Nim-v0'; known: .*lal/Design"):
        AGENTS["dad"].preset("lal/Nim-v0")


def test_settings_are_kept_by_environment(tmp_path):
    usual = AGENTS["dad"].preset("demo")
    write_tuned("dad", DESIGN, usual, tmp_path)
    write_tuned("dad", "lal/Other-v0", replace(usual, gradient_steps=10, seed=3), tmp_path)
    write_tuned("dad", DESIGN, replace(usual, learning_rate=3e-4), tmp_path)
    held = read_tuned("dad", tmp_path)
    assert held[DESIGN] == {"gradient_steps": 2500, "n_segments": 5, "learning_rate": 3e-4}
    assert held["lal/Other-v0"] == {"gradient_steps": 10, "n_segments": 5}
    assert read_tuned("grpo", tmp_path) == {}


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "dad.yml").write_text("- 1\n")
    with pytest.raises(UsageError, match=r"dad\.yml must map environments to fields"):
        read_tuned("dad", tmp_path)


def test_a_cell_is_run_once_and_holds_every_control(tmp_path, monkeypatch):
    cell = smoke("few_shot", "lal/FewShot-v0")
    found = run_cell(cell, tmp_path)
    assert set(found["scores"]) == {"policy", "random", "shuffled", "untrained"}
    assert [len(values) for values in found["scores"].values()] == [4] * 4
    assert [point["share"] for point in found["curve"]] == [0.0, 0.5, 1.0]
    untrained, random = (np.array(found["scores"][n]) for n in ("untrained", "random"))
    assert found["curve"][0]["gain"] == pytest.approx((untrained - random).mean(), abs=1e-6)
    monkeypatch.setattr(cells, "_train", lambda *a: pytest.fail("trained again"))
    assert run_cell(cell, tmp_path) == found
    with pytest.raises(pytest.fail.Exception, match="trained again"):
        run_cell(replace(cell, episodes=5), tmp_path)


def test_a_killed_cell_goes_on_to_the_same_figures(tmp_path, monkeypatch):
    cell = smoke("dad", DESIGN)
    undisturbed = run_cell(cell, tmp_path / "a")
    keep = cells._keep_point

    def killed(cell, environment, folder, row, policy):
        keep(cell, environment, folder, row, policy)
        if row["segment"] == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(cells, "_keep_point", killed)
    with pytest.raises(KeyboardInterrupt):
        run_cell(cell, tmp_path / "b")
    assert not (cell.folder(tmp_path / "b") / "cell.json").exists()
    monkeypatch.setattr(cells, "_keep_point", keep)
    assert run_cell(cell, tmp_path / "b") == undisturbed
    assert "shuffled" not in undisturbed["scores"]


def test_a_longer_run_has_whole_segments():
    def length(agent, name, times):
        return getattr(scaled(AGENTS[agent].preset("demo"), times), name)

    assert length("dad", "gradient_steps", 0.5) == 1250
    assert length("dad", "gradient_steps", 0.0) == AGENTS["dad"].preset("demo").n_segments
    assert length("dad", "gradient_steps", 1.0) == 2500
    assert length("lal_rl", "n_episodes", 2.0) == 3000


def test_the_control_test_decides_and_a_missing_copy_is_said():
    ahead = {"policy": [2.0, 2.1, 2.2], "random": [1.0, 1.0, 1.1], "untrained": [1.0, 1.2, 1.1]}
    assert is_ahead(control_gaps(ahead))
    assert not is_ahead(control_gaps({**ahead, "shuffled": [2.0, 2.2, 2.1]}))
    results = Results()
    cell = {"agent": "dad", "environment": DESIGN, "scores": ahead}
    row = command._row(DESIGN, "dad", [cell, cell])
    results.add("zoo", row)
    assert row["learned"] == "2 of 2, no shuffled copy"
    assert row["minus shuffled"] is None
    assert row["minus random"] == "+1.07 [+1.07, +1.07]"


def test_the_command_runs_what_is_named_and_draws_the_curves(tmp_path):
    picture = tmp_path / "zoo.png"
    flags = ["zoo", "--preset", "smoke", "--agents", "few_shot", "dad", "--jobs", "1"]
    flags += ["--out", str(tmp_path / "cells"), "--picture", str(picture)]
    assert benchmark.main([*flags, "--json", str(tmp_path / "zoo.json")]) == 0
    tables = json.loads((tmp_path / "zoo.json").read_text())["tables"]
    rows = tables["zoo"]["rows"]
    assert [(row["agent"], row["seeds"]) for row in rows] == [("few_shot", 2), ("dad", 2)]
    assert {row["share"] for row in tables["curves"]["rows"]} == {0.0, 0.5, 1.0}
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_cells_that_have_not_begun_are_left_out_when_the_command_is_stopped(tmp_path, monkeypatch):
    begun = []

    def stopped(cell, out):
        begun.append(cell)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "ProcessPoolExecutor", lambda n, **_: ThreadPoolExecutor(n))
    monkeypatch.setattr(command, "run_cell", stopped)
    with pytest.raises(KeyboardInterrupt):
        command.run(Config(out=tmp_path, jobs=1), Results({}))
    assert len(begun) < len(get_cells(Config(out=tmp_path))) / 2


def test_pools_of_all_learners_are_taken_together():
    cells = [
        {"agent": "ppo", "environment": f"lal/Pool-v0/{learner}",
         "scores": {"policy": [gain, gain], "random": [0.0, 0.0]}}
        for learner in ("knn", "ridge") for gain in (1.0, 2.0, 3.0, 30.0)
    ]  # fmt: skip
    results = Results()
    command._add_pool(results, "ppo", cells)
    (row,) = results.tables["pool"].rows
    assert row["learners"] == 2
    assert str(row["minus random"]).startswith("+2.50 [")  # the middle half: 2, 2, 3, 3


def test_names_that_fit_nothing_are_refused():
    with pytest.raises(UsageError, match=r"no agent and environment .*'dad'.*it has grpo in lal"):
        get_cells(Config(agents=("dad",), environments=("lal/LalRl-v0",)))
    assert len(get_cells(Config(preset="smoke"))) == 2 * 14


SEARCH = tune.Config(
    agent="ppo", preset="smoke", environment="lal/Pool-v0/gaussian_nb", trials=3, startup=1
)


def test_a_search_goes_on_as_if_it_had_not_stopped(tmp_path):
    whole, part = Results(), Results()
    run_search = tune.run
    run_search(replace(SEARCH, out=tmp_path / "whole"), whole)
    run_search(replace(SEARCH, trials=1, out=tmp_path / "part"), part)
    again = Results()
    run_search(replace(SEARCH, out=tmp_path / "part"), again)
    assert again.tables["trials"].rows == whole.tables["trials"].rows
    first = part.tables["trials"].rows
    assert first == whole.tables["trials"].rows[:1]
    assert first[0]["learning_rate"] == "0.001"  # the preset's own


def test_a_trial_behind_the_median_ends_early():
    space = {"gamma": (0.0, 0.5, 0.9)}
    good = {"state": "COMPLETE", "params": {"gamma": 2}, "scores": [0.5, 0.6]}
    study = tune.make_study([good, good], space, seed=0, startup=2)
    assert study.best_value == 0.6
    trial = study.ask(tune._distributions(space))
    scores: list[float] = []
    with pytest.raises(optuna.TrialPruned):
        tune._watch(trial, scores, {"dev_aubc": 0.1}, None)
    assert scores == [0.1]


def test_the_best_settings_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(tune, "write_tuned", partial(write_tuned, folder=tmp_path))
    trials = [
        {"state": "COMPLETE", "params": {"learning_rate": 0}, "scores": [0.7]},
        {"state": "PRUNED", "params": {"learning_rate": 1}, "scores": [0.9]},
        {"state": "COMPLETE", "params": {"learning_rate": 2}, "scores": [0.6, 0.8]},
    ]
    base: Any = tune.start_settings(SEARCH)
    other = "lal/Pool-v0/random_forest"
    tune._report(trials, base, replace(SEARCH, write=True, also=(other,)), results := Results())
    held = read_tuned("ppo", tmp_path)
    best = replace(base, learning_rate=1e-3)
    assert held["lal/Pool-v0/gaussian_nb"] == changed_fields(best)
    assert held[other] == changed_fields(replace(best, learners=("random_forest",)))
    assert "best of 3: trial 2" in results.notes[0]


def test_a_search_needs_a_space_and_an_environment_of_the_agent(monkeypatch):
    with pytest.raises(UsageError, match="agent 'dad' has no space of settings; expected one of"):
        tune.start_settings(replace(SEARCH, agent="dad"))
    with pytest.raises(UsageError, match=r"'ppo' is not trained in 'lal/Design-v0'; expected one"):
        tune.start_settings(replace(SEARCH, environment=DESIGN))
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingDependencyError, match=r"optuna is not installed; .*\[tune\]"):
        tune.make_study([], {}, seed=0, startup=1)
