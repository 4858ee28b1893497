"""`evaluate` by hand: what a config becomes, what is executed where, what an estimate says."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lal.data.dataset import make_dataset
from lal.errors import UsageError
from lal.evaluation import EvaluationConfig, estimate, evaluate
from lal.evaluation import evaluate as package_function
from lal.evaluation.evaluate import Evaluation, _call, prepare_shards
from lal.evaluation.runs.methods import FULL_LABEL
from lal.evaluation.runs.protocol import PROTOCOLS, Protocol, make_protocol
from lal.evaluation.runs.run import DONE, RunResult
from lal.evaluation.runs.runner import Summary
from lal.evaluation.runs.shards import Shard
from lal.metrics import REGRESSION_METRICS

module: Any = __import__("sys").modules[package_function.__module__]

RULES = Protocol(budget=4).with_runs(2)


@pytest.fixture
def config(tmp_path: Path) -> EvaluationConfig:
    return EvaluationConfig(
        suite=(), strategies=("margin",), learners=("gaussian_nb",), out=tmp_path / "e",
        store_format="json",
    )  # fmt: skip


@pytest.fixture
def data() -> Any:
    X = np.sin(np.outer(np.arange(40), [1.0, 2.0]))
    return [make_dataset("waves", X, np.arange(40) % 2, source="made-up", family="kin")]


# configs


def test_in_a_regression_what_is_left_as_it_is_becomes_what_fits() -> None:
    plain = EvaluationConfig(task="regression")
    assert (plain.suite, plain.strategies, plain.learners, plain.metric) == (
        ("regression",), ("random", "improved_greedy_sampling"), ("ridge",), "rmse_skill",
    )  # fmt: skip
    chosen: Any = {"suite": "sklearn:diabetes", "learners": "random_forest", "metric": "r2"}
    given = EvaluationConfig(task="regression", **chosen)
    assert (given.suite, given.learners, given.metric) == (
        ("sklearn:diabetes",), ("random_forest",), "r2",
    )  # fmt: skip
    assert given.strategies == ("random", "improved_greedy_sampling")
    classes = EvaluationConfig()
    assert (classes.suite, classes.metric) == (("bundled",), "balanced_accuracy")
    assert given.make_protocol().metrics == tuple(REGRESSION_METRICS)
    assert classes.make_protocol().metrics == Protocol().metrics


def test_texts_are_lists_of_one_and_paths() -> None:
    given: Any = {"conditions": "redundancy", "cluster": "mem_gb=4", "out": "runs/x"}
    found = EvaluationConfig(**given)
    assert (found.conditions, found.cluster) == (("redundancy",), ("mem_gb=4",))
    assert found.out == Path("runs/x")
    with pytest.raises(UsageError, match="ranking"):
        EvaluationConfig(task="ranking")  # type: ignore[arg-type]


def test_fields_become_rules_and_the_regime_decides_the_rest() -> None:
    plain = EvaluationConfig(regime="batch").make_protocol()
    assert plain == PROTOCOLS["batch"].with_runs(20)
    changed: Any = {"start": 7, "budget": "3C", "batch_size": 2, "max_pool": 90}
    found = EvaluationConfig(
        regime="warm", runs=3, seed=5, metric="accuracy", conditions=("redundancy",), **changed
    ).make_protocol()
    assert found == make_protocol(
        "warm", seed=5, metric="accuracy", conditions=("redundancy",), **changed
    ).with_runs(3)


def test_a_call_names_what_differs_from_the_defaults() -> None:
    found = _call(EvaluationConfig(runs=3, seed=2))
    assert found == "lal.evaluation.evaluate(EvaluationConfig(runs=3, seed=2))"


# execution


class Executed:
    """Stands in for executing runs: notes what it is given, and finishes nothing."""

    def __init__(self, monkeypatch: Any) -> None:
        self.calls: list[Any] = []
        for name in ("execute_runs", "launch"):
            monkeypatch.setattr(module, name, self.noting(name))

    def noting(self, name: str) -> Any:
        def call(work: Any, store: Any, **options: Any) -> Summary:
            self.calls.append((name, len(work.missing), store, options))
            return Summary(0, 0, 0, 0.0)

        return call


def test_limits_and_cluster_reach_what_executes(config: Any, data: Any, monkeypatch: Any) -> None:
    done = Executed(monkeypatch)
    limits = {"run_seconds": 2.0, "max_timeouts": 3}
    cluster = {"cluster": ("mem_gb=4",), "jobs": 2}
    told: Any = object()
    for backend in ("dask", "submitit"):
        some = replace(config, backend=backend, address="there", **limits, **cluster)
        evaluate(some, data=data, protocol=RULES, progress=told)
    (first, n, store, options), (second, n_jobs, _, jobs) = done.calls
    assert (first, n, second, n_jobs) == ("execute_runs", 4, "launch", 4)
    assert store.folder == config.out
    assert store.format == "json"
    assert options == {
        "backend": "dask", "jobs": 2, "address": "there", "cluster": {"mem_gb": 4}, **limits,
        "engine": None, "report": told,
    }  # fmt: skip
    assert vars(jobs.pop("limits")) == {**limits, "engine": None}
    assert jobs == {"jobs": 2, "options": {"mem_gb": 4}, "report": told}


def test_what_jobs_finished_is_taken_up_first(config: Any, data: Any, monkeypatch: Any) -> None:
    Executed(monkeypatch)
    taken: list[Any] = []
    monkeypatch.setattr(module, "absorb_jobs", lambda store: taken.append(store.folder))
    evaluate(config, data=data, protocol=RULES)
    assert taken == []
    evaluate(replace(config, backend="submitit"), data=data, protocol=RULES)
    assert taken == [config.out]


def test_copies_of_policies_are_kept_with_the_runs(
    config: Any, data: Any, monkeypatch: Any, tmp_path: Path
) -> None:
    Executed(monkeypatch)
    given: list[Any] = []

    def with_controls(methods: Any, which: str, folder: Path, *, kind: str) -> Any:
        given.append(([m.label for m in methods], which, folder, kind))
        return methods

    monkeypatch.setattr(module, "with_controls", with_controls)
    found = evaluate(replace(config, controls="all"), data=data, protocol=RULES)
    assert given == [(["margin"], "all", config.out / "controls", "classification")]
    assert found.warnings == ("no copy trained on shuffled targets is listed (shuffled=FILE)",)
    assert evaluate(config, data=data, protocol=RULES).warnings == ()
    assert prepare_shards(config, data=data, protocol=RULES) == 4
    assert given[-1][2] == config.out / "controls"
    estimate(replace(config, out=tmp_path / "none"), data=data, protocol=RULES)
    assert given[-1][2].name.startswith("lal-controls-")
    assert not given[-1][2].exists()


def test_a_shard_has_a_store_of_its_own_and_leaves_out_what_is_done(
    config: Any, data: Any, monkeypatch: Any
) -> None:
    done = Executed(monkeypatch)
    whole = evaluate(config, data=data, protocol=RULES)
    keys = whole.store.listed()
    parts = [[key for key in keys if key in Shard(i, 2)] for i in (1, 2)]
    for i, part in enumerate(parts, start=1):
        found = evaluate(replace(config, shard=f"{i}/2"), data=data, protocol=RULES)
        assert found.store.folder == config.out / "shards" / f"{i}-of-2"
        assert found.store.listed() == sorted(part)
        assert done.calls[-1][1] == len(part)
    mine = next(part for part in parts if part)
    whole.store.put(RunResult(mine[0], DONE, {}))
    number = parts.index(mine) + 1
    evaluate(replace(config, shard=f"{number}/2"), data=data, protocol=RULES)
    assert done.calls[-1][1] == len(mine) - 1


def test_data_of_another_kind_is_refused(config: Any) -> None:
    X = np.linspace(0, 1, 40)[:, None]
    line = make_dataset("line", X, X[:, 0], source="made-up", family="kin", task="regression")
    said = (
        r"data set 'line' is a regression, and the evaluation is a classification; pass "
        r'task="regression" \(--task regression\), or other data'
    )
    with pytest.raises(UsageError, match=said):
        evaluate(config, data=[line], protocol=RULES)


def test_a_manifest_is_all_that_is_needed_to_repeat(
    config: Any, data: Any, monkeypatch: Any
) -> None:
    Executed(monkeypatch)
    given: list[Any] = []
    monkeypatch.setattr(module, "locked_suites", lambda names: ("locked", names))

    def log(locked: Any, rules: Protocol, methods: Any) -> list[dict[str, str]]:
        given.append((locked, rules))
        return [{"who": "me"}]

    monkeypatch.setattr(module, "log_accesses", log)
    found = evaluate(config, data=data, protocol=RULES, command="again")
    assert given == [(("locked", ()), RULES)]
    about = found.manifest
    assert about["command"] == "again"
    assert about["config"]["learners"] == ["gaussian_nb"]
    assert about["protocol_hash"] == RULES.hash
    assert about["protocol"]["budget"] == 4
    assert [m["label"] for m in about["methods"]] == ["margin"]
    assert (about["seen"], about["data"]) == ({}, {"waves": data[0].sha256})
    assert about["test_set_access"] == [{"who": "me"}]
    assert (config.out / "config.json").exists()


# estimates


def test_an_estimate_by_hand(config: Any, data: Any, monkeypatch: Any) -> None:
    """Ten hours on one process, five on two; one repetition is looked at for both."""
    given: list[Any] = []

    def predict(work: Any, **options: Any) -> dict[str, float]:
        given.append((len(work.runs), options))
        return {"margin": 7200.0, FULL_LABEL: 28800.0}

    monkeypatch.setattr(module, "predict_seconds", predict)
    some = replace(config, jobs=2, run_seconds=5.0, max_timeouts=2)
    said = estimate(some, data=data, protocol=RULES, shards=4)
    assert said.splitlines() == [
        "4 runs, 0 finished", f"  {FULL_LABEL}: 28800 s", "  margin: 7200 s",
        "about 18000 s on 2 process(es)", "about 10 CPU hours, 2.5 in each of 4 shards",
    ]  # fmt: skip
    assert given == [(2, {"times": 2, "run_seconds": 5.0, "max_timeouts": 2})]
    engine: Any = SimpleNamespace(name="fast@1", refusal=lambda run: "")
    said = estimate(config, data=data, protocol=RULES, engine=engine)
    assert "  2 by the fast@1 engine, whose time is not predicted" in said.splitlines()
    assert said.splitlines()[-1] == "about 10 CPU hours"


def test_an_estimate_counts_what_is_finished(config: Any, data: Any, monkeypatch: Any) -> None:
    Executed(monkeypatch)
    seen: list[Any] = []

    def predict(work: Any, **options: Any) -> dict[str, float]:
        seen.append(options["times"])
        return {}

    monkeypatch.setattr(module, "predict_seconds", predict)
    store = evaluate(config, data=data, protocol=RULES).store
    store.put(RunResult(store.listed()[0], DONE, {}))
    assert estimate(config, data=data, protocol=RULES).startswith("4 runs, 1 finished\n")
    assert seen == [1]
    one = replace(config, out=config.out.parent / "one")
    estimate(one, data=data, protocol=Protocol(budget=4).with_runs(1))
    assert seen == [1, 1]


# what comes back


def test_a_report_is_the_page_or_one_with_options(monkeypatch: Any, tmp_path: Path) -> None:
    made: list[Any] = []
    store: Any = SimpleNamespace(manifest=lambda: {"seen": {"p": ["kin"]}})
    found = Evaluation(store, Summary(0, 0, 0, 0.0))
    assert found.warnings == ()

    def make_page(*given: Any, **options: Any) -> str:
        made.append((*given, options))
        return f"page {len(made)}"

    monkeypatch.setattr(module, "read_table", lambda given: ("table", given))
    monkeypatch.setattr(module, "summarise", lambda table, *, seen: [("rows", table, dict(seen))])
    monkeypatch.setattr(module, "make_page", make_page)
    written: list[Any] = []
    monkeypatch.setattr(module, "write_report", lambda *given: written.append(given))
    table = ("table", store)
    assert found.report(str(tmp_path / "a.html")) == tmp_path / "a.html"
    assert found.report(tmp_path / "b.html", policy="p") == tmp_path / "b.html"
    rows = [("rows", table, {"p": ["kin"]})]
    assert made == [
        (store, {"table": table, "rows": rows}), (store, {"table": table, "policy": "p"}),
    ]  # fmt: skip
    assert written == [
        ("page 1", store, tmp_path / "a.html"), ("page 2", store, tmp_path / "b.html"),
    ]  # fmt: skip
    asked: list[Any] = []
    monkeypatch.setattr(module, "drop_seen", lambda table, kin: ("fair", table, tuple(kin)))
    monkeypatch.setattr(module, "control_test", lambda *given, **o: asked.append((*given, o)))
    found.control_test("p", n_samples=9)
    found.control_test("q")
    assert asked == [
        (("fair", table, ("kin",)), "p", {"n_samples": 9}), (("fair", table, ()), "q", {}),
    ]  # fmt: skip


def test_an_evaluation_is_its_summary_as_text(monkeypatch: Any) -> None:
    rules = {"n_splits": 3, "n_starts": 2, "metric": "accuracy"}
    store: Any = SimpleNamespace(manifest=lambda: {"protocol": rules, "seen": {}})
    monkeypatch.setattr(module, "read_table", lambda given: "table")
    monkeypatch.setattr(module, "summarise", lambda table, *, seen: "rows")
    monkeypatch.setattr(module, "format_summary", lambda rows: f"text of {rows}")
    assert str(Evaluation(store, Summary(0, 0, 0, 0.0))) == (
        "accuracy, 6 runs; differences in AUBC points, 95 % intervals\n\ntext of rows"
    )
