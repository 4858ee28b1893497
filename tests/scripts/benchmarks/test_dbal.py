"""The benchmark of deep Bayesian active learning's scores: pairs, labels for an error, resuming."""

import json

import numpy as np
import pytest

from scripts.benchmarks.base import student_interval
from scripts.benchmarks.policies import dbal
from scripts.benchmarks.policies.dbal import PAIRS, PUBLISHED, main


@pytest.fixture
def made_up(monkeypatch):
    """Runs whose curves follow from score and seed."""

    def run(_config, one):
        gain = [0.05, 0.04, 0.03, 0.02, 0.0][PUBLISHED.index(one.strategy)] + 0.001 * one.seed
        accuracy = [0.5, 0.8 + gain, 0.87 + gain]
        return {"labels": [20, 30, 40], "accuracy": accuracy, "area": 0.7 + gain, "seconds": 1.0}

    monkeypatch.setattr(dbal, "_run", run)


def flags(tmp_path, *more):
    return ["--datasets", "sklearn:digits", "--runs", "3", "--out", str(tmp_path / "d"), *more]


@pytest.mark.usefixtures("made_up")
def test_scores_and_pairs_are_those_of_the_runs(tmp_path, monkeypatch, capsys):
    target = tmp_path / "d.json"
    assert main(flags(tmp_path, "--json", str(target))) == 0
    tables = json.loads(target.read_text())["tables"]
    scores = {row["score"]: row for row in tables["scores"]["rows"]}
    assert [row["mean rank"] for row in scores.values()] == ["1.0", "2.0", "3.0", "4.0", "5.0"]
    best, worst = scores["variation ratio"], scores["random"]
    assert best["minus random"] == student_interval(np.array([5.0, 5.0, 5.0]))
    assert (best["area"], best["runs"], best["accuracy at the end"]) == ("75.1", 3, "92.1")
    assert best["labels for 10 % error"] == "40"
    assert worst["labels for 10 % error"] == "more than half never (0 of 3)"
    pairs = {row["pair"]: row for row in tables["pairs"]["rows"]}
    assert len(pairs) == len(PAIRS)
    assert pairs["variation ratio minus BALD"]["area"] == "+1.00 +- 0.00"
    assert pairs["mean std minus random"]["ahead in"] == "3 of 3"
    assert len(list((tmp_path / "d").glob("digits-*.json"))) == 15

    monkeypatch.setattr(dbal, "_run", lambda *_: pytest.fail("ran again"))
    assert main(flags(tmp_path)) == 0
    assert "15 runs, 15 s of CPU time" in capsys.readouterr().out


def test_a_run_begins_with_labels_of_every_class_and_is_paired(tmp_path):
    shape = ["--budget", "10", "--max-pool", "60", "--n-draws", "2", "--start", "1"]
    assert main([*flags(tmp_path, *shape), "--runs", "2"]) == 0
    found = [json.loads(path.read_text()) for path in sorted((tmp_path / "d").glob("*-0.json"))]
    assert [run["labels"] for run in found] == [[10, 20]] * len(PUBLISHED)
    assert len({run["accuracy"][0] for run in found}) == 1


def test_without_two_runs_there_is_no_table(tmp_path, capsys):
    assert main(flags(tmp_path, "--minutes", "1e-9")) == 2
    assert "expected two finished runs of 'sklearn:digits'" in capsys.readouterr().err
