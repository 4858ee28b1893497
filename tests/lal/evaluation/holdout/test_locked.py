"""Locked suites by hand: what is loaded, what a policy's training forbids, what is logged."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lal.errors import DataError, UsageError
from lal.evaluation.holdout import access_log, locked
from lal.evaluation.holdout.access_log import read_access_log
from lal.evaluation.holdout.locked import (
    load_all,
    load_evaluated,
    locked_suites,
    log_accesses,
)
from lal.evaluation.holdout.partition import check_locked
from lal.evaluation.runs.methods import MethodSpec
from lal.evaluation.runs.protocol import Protocol

loaded: list[str] = []


class Suite:
    def __init__(self, name: str, names: list[str], log: Path | None = None) -> None:
        self.name, self.names, self.log = name, names, log
        self.entries = [SimpleNamespace(name=n, family=f"kin of {n}", source=n) for n in names]

    def __getitem__(self, name: str) -> Any:
        loaded.append(name)
        return SimpleNamespace(name=name, family=f"kin of {name}", source=name)


@pytest.fixture(autouse=True)
def suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    loaded.clear()
    known = {
        "open": Suite("open", ["a", "b"]),
        "shut": Suite("shut", ["c", "d"], tmp_path / "log.jsonl"),
    }
    monkeypatch.setattr(locked, "load_suite", known.__getitem__)
    single = SimpleNamespace(name="one", family="kin of one", source="one")
    monkeypatch.setattr(locked, "load_dataset", lambda name: single)
    return known


def test_locked_suites_are_those_with_a_log(suites: Any) -> None:
    assert locked_suites(["open", "shut", "sklearn:iris"]) == [suites["shut"]]
    assert loaded == []


def test_wanted_data_sets_are_loaded_in_order() -> None:
    assert [d.name for d in load_all(["shut", "x:one", "open"])] == ["c", "d", "one", "a", "b"]
    loaded.clear()
    assert [d.name for d in load_all(["open", "shut"], ["d", "a"])] == ["a", "d"]
    assert loaded == ["a", "d"]
    with pytest.raises(UsageError, match="data sets y, z are in none of open, shut"):
        load_all(["open", "shut"], ["z", "a", "y"])


def test_relatives_of_locked_data_sets_forbid_access_before_anything_is_loaded() -> None:
    seen = {"mine": ["kin of c"]}
    with pytest.raises(DataError, match=r"mine.*; nothing was accessed: leave these policies out"):
        load_evaluated(["open", "shut"], [], seen)
    assert loaded == []
    assert [d.name for d in load_evaluated(["open", "shut"], ["d", "a"], seen)] == ["a", "d"]
    open_only = load_evaluated(["open"], [], {"mine": ["kin of a"]})  # marked later, not refused
    assert [d.name for d in open_only] == ["a", "b"]


def test_a_family_that_only_the_content_shows_counts_too(suites: Any) -> None:
    suites["shut"].entries[0].family = "unknown"
    with pytest.raises(DataError, match="nothing was accessed"):
        load_evaluated(["shut"], [], {"mine": ["kin of c"]})
    assert loaded == ["c", "d"]


def test_an_evaluation_logs_its_policy_files_once(suites: Any, tmp_path: Path) -> None:
    methods = [MethodSpec("margin", "margin"), MethodSpec("mine", "policy:x", sha256="ab")]
    first = log_accesses([suites["shut"], suites["open"]], Protocol(), methods)
    again = log_accesses([suites["shut"]], Protocol(), methods)
    assert first == again
    (line,) = read_access_log(tmp_path / "log.jsonl")
    assert (line.suite, line.protocol, line.policies) == ("shut", Protocol().hash, {"mine": "ab"})
    assert line.previous == access_log.FIRST == "0" * 64
    assert first[0]["suite"] == "shut"
    log_accesses([suites["shut"]], Protocol(seed=1), methods)
    second = read_access_log(tmp_path / "log.jsonl")[1]
    assert second.previous == access_log._line_hash(line)


def test_accesses_to_several_locked_suites_are_all_told(suites: Any, tmp_path: Path) -> None:
    other: Any = Suite("other", ["e"], tmp_path / "other.jsonl")
    found = log_accesses([suites["shut"], other], Protocol(), [])
    assert [access["suite"] for access in found] == ["shut", "other"]
    assert len(read_access_log(tmp_path / "other.jsonl")) == 1


def test_nothing_seen_forbids_nothing() -> None:
    entries: Any = [SimpleNamespace(name="c", family="f", source="c")]
    check_locked(entries, {})
    check_locked(entries, {"mine": ["g"]})
    with pytest.raises(DataError, match="mine"):
        check_locked(entries, {"other": [], "mine": ["g", "f"]})
