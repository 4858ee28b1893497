"""What a page says, from tables made by hand: headline, failures, what was seen, reruns."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lal.evaluation.analysis.control_tests import control_test
from lal.evaluation.analysis.summary import summarise
from lal.evaluation.analysis.tables import long_table
from lal.evaluation.report.model import Page, _focus, evidence, headline, power_text
from lal.evaluation.report.sections import failure_rows, run_index, what_was_seen
from lal.evaluation.runs import replay
from lal.evaluation.runs.run import DONE, RunResult

pytest.importorskip("pandas", reason="pandas is absent")

N = np.arange(2, 6)
CONTROLS = {"random": ["random"], "untrained": ["u1", "u2"], "shuffled": ["shuffled"]}
LEVELS = {"random": 0.5, "margin": 0.6, "mine": 0.7, "u1": 0.5, "u2": 0.52, "shuffled": 0.51}


def make_result(strategy: str, dataset: str, split: int, level: float, **changes: Any) -> RunResult:
    about = {
        "dataset": dataset, "family": f"kin of {dataset}", "source": f"test:{dataset}",
        "sha256": "ab" * 32, "n_classes": 2, "learner": "knn", "split": split, "start": 0,
        "strategy": strategy, "metric": "accuracy", "n_all_seen": 2, "n_start": 2, "n_pool": 60,
    }  # fmt: skip
    fields: dict[str, Any] = {"n_labels": N, "metrics": {"accuracy": np.full(4, level)}, **changes}
    status = fields.pop("status", DONE)
    return RunResult(f"{strategy}-{dataset}-{split}-0123456789", status, about, **fields)


def make_page(levels: dict[str, float], *extra: RunResult, **changes: Any) -> Page:
    rng = np.random.default_rng(0)
    results = [
        make_result(strategy, f"set{d}", split, level + 0.001 * rng.normal() + 0.01 * d)
        for d in range(4) for split in range(2) for strategy, level in levels.items()
    ]  # fmt: skip
    table = long_table([*results, *extra])
    manifest = changes.pop("manifest", {})
    rows = summarise(table, seen=manifest.get("seen", {}), n_samples=100)
    fields = {"focus": "mine", "controls": {}, "n_samples": 100, **changes}
    return Page(table, manifest, rows, **fields)


def test_a_page_opens_with_the_control_test_where_all_controls_are_there() -> None:
    page = make_page(LEVELS, controls=CONTROLS)
    found = control_test(page.runs, "mine", CONTROLS, n_samples=100)
    assert headline(page) == found.sentence
    assert found.sentence.startswith("mine learned: +")
    many = control_test(page.runs, "mine", CONTROLS, n_samples=300)
    assert headline(page, n_samples=300) == many.sentence != found.sentence
    seen = make_page(LEVELS, controls=CONTROLS, manifest={"seen": {"mine": ["kin of set0"]}})
    rest = page.runs[page.runs["dataset"] != "set0"]
    assert headline(seen) == control_test(rest, "mine", CONTROLS, n_samples=100).sentence


def test_a_page_without_controls_says_what_is_missing() -> None:
    page = make_page({"random": 0.5, "margin": 0.6, "mine": 0.7})
    against = page.row.against
    assert headline(page) == (
        f"mine: {against['margin']}; {against['random']}. Without untrained and shuffled copies "
        "nobody can say whether it learned."
    )
    alone = make_page({"mine": 0.7})
    assert headline(alone).startswith("mine: nothing to compare with. Without untrained and")
    about_random = make_page(LEVELS, focus="random", controls=CONTROLS)
    said = headline(about_random)
    assert said == f"random: {about_random.row.against['margin']}."


def test_without_a_baseline_nothing_can_be_detected() -> None:
    alone = make_page({"mine": 0.7})
    assert evidence(alone) == []
    assert power_text(alone) == "Nothing to compare with, so no difference can be detected."
    said = power_text(make_page({"random": 0.5, "margin": 0.6, "mine": 0.7}))
    assert said.startswith("With 4 data sets of 2 paired runs, a spread of 0.")
    assert "mean differences from margin under 0." in said
    said = power_text(make_page({"random": 0.5, "mine": 0.7}))
    assert "mean differences from random under 0." in said


def test_a_page_is_about_the_best_policy_then_the_best_strategy() -> None:
    def row(strategy: str, role: str = "policy", n_sets: int = 3) -> Any:
        return SimpleNamespace(strategy=strategy, role=role, n_sets=n_sets)

    oracle, rule = row("@oracle_seen", "oracle"), row("entropy", "strategy")
    assert _focus([oracle, rule, row("p"), row("q")], {}) == "p"
    assert _focus([oracle, rule, row("p"), row("q")], {"untrained": ["p"]}) == "q"
    assert _focus([row("p", n_sets=0), row("q")], {}) == "q"
    assert _focus([oracle, row("margin", "strategy"), rule], {}) == "entropy"
    assert _focus([oracle, row("margin", "strategy"), row("random", "strategy")], {}) == "margin"


def test_failures_are_counted_and_listed() -> None:
    failed = {"n_labels": N[:0], "metrics": {}, "status": "failed", "error": "boom"}
    late = {**failed, "status": "timed out", "error": "too slow"}
    page = make_page(
        {"random": 0.5},
        make_result("mine", "set1", 0, 0.0, **failed),
        make_result("mine", "set1", 1, 0.0, **failed),
        make_result("mine", "set0", 1, 0.0, **late),
    )
    found = failure_rows(page)
    assert found["total"] == 3
    same = {"strategy": "mine", "learner": "knn"}
    assert found["counts"] == [
        {**same, "dataset": "set0", "status": "timed out", "runs": 1},
        {**same, "dataset": "set1", "status": "failed", "runs": 2},
    ]
    assert {
        "what": "mine, set1, knn, split 1, start 0", "status": "failed", "error": "boom",
    } in found["listed"]  # fmt: skip
    assert len(found["listed"]) == 3
    none = failure_rows(make_page({"random": 0.5}))
    assert none == {"total": 0, "counts": [], "listed": []}


def test_what_was_seen_in_training_is_named() -> None:
    methods: list[dict[str, Any]] = [
        {"label": "mine", "spec": "policy:x", "sha256": "9" * 64, "role": "policy"},
        {"label": "own", "spec": "x.py:rule", "sha256": "8" * 64, "role": "strategy"},
        {"label": "margin", "spec": "margin", "sha256": "", "role": "strategy"},
    ]
    methods = [{"options": "{}", "seen": [], **method} for method in methods]
    seen = {"mine": ["kin of set2", "else"], "own": []}
    levels = {"margin": 0.6, "mine": 0.7, "own": 0.5, "stranger": 0.4}
    page = make_page(levels, manifest={"methods": methods, "seen": seen})
    found = {row["strategy"]: row for row in what_was_seen(page)}
    assert found["mine"] == {
        "strategy": "mine", "kind": "policy file", "sha256": "9" * 16,
        "families": "else, kin of set2", "sets": "set2",
    }  # fmt: skip
    none = "none of these data sets"
    assert found["own"] == {
        "strategy": "own", "kind": "Python file", "sha256": "8" * 16, "families": "-", "sets": none,
    }  # fmt: skip
    for name in ("margin", "stranger"):
        assert found[name] == {
            "strategy": name, "kind": "rule", "sha256": "", "families": "-", "sets": none,
        }  # fmt: skip
    unnamed = make_page(levels, manifest={"methods": methods, "seen": {}})
    (mine,) = [row for row in what_was_seen(unnamed) if row["strategy"] == "mine"]
    assert mine["families"] == "none named on its card"


def test_keys_of_runs_are_found_by_their_places() -> None:
    page = make_page({"random": 0.5, "margin": 0.6})
    found = run_index(page)
    assert found["dataset"] == [f"set{d}" for d in range(4)]
    assert (found["learner"], found["strategy"]) == (["knn"], ["margin", "random"])
    assert found["runs"] == [(0, 0), (1, 0)]
    assert len(found["keys"]) == 16
    assert found["keys"]["2.0.1.1"] == "random-set2-1-0123456789"[:12]


@pytest.mark.parametrize("engine", [None, "fast@1", "other@1"])
def test_a_rerun_goes_to_what_executed_it(monkeypatch: Any, engine: Any) -> None:
    old = make_result("mine", "set0", 0, 0.7, queried=np.array([3, 1]))
    run = SimpleNamespace(engine="reference" if engine != "fast@1" else "fast@1")
    given: list[Any] = []

    def execute(what: Any) -> Any:
        given.append(what)
        return old

    class Engine:
        name = engine

        def execute(self, runs: Any) -> Any:
            given.append(list(runs))
            return [old]

    monkeypatch.setattr(replay, "find_result", lambda store, prefix: old)
    monkeypatch.setattr(replay, "restore", lambda store, result, engine: run)
    monkeypatch.setattr(replay, "execute", execute)
    store: Any = "store"
    fast: Any = None if engine is None else Engine()
    assert replay.rerun(store, "mine", fast) == replay.Rerun(old.key, same=True, largest=0.0)
    assert given == [[run] if engine == "fast@1" else run]


def test_a_rerun_that_differs_says_by_how_much(monkeypatch: Any) -> None:
    old = make_result("mine", "set0", 0, 0.75, queried=np.array([3, 1]))
    new: list[RunResult] = []
    monkeypatch.setattr(replay, "find_result", lambda store, prefix: old)
    monkeypatch.setattr(replay, "restore", lambda store, result, engine: None)
    monkeypatch.setattr(replay, "execute", lambda run: new[0])
    store: Any = "store"

    def rerun(**changes: Any) -> replay.Rerun:
        fields = {"queried": old.queried, "level": 0.75, **changes}
        new[:] = [make_result("mine", "set0", 0, fields.pop("level"), **fields)]
        return replay.rerun(store, "mine")

    assert rerun() == replay.Rerun(old.key, same=True, largest=0.0)
    assert rerun(level=0.5) == replay.Rerun(old.key, same=False, largest=0.25)
    other = rerun(queried=np.array([1, 3]))
    assert (other.same, other.largest) == (False, 0.0)
    short = rerun(n_labels=N[:2], metrics={"accuracy": np.full(2, 0.75)})
    assert not short.same
    assert np.isnan(short.largest)
