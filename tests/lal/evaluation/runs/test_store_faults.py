"""Run store under faults: at every write, flush and rename, nothing is lost or counted twice."""

import errno
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lal import serialization as records
from lal.errors import LalError
from lal.evaluation.runs.run import RunResult
from lal.evaluation.runs.store import RunStore, StoreError

KEYS = ["aa" * 20, "bb" * 20, "cc" * 20]
OPERATIONS = ("open", "write", "fsync", "replace")


def run(key, status="done"):
    done = status == "done"
    return RunResult(
        key=key,
        status=status,
        about={"dataset": "d", "metric": "accuracy"},
        n_labels=np.array([2, 3]) if done else np.zeros(0, dtype=np.int64),
        metrics={"accuracy": np.array([0.25, 0.5])} if done else {},
        queried=np.array([4, 0, 1]),
        error="" if done else "Traceback",
    )


class Fault:
    """Counts the operations on the disk and spoils the n-th."""

    def __init__(self, at: int, spoil: Callable[..., Any]) -> None:
        self.at, self.spoil, self.count = at, spoil, 0

    def wrap(self, name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def operation(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self.at:
                return self.spoil(name, real, *arguments)
            return real(*arguments, **options)

        return operation


class FaultyOs:
    """The module os with a fault in it."""

    def __init__(self, fault: Fault) -> None:
        for name in OPERATIONS:
            setattr(self, name, fault.wrap(name))

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


def full_disk(name, real, *arguments):
    """Take half of a write, then refuse; refuse everything else at once."""
    if name == "write":
        real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
    raise OSError(errno.ENOSPC, "No space left on device")


def killed(name, real, *arguments):
    """Tear a write and die on the spot."""
    if name == "write":
        real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
    os._exit(9)


def short_write(name, real, *arguments):
    """Take one byte: legal, and no reason to lose the rest."""
    return real(arguments[0], bytes(arguments[1])[:1]) if name == "write" else real(*arguments)


def work(store):
    """Two runs are new; the third replaces a failure."""
    for key in KEYS:
        store.put(run(key))


def prepared(folder, format):
    store = RunStore(folder, format)
    store.put(run(KEYS[2], "failed"))
    return store


def check_sound(folder, format):
    """Nothing torn, nothing twice; the old failure or its success is there; work ends it."""
    store = RunStore(folder, format)
    assert store.verify().quarantined == ()
    assert store.get(KEYS[2]) is not None
    assert len(list(store)) == len(store.keys()) == len(store.files())
    work(store)
    assert [r.status for r in store] == ["done"] * 3
    assert [r.metrics["accuracy"].tolist() for r in store] == [[0.25, 0.5]] * 3


@pytest.fixture(params=["json", "parquet"])
def format(request):
    return request.param


def operations(tmp_path, format, monkeypatch):
    store = prepared(tmp_path / "count", format)
    fault = Fault(-1, full_disk)
    with monkeypatch.context() as patch:
        patch.setattr(records, "os", FaultyOs(fault))
        work(store)
    return fault.count


def test_a_full_disk_at_every_step_harms_nothing(format, tmp_path, monkeypatch):
    total = operations(tmp_path, format, monkeypatch)
    assert total == 3 * 7  # open, write, open, fsync, replace, and open, fsync of the folder
    for at in range(1, total + 1):
        store = prepared(tmp_path / str(at), format)
        with monkeypatch.context() as patch:
            patch.setattr(records, "os", FaultyOs(Fault(at, full_disk)))
            with pytest.raises(StoreError, match=r"No space left.*run the same command again"):
                work(store)
        assert not list(store.folder.glob("**/*.part"))
        check_sound(tmp_path / str(at), format)


def test_short_writes_lose_nothing(format, tmp_path, monkeypatch):
    for at in (2, 3):
        store = prepared(tmp_path / str(at), format)
        with monkeypatch.context() as patch:
            patch.setattr(records, "os", FaultyOs(Fault(at, short_write)))
            work(store)
        check_sound(tmp_path / str(at), format)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_killed_at_every_step_loses_nothing(tmp_path, monkeypatch):
    total = operations(tmp_path, "json", monkeypatch)
    for at in range(1, total + 1):
        folder = tmp_path / str(at)
        store = prepared(folder, "json")
        child = os.fork()
        if child == 0:
            records.os = FaultyOs(Fault(at, killed))  # type: ignore[assignment, attr-defined]
            work(store)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        check_sound(folder, "json")


@pytest.mark.parametrize("format", ["parquet", "json"])
def test_a_flipped_bit_is_noticed_and_set_aside(tmp_path, format):
    pytest.importorskip("pyarrow")
    store = RunStore(tmp_path, format)
    store.put(run(KEYS[0]))
    path = store.path(KEYS[0])
    whole = path.read_bytes()
    for bit in range(0, 8 * len(whole), 7):  # pyarrow raises NotImplementedError on some
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        found = store.get(KEYS[0])
        assert found is None or found.metrics["accuracy"].tolist() == [0.25, 0.5]
        for aside in (tmp_path / "quarantine").glob("*"):
            aside.unlink()


@pytest.mark.parametrize("content", ["[1]", '{"protocol": 3}', "[" * 50_000, '"x"'])
def test_a_manifest_of_the_wrong_kind_is_named(tmp_path, content):
    store = RunStore(tmp_path, "json")
    store.write_manifest({}, [])
    (tmp_path / "evaluation.json").write_text(content)
    with pytest.raises(LalError, match=r"evaluation\.json"):
        store.manifest()
    (tmp_path / "cells.json").write_text(content.replace("[1]", "[1, 2]"))
    with pytest.raises(LalError, match=r"cells\.json"):
        store.listed()
