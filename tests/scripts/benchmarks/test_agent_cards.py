"""What benchmarks of agents say for cards: rules and both controls, paired."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents import AGENTS
from scripts.benchmarks.agents import one_shot, streams
from scripts.benchmarks.agents.controls import mean_by_control
from scripts.benchmarks.base import CARD, Results, add_comparisons


def test_comparisons_by_hand():
    results = Results()
    values = np.array([1.0, 3.0, 2.0, 2.0])
    add_comparisons(results, "mine", "points", {"random": values, "untrained": -values})
    one, two = results.tables[CARD].rows
    half = 1.96 * np.sqrt(2 / 3) / 2
    assert one["against"] == "random"
    assert [one["mean"], one["low"], one["high"]] == pytest.approx([2.0, 2.0 - half, 2.0 + half])
    assert [two["mean"], two["high"], two["n"]] == pytest.approx([-2.0, -2.0 + half, 4])


def test_controls_are_the_mean_of_their_copies():
    found = {
        "a": ("none", np.array([9.0, 9.0])), "b": ("untrained", np.array([1.0, 2.0])),
        "c": ("untrained", np.array([3.0, 2.0])), "d": ("shuffled_reward", np.array([0.0, 5.0])),
    }  # fmt: skip
    means = mean_by_control(found)
    assert {name: v.tolist() for name, v in means.items()} == {
        "untrained": [2.0, 2.0], "shuffled": [0.0, 5.0],
    }  # fmt: skip


def test_one_shot_compares_with_answers_by_chance_and_both_controls(tmp_path):
    agent = AGENTS["active_one_shot"]
    for control in ("none", "shuffled_reward"):
        agent.train(replace(agent.preset("smoke"), control=control), tmp_path / control)
    results = Results()
    config = one_shot.Config(
        runs=(tmp_path / "none", tmp_path / "shuffled_reward"), episodes=6, n_items=40, untrained=2
    )
    one_shot.run(config, results)
    rows = results.tables[CARD].rows
    assert {row["policy"] for row in rows} == {"none"}
    wanted = ["random", "always asking", "untrained", "shuffled"]
    assert [row["against"] for row in rows] == wanted
    runs = [row["run"] for row in results.tables["vectors"].rows]
    assert runs == ["none", "none, untrained 0", "none, untrained 1", "shuffled_reward"]


def test_streams_compare_every_run_for_its_own_card():
    results = Results()
    scores = {
        "random": np.array([0.5, 0.6]), "learned/0": np.array([0.7, 0.7]),
        "learned/1": np.array([0.5, 0.5]), "untrained/0": np.array([0.4, 0.4]),
        "untrained/1": np.array([0.2, 0.4]), "shuffled": np.array([0.1, 0.3]),
    }  # fmt: skip
    config = streams.Config(kind="sentences", run=(Path("runs/pal-0"), Path("runs/pal-1")))
    streams._add_card(results, config, "made-up languages", scores)
    found = {(row["policy"], row["against"]): row["mean"] for row in results.tables[CARD].rows}
    first, second = "pal-0, made-up languages", "pal-1, made-up languages"
    wanted = {
        (first, "random"): 15.0, (first, "untrained"): 35.0, (first, "shuffled"): 50.0,
        (second, "random"): -5.0, (second, "untrained"): 15.0, (second, "shuffled"): 30.0,
    }  # fmt: skip
    assert found == pytest.approx(wanted)
