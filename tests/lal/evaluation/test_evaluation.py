"""`lal.evaluation.evaluate`: what a notebook calls; another engine; the estimate of a dry run."""

import re
from typing import Any

import numpy as np
import pytest

from lal.errors import UsageError
from lal.evaluation import EvaluationConfig, estimate, evaluate
from lal.evaluation.runs.protocol import Protocol
from lal.evaluation.runs.run import DONE, RunResult, about

pytest.importorskip("pandas")


@pytest.fixture
def config(tmp_path):
    return EvaluationConfig(
        suite=(), learners=("gaussian_nb",), out=tmp_path / "e", store_format="json"
    )


def test_a_plain_text_is_one_name():
    plain: Any = {"suite": "bundled", "datasets": "wine", "strategies": "margin", "seen": "iris"}
    plain["learners"] = ["knn"]
    found = EvaluationConfig(**plain)
    lists = (found.suite, found.datasets, found.strategies, found.learners, found.seen)
    assert lists == (("bundled",), ("wine",), ("margin",), ("knn",), ("iris",))


def test_own_data_sets_and_rules_give_table_summary_and_manifest(config, datasets):
    found = evaluate(config, data=datasets, protocol=Protocol(budget=4).with_runs(2))
    assert found.done.executed == 2 * 2 * 3
    assert set(found.table["dataset"]) == {"apples", "pears"}
    assert [row.strategy for row in found.summary] == ["margin", "random"]
    assert "balanced_accuracy, 2 runs; differences in AUBC points" in str(found)
    assert found.manifest["command"].startswith("lal.evaluation.evaluate(EvaluationConfig(suite=()")
    assert found.manifest["protocol"]["budget"] == 4
    assert [m["role"] for m in found.manifest["methods"]] == ["strategy", "strategy"]
    again = evaluate(config, data=datasets, protocol=Protocol(budget=4).with_runs(2))
    assert (again.done.found, again.done.executed) == (12, 0)


def test_the_summary_of_a_policy_leaves_out_what_it_saw(config, datasets, tmp_path):
    from dataclasses import replace

    from lal.policies.margin import margin_policy

    card = {**margin_policy().card, "families": ["apples"]}
    replace(margin_policy(), card=card).save(tmp_path / "mine.safetensors")
    names = ("random", f"mine={tmp_path / 'mine.safetensors'}")
    found = evaluate(
        replace(config, strategies=names), data=datasets, protocol=Protocol(budget=4).with_runs(2)
    )
    row = next(row for row in found.summary if row.strategy == "mine")
    assert (row.role, row.n_sets, row.seen_sets) == ("policy", 1, ("apples",))
    with pytest.raises(UsageError, match="untrained, shuffled missing"):
        found.control_test("mine")


class Constant:
    """An engine whose every accuracy is 0.5."""

    name = "constant@1"

    def __init__(self):
        self.runs = []

    def refusal(self, run):
        return "no entropy here" if run.method.spec == "entropy" else ""

    def execute(self, runs):
        for run in runs:
            self.runs.append(run)
            flat = {name: np.full(2, 0.5) for name in run.protocol.metrics}
            yield RunResult(run.key, DONE, about(run), np.array([2, 3]), flat)


def test_an_engine_executes_strategies_under_keys_of_its_own(config, datasets):
    engine, rules = Constant(), Protocol(budget=4).with_runs(2)
    reference = set(evaluate(config, data=datasets, protocol=rules).table["run_key"])
    found = evaluate(config, data=datasets, protocol=rules, engine=engine)
    assert found.done.executed == len(engine.runs) == 2 * 2 * 2
    assert found.done.found == 4  # full-label fits are the reference's, and there already
    assert not {run.key for run in engine.runs} & reference
    areas = found.table[found.table["role"] == "strategy"]["area"]
    assert areas.tolist() == [0.5] * len(areas)


def test_what_an_engine_cannot_execute_is_refused_before_anything_runs(config, datasets):
    from dataclasses import replace

    engine = Constant()
    some = replace(config, strategies=("random", "entropy"))
    with pytest.raises(UsageError, match="entropy with gaussian_nb: no entropy here; leave these"):
        evaluate(some, data=datasets, protocol=Protocol(budget=4).with_runs(2), engine=engine)
    assert engine.runs == []
    assert not config.out.exists()


def test_an_engine_may_not_pass_as_the_reference(config, datasets):
    engine = Constant()
    engine.name = "reference"
    with pytest.raises(UsageError, match="may not be called 'reference'"):
        evaluate(config, data=datasets, protocol=Protocol(budget=4).with_runs(2), engine=engine)


def test_an_estimate_stores_nothing(config, datasets):
    said = estimate(config, data=datasets, protocol=Protocol(budget=4).with_runs(2))
    assert said.startswith("12 runs, 0 finished\n")
    assert re.search(r"on 1 process\(es\)\nabout \S+ CPU hours$", said)
    assert not config.out.exists()
