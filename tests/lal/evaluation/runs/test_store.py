"""Run store: idempotent, mergeable, and what is damaged is set aside."""

import errno
import os

import numpy as np
import pytest

from lal.errors import DataError, MissingDependencyError, UsageError
from lal.evaluation.analysis.tables import read_table
from lal.evaluation.runs import store as store_module
from lal.evaluation.runs.run import RunResult
from lal.evaluation.runs.store import RunStore, StoreError


def result(key="ab" * 20, status="done", value=0.123456789012345678):
    done = status == "done"
    return RunResult(
        key=key,
        status=status,
        about={"dataset": "d", "family": "f", "learner": "l", "split": 0, "start": 1,
               "strategy": "s", "metric": "accuracy", "n_all_seen": None},
        n_labels=np.array([2, 3]) if done else np.zeros(0, dtype=np.int64),
        metrics={"accuracy": np.array([value, 0.5])} if done else {},
        queried=np.array([4, 0, 1]),
        seconds=0.1,
        error="" if done else "Traceback",
    )  # fmt: skip


@pytest.fixture(params=["parquet", "json"])
def store(request, tmp_path):
    return RunStore(tmp_path / "store", request.param)


def test_round_trip_is_exact(store):
    written = result()
    store.put(written)
    read = store.get(written.key)
    assert read is not None
    assert read.about == written.about
    assert read.metrics["accuracy"].tolist() == written.metrics["accuracy"].tolist()
    assert read.n_labels.tolist() == [2, 3]
    assert read.queried.tolist() == [4, 0, 1]
    assert read.queried.dtype == read.n_labels.dtype == np.int64


def test_a_failure_is_kept_with_its_traceback_and_a_success_replaces_it(store):
    store.put(result(status="failed"))
    assert store.get("ab" * 20).error == "Traceback"
    store.put(result())
    assert store.get("ab" * 20).status == "done"
    store.put(result(value=0.9))
    assert store.get("ab" * 20).metrics["accuracy"][0] != 0.9
    assert len(store.keys()) == 1


@pytest.mark.parametrize("formats", [("parquet", "json"), ("json", "parquet")])
def test_of_two_files_of_one_run_the_success_counts(formats, tmp_path):
    failed, done = formats
    for form, status in ((failed, "failed"), (done, "done")):
        other = RunStore(tmp_path / form, form)
        other.put(result(status=status))
        path = other.find("ab" * 20)
        assert path is not None
        to = tmp_path / "both" / "cells" / "ab" / path.name
        to.parent.mkdir(parents=True, exist_ok=True)
        path.rename(to)
    both = RunStore(tmp_path / "both", "json")
    kept = both.get("ab" * 20)
    assert kept is not None
    assert kept.status == "done"
    assert both.verify().counts == {"done": 1}


@pytest.mark.parametrize("damage", ["torn", "flipped", "empty"])
def test_damage_is_set_aside_and_counts_as_missing(store, damage):
    store.put(result())
    path = store.find("ab" * 20)
    content = path.read_bytes()
    if damage == "flipped":
        at = content.index(b'"seconds"')
        content = content[:at] + b'"sEconds"' + content[at + 9 :]
    path.write_bytes({"torn": content[:-30], "flipped": content, "empty": b""}[damage])
    assert store.get("ab" * 20) is None
    assert store.keys() == []
    assert len(store.verify().quarantined) == 1
    store.put(result())
    assert store.get("ab" * 20) is not None


def test_a_changed_value_is_noticed(tmp_path):
    store = RunStore(tmp_path, "json")
    store.put(result(value=0.25))
    path = store.path("ab" * 20)
    path.write_text(path.read_text().replace("0.25", "0.26"))
    assert store.get("ab" * 20) is None


def test_merge_takes_what_is_missing(store, tmp_path):
    other = RunStore(tmp_path / "other", "json")
    store.put(result())
    other.put(result(value=0.9))
    other.put(result(key="cd" * 20))
    assert store.merge(other) == 1
    assert store.merge(other) == 0
    assert store.get("ab" * 20).metrics["accuracy"][0] != 0.9


def test_leftovers_of_a_killed_write_are_no_runs(store):
    store.put(result())
    path = store.find("ab" * 20)
    path.with_name(f".{path.name}.123.part").write_bytes(b"half")
    assert len(store.keys()) == len(list(store)) == 1


def test_manifest_chooses_the_table(store):
    store.put(result())
    store.put(result(key="cd" * 20))
    assert read_table(store)["run_key"].nunique() == 2
    store.write_manifest({"command": "x"}, ["cd" * 20])
    assert read_table(store)["run_key"].unique().tolist() == ["cd" * 20]
    assert store.manifest() == {"command": "x"}


def test_no_store_no_runs_no_pyarrow(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="no run store"):
        RunStore.existing(tmp_path)
    with pytest.raises(UsageError, match="holds no runs"):
        read_table(RunStore(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        RunStore(tmp_path / "file")

    def absent(module, extra):
        raise MissingDependencyError(f"{module} is not installed; run: pip install '[{extra}]'")

    monkeypatch.setattr(store_module, "require", absent)
    with pytest.raises(MissingDependencyError, match="tables"):
        RunStore(tmp_path, "parquet")
    RunStore(tmp_path, "json").put(result())


def test_a_success_elsewhere_replaces_a_failure_here_and_counts_once(tmp_path):
    parquet, json_store = RunStore(tmp_path, "parquet"), RunStore(tmp_path, "json")
    parquet.put(result(status="failed"))
    json_store.put(result())
    assert [r.status for r in parquet] == ["done"]
    assert len(parquet.files()) == 1
    other = RunStore(tmp_path / "other", "json")
    other.put(result(status="failed"))
    assert other.merge(parquet) == 1
    assert [r.status for r in other] == ["done"]
    assert parquet.merge(other) == 0


def test_a_file_under_another_name_is_damage(store):
    store.put(result())
    path = store.find("ab" * 20)
    wrong = path.with_name("ab" + "cd" * 19 + path.suffix)
    wrong.write_bytes(path.read_bytes())
    assert store.get(wrong.stem) is None
    assert store.get("ab" * 20) is not None
    assert store.verify().counts == {"done": 1}


def test_a_disk_that_does_not_answer_quarantines_nothing(store, monkeypatch):
    store.put(result())

    def refuse(path):
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(type(store.folder), "read_bytes", refuse)
        with pytest.raises(StoreError, match="too many open files"):
            store.get("ab" * 20)
    assert store.get("ab" * 20) is not None


def test_verify_counts_and_clears_old_leftovers_only(store):
    store.put(result())
    store.put(result(key="cd" * 20, status="failed"))
    store.write_manifest({}, ["ab" * 20, "ef" * 20])
    old, new = (store.folder / "cells" / "ab" / f".{n}.1.part" for n in ("old", "new"))
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (0, 0))
    found = store.verify()
    assert found.counts == {"done": 1, "failed": 1}
    assert found.missing == 1
    assert [p.name for p in found.quarantined] == [".old.1.part.0"]
    assert new.exists()
