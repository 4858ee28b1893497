"""Jobs by a stand-in of submitit: shards, stores, limits, and what becomes of lost jobs."""

from contextlib import contextmanager, nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from lal.data.dataset import make_dataset
from lal.errors import UsageError
from lal.evaluation.runs import launch, runner
from lal.evaluation.runs.backends import WorkersLostError
from lal.evaluation.runs.launch import (
    Limits,
    ShardJob,
    _error,
    _submit,
    _Watch,
    absorb_jobs,
    cluster_options,
)
from lal.evaluation.runs.methods import MethodSpec
from lal.evaluation.runs.protocol import Protocol, Repetition
from lal.evaluation.runs.run import DONE, FAILED, Run, RunResult
from lal.evaluation.runs.runner import Plan
from lal.evaluation.runs.shards import Shard
from lal.evaluation.runs.store import RunStore


@pytest.fixture(scope="module")
def runs() -> Any:
    data = make_dataset("w", [[0.0], [1.0]] * 20, [0, 1] * 20, source="made-up", family="kin")
    method = MethodSpec("m", "margin")
    one = Run(Protocol(), data, "knn", Repetition(0, 0), method)
    return tuple(replace(one, repetition=Repetition(i, 0)) for i in range(6))


class Executor:
    """Stands in for submitit's: keeps what it is given."""

    made: ClassVar[list[Any]] = []

    def __init__(self, **options: Any) -> None:
        self.options, self.cluster = options, options["cluster"] or "slurm"
        self.parameters: dict[str, Any] = {}
        self.jobs: list[Any] = []
        self.batches = 0
        self.made.append(self)

    def update_parameters(self, **parameters: Any) -> None:
        self.parameters = parameters

    @contextmanager
    def batch(self) -> Any:
        yield
        self.batches += 1

    def submit(self, job: Any) -> Any:
        assert not self.batches
        self.jobs.append(job)
        return f"handle {len(self.jobs)}"


@pytest.mark.parametrize("cluster", ["local", ""])
def test_every_job_is_a_shard_with_a_store_of_its_own(
    runs: Any, tmp_path: Any, monkeypatch: Any, cluster: str
) -> None:
    monkeypatch.setattr(Executor, "made", [])
    monkeypatch.setattr(
        launch, "require", lambda *name: {("submitit", "slurm"): SimpleNamespace(
            AutoExecutor=Executor)}[name],
    )  # fmt: skip
    store, limits = RunStore(tmp_path, "json"), Limits(run_seconds=2.0)
    options: dict[str, Any] = {"mem_gb": 4, **({"cluster": cluster} if cluster else {})}
    handles = _submit(Plan(runs, runs[1:]), store, 4, options, limits)
    (executor,) = Executor.made
    assert executor.options == {"folder": tmp_path / "jobs" / "logs", "cluster": cluster or None}
    endless = {"timeout_min": 60 * 24 * 365} if cluster else {}
    assert executor.parameters == {"mem_gb": 4, **endless}
    assert executor.batches == 1
    wanted = {i: [r for r in runs[1:] if r.key in Shard(i, 4)] for i in range(1, 5)}
    wanted = {i: missing for i, missing in wanted.items() if missing}
    assert list(handles) == list(wanted)
    assert list(handles.values()) == [f"handle {i + 1}" for i in range(len(wanted))]
    for (number, missing), job in zip(wanted.items(), executor.jobs, strict=True):
        assert list(job.part.missing) == missing
        assert job.store.folder == tmp_path / "jobs" / f"{number}-of-4"
        assert job.store.format == "json"
        assert job.limits is limits
    assert options.get("cluster", "") == cluster  # what the caller passed is left as it was


def test_a_job_executes_what_it_has_not_finished(
    runs: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    given: list[Any] = []

    def execute(*arguments: Any, **options: Any) -> str:
        given.append((*arguments, options))
        return "summary"

    monkeypatch.setattr(launch, "execute_runs", execute)
    store = RunStore(tmp_path, "json")
    store.put(RunResult(runs[2].key, FAILED, {}))
    job = ShardJob(Plan(runs, runs[1:], {("w", "knn", "m"): 2}), store, Limits(max_timeouts=3))
    found: Any = job()
    assert found == "summary"
    left = (runs[1], *runs[3:])
    limits = {"run_seconds": 0.0, "max_timeouts": 3, "engine": None}
    assert given == [(Plan(runs, left, {("w", "knn", "m"): 2}), store, limits)]

    def stopped(*arguments: Any, **options: Any) -> None:
        raise launch.JobEnded("time is up")

    monkeypatch.setattr(launch, "execute_runs", stopped)
    with pytest.raises(WorkersLostError, match=r"^time is up$"):
        job()
    again = {
        ("submitit.helpers", "slurm"): SimpleNamespace(DelayedSubmission=lambda j: ("later", j))
    }
    monkeypatch.setattr(launch, "require", lambda *name: again[name])
    assert job.checkpoint() == ("later", job)


def test_a_watch_tells_what_is_new(tmp_path: Any) -> None:
    def finish(shard: str, name: str) -> None:
        folder = tmp_path / "jobs" / shard / "cells" / name[:2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")

    finish("1-of-2", "aa1")
    watch = _Watch(tmp_path, 3, 0.0)
    told: list[Any] = []
    watch.tell(told.append)
    assert [(p.done, p.total, p.failed) for p in told] == [(0, 3, 0)]
    watch.tell(told.append)
    finish("2-of-2", "ab1")
    finish("1-of-2", "aa2")
    watch.tell(told.append)
    watch.tell(told.append)
    assert [p.done for p in told] == [0, 2]
    finish("1-of-2", "ac1")
    finish("1-of-2", "ad1")
    watch.tell(told.append)
    assert [p.done for p in told] == [0, 2, 3]  # never more than there are
    assert told[0].elapsed > 0


def test_why_a_job_did_not_finish_is_one_line() -> None:
    def failed(error: Any) -> str:
        return _error(SimpleNamespace(exception=lambda: error))

    assert failed(None) == ""
    assert failed(ValueError("first\nlast\n")) == "last"
    assert failed(ValueError()) == "ValueError()"


def test_options_of_a_cluster_are_names_and_values() -> None:
    assert cluster_options(["mem_gb=4", "queue=cpu", "x=a=b"]) == {
        "mem_gb": 4, "queue": "cpu", "x": "a=b",
    }  # fmt: skip
    for bad in ("=4", "mem_gb", "mem_gb="):
        with pytest.raises(UsageError, match=f"given as NAME=VALUE, got '{bad}'"):
            cluster_options([bad])


class Handle:
    """A job that is done after a number of looks."""

    def __init__(self, looks: int, error: str = "") -> None:
        self.looks, self.error = looks, error

    def done(self) -> bool:
        self.looks -= 1
        return self.looks < 0

    def exception(self) -> Any:
        return RuntimeError(self.error) if self.error else None


def launched(runs: Any, folder: Any, monkeypatch: Any, handles: dict[int, Handle]) -> Any:
    store = RunStore(folder, "json")
    job = RunStore(folder / "jobs" / "1-of-2", "json")
    for run, status in zip(runs[1:], (DONE, FAILED, DONE), strict=False):
        job.put(RunResult(run.key, status, {}))
    slept: list[float] = []
    monkeypatch.setattr(launch, "_submit", lambda *given: handles)
    monkeypatch.setattr("time.sleep", slept.append)
    told: list[Any] = []
    try:
        done = launch.launch(
            Plan(runs[:5], runs[1:5]), store, jobs=2, options={}, limits=Limits(),
            report=told.append,
        )  # fmt: skip
    finally:
        assert len(store.keys()) == 3  # what jobs finished is kept whatever becomes of them
    return done, slept, told


def test_an_evaluation_waits_for_its_jobs(runs: Any, tmp_path: Any, monkeypatch: Any) -> None:
    done, slept, told = launched(runs, tmp_path, monkeypatch, {1: Handle(2), 2: Handle(0)})
    assert slept == [1.0, 1.0]
    assert (done.found, done.executed, done.failed) == (1, 4, 2)  # one failed, one is missing
    assert done.seconds > 0
    assert done.memory[0] == done.memory[1] > 0
    assert [p.total for p in told] == [4]
    assert absorb_jobs(RunStore(tmp_path, "json")) == 0


def test_jobs_that_did_not_finish_are_named(runs: Any, tmp_path: Any, monkeypatch: Any) -> None:
    handles = {1: Handle(0), 3: Handle(1, "killed\nby SLURM"), 4: Handle(0, "memory")}
    said = (
        "2 of 3 jobs did not finish, the first number 3: by SLURM; finished runs were kept, run "
        r"the same command again \(logs are in '.*jobs/logs'\)"
    )
    with pytest.raises(WorkersLostError, match=said):
        launched(runs, tmp_path, monkeypatch, handles)


def test_memory_is_that_after_a_tenth_of_the_runs_and_at_the_end(monkeypatch: Any) -> None:
    """Of twenty runs the first two count; the most of all is asked for once more in the end."""
    runs: Any = tuple(SimpleNamespace(engine="fast", key=f"{i:040d}") for i in range(20))
    asked = iter(range(1, 99))
    told: list[Any] = []

    def workers(*given: Any, **options: Any) -> Any:
        return nullcontext("execute")

    class Engine:
        name = "fast"

        def execute(self, runs: Any) -> Any:
            for i, run in enumerate(runs):
                yield RunResult(run.key, FAILED if i in (3, 4) else DONE, {})

    monkeypatch.setattr(runner, "peak_memory", lambda: next(asked))
    monkeypatch.setattr(runner, "workers", workers)
    monkeypatch.setattr(runner, "_run_with_restarts", lambda execute, runs, timeouts: iter(runs))
    kept: list[str] = []
    store: Any = SimpleNamespace(put=lambda result: kept.append(result.key))
    engine: Any = Engine()
    found: Any = runner.execute_runs(
        Plan(runs + runs[:5], runs), store, engine=engine, report=told.append
    )
    assert found.memory == (2, 3)
    assert kept == [run.key for run in runs]
    assert (found.found, found.executed, found.failed) == (5, 20, 2)
    assert [(p.done, p.total, p.failed) for p in told][3:5] == [(4, 20, 1), (5, 20, 2)]
