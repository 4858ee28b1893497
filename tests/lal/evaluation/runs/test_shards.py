"""Shards: parts by content address, killed and resumed, merged into what one process gives."""

import contextlib
import os
import signal
from types import SimpleNamespace
from typing import ClassVar

import pytest

from lal.data.dataset import make_dataset
from lal.errors import DataError, MissingDependencyError, UsageError
from lal.evaluation import EvaluationConfig, evaluate, prepare_shards
from lal.evaluation.analysis.tables import long_table
from lal.evaluation.runs import launch
from lal.evaluation.runs.backends import WorkersLostError
from lal.evaluation.runs.launch import cluster_options
from lal.evaluation.runs.methods import parse_methods
from lal.evaluation.runs.runner import execute_runs, plan
from lal.evaluation.runs.shards import (
    Shard,
    all_shards,
    find_shards,
    merge_stores,
    take_shard,
)
from lal.evaluation.runs.store import RunStore

COLUMNS = [
    "run_key", "strategy", "dataset", "learner", "split", "start", "status", "n_labels",
    "accuracy", "balanced_accuracy", "log_likelihood", "area",
]  # fmt: skip


class KilledError(Exception):
    """Stands for the end of a process."""


def config_for(folder, **changes):
    fields = {
        "suite": (), "strategies": ("random", "margin"), "learners": ("gaussian_nb",), "runs": 5,
        "budget": 6, "out": folder, "store_format": "json",
    }  # fmt: skip
    return EvaluationConfig(**{**fields, **changes})


def table(folder):
    return long_table(RunStore(folder, "json"))[COLUMNS]


@pytest.fixture(scope="module")
def one(datasets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    evaluate(config_for(folder), data=datasets)
    return table(folder)


def test_every_run_is_in_one_shard_whatever_else_is_listed(datasets, protocol, tmp_path):
    store = RunStore(tmp_path, "json")

    def parts(names):
        work = plan(protocol, datasets, ["gaussian_nb"], parse_methods(names), store=store)
        return work, [{r.key for r in take_shard(work, s).runs} for s in all_shards(3)]

    work, three = parts(["random", "margin"])
    assert sorted(key for part in three for key in part) == sorted(r.key for r in work.runs)
    assert all(three)
    more = parts(["margin", "entropy", "random"])[1]
    assert all(few < many for few, many in zip(three, more, strict=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [("2", "NUMBER/OF"), ("a/4", "got 'a/4'"), ("0/4", "no shard 0 of 4"), ("5/4", "from 1")],
)
def test_a_shard_that_there_is_not_is_refused(text, message):
    with pytest.raises(UsageError, match=message):
        Shard.parse(text)


def test_four_shards_with_one_killed_give_what_one_process_gives(datasets, one, tmp_path):
    whole = config_for(tmp_path / "whole")
    assert prepare_shards(whole, data=datasets) == 30
    assert not (whole.out / "cells").exists()

    def dies(progress):
        if progress.done == 3:
            raise KilledError

    parts = [config_for(whole.out, shard=f"{n}/4") for n in range(1, 5)]
    with pytest.raises(KilledError):
        evaluate(parts[1], data=datasets, progress=dies)
    done = [evaluate(part, data=datasets).done for part in parts]
    assert done[1].found == 3
    assert sum(d.found + d.executed for d in done) == 30
    store = RunStore(whole.out, "json")
    shards = [RunStore.existing(folder) for folder in find_shards(whole.out)]
    assert sum(merge_stores(store, shards).values()) == 30
    assert sum(merge_stores(store, shards).values()) == 0
    assert table(whole.out).equals(one)
    again = evaluate(whole, data=datasets)
    assert (again.done.found, again.done.executed) == (30, 0)
    # what was merged is not executed again by a shard
    assert evaluate(config_for(whole.out, shard="1/3"), data=datasets).done.executed == 0


def test_shards_without_a_plan_make_a_whole_with_a_manifest(datasets, one, tmp_path):
    for number in (1, 2):
        evaluate(config_for(tmp_path / "parts", shard=f"{number}/2"), data=datasets)
    into = RunStore(tmp_path / "into", "json")
    merge_stores(into, map(RunStore.existing, find_shards(tmp_path / "parts")))
    assert table(into.folder).equals(one)
    assert into.manifest()["config"]["shard"] == ""
    assert len(into.listed()) == 30
    assert into.verify().missing == 0


def test_stores_of_other_protocols_are_not_merged(datasets, tmp_path):
    evaluate(config_for(tmp_path / "a", shard="1/2"), data=datasets)
    evaluate(config_for(tmp_path / "b", shard="1/2", budget=3), data=datasets)
    found = [*find_shards(tmp_path / "a"), *find_shards(tmp_path / "b")]
    with pytest.raises(DataError, match="different protocols; merge only shards of one"):
        merge_stores(RunStore(tmp_path / "c", "json"), map(RunStore.existing, found))
    assert not (tmp_path / "c").exists()


def test_options_of_a_cluster():
    assert cluster_options(["mem_gb=4", "slurm_partition=cpu"]) == {
        "mem_gb": 4, "slurm_partition": "cpu",
    }  # fmt: skip
    with pytest.raises(UsageError, match="NAME=VALUE, got 'mem_gb'"):
        cluster_options(["mem_gb"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"backend": "local", "jobs": 2, "cluster": ("cores=1",)}, "go with dask"),
        ({"backend": "dask", "cluster": ("kind=cray", "cores=1")}, "kind of cluster 'cray'; known"),
    ],
)
def test_options_that_nobody_takes_are_refused(flags, message, datasets, tmp_path):
    pytest.importorskip("distributed")
    with pytest.raises(UsageError, match=message):
        evaluate(config_for(tmp_path, **flags), data=datasets)


def test_submitit_is_named_with_its_extra(datasets, tmp_path, monkeypatch):
    def absent(module, extra):
        raise MissingDependencyError(f"{module} is not installed; run: pip install 'x[{extra}]'")

    monkeypatch.setattr(launch, "require", absent)
    with pytest.raises(MissingDependencyError, match=r"submitit.*pip install 'x\[slurm\]'"):
        evaluate(config_for(tmp_path, backend="submitit"), data=datasets)


class FakeExecutor:
    """Runs a job when it is submitted, as submitit does elsewhere and later."""

    parameters: ClassVar[dict[str, object]] = {}

    def __init__(self, folder, cluster):
        self.cluster = cluster or "slurm"

    def update_parameters(self, **parameters):
        FakeExecutor.parameters = parameters

    def batch(self):
        return contextlib.nullcontext()

    def submit(self, function, *arguments):
        try:
            function(*arguments)
        except KilledError as error:
            return SimpleNamespace(done=lambda: True, exception=lambda error=error: error)
        return SimpleNamespace(done=lambda: True, exception=lambda: None)


def test_a_failed_job_keeps_what_it_finished(datasets, one, tmp_path, monkeypatch):
    config = config_for(tmp_path / "jobs", backend="submitit", jobs=2, cluster=("mem_gb=4",))
    whole = launch.ShardJob.__call__

    def dies(job):
        if "2-of-2" in str(job.store.folder):
            execute_runs(type(job.part)(job.part.runs, job.part.missing[:3]), job.store)
            raise KilledError("the node went down")
        return whole(job)

    monkeypatch.setattr(launch, "require", lambda *_: SimpleNamespace(AutoExecutor=FakeExecutor))
    monkeypatch.setattr(launch.ShardJob, "__call__", dies)
    with pytest.raises(WorkersLostError, match=r"1 of 2 jobs .* number 2: .*same command again"):
        evaluate(config, data=datasets)
    assert FakeExecutor.parameters == {"mem_gb": 4}
    kept = len(RunStore(config.out, "json").keys())
    assert 3 < kept < 30
    monkeypatch.setattr(launch.ShardJob, "__call__", whole)
    done = evaluate(config, data=datasets).done
    assert (done.found, done.executed, done.failed) == (kept, 30 - kept, 0)
    assert table(config.out).equals(one)


def test_the_end_of_a_job_is_not_the_failure_of_a_run(datasets, tmp_path, monkeypatch):
    submitit_error = ValueError("Job not requeued because: timed-out too many times.")

    def stop(_number, _frame):
        raise submitit_error

    class SignalledLearner:
        name = "gaussian_nb"

        def fit(self, *arguments, **options):
            signal.raise_signal(signal.SIGUSR2)

    store = RunStore(tmp_path / "job", "json")
    protocol = EvaluationConfig(runs=2, budget=6).make_protocol()
    methods = parse_methods(["random"])
    work = plan(protocol, datasets, ["gaussian_nb"], methods, store=store)
    job = launch.ShardJob(work, store, launch.Limits())
    before = signal.signal(signal.SIGUSR2, stop)
    try:
        monkeypatch.setattr(
            "lal.evaluation.runs.run.read_learner", lambda *_, **__: SignalledLearner()
        )
        with pytest.raises(WorkersLostError, match="timed-out too many times"):
            job()
        assert signal.getsignal(signal.SIGUSR2) is stop
        assert store.keys() == []
        monkeypatch.undo()
        assert job().executed == len(work.runs)
    finally:
        signal.signal(signal.SIGUSR2, before)


def job_processes():
    psutil = pytest.importorskip("psutil", reason="psutil, which finds the jobs, is absent")
    kin = psutil.Process().children(recursive=True)
    return [p.pid for p in kin if any("submitit.core._submit" in part for part in p.cmdline())]


class KillsOneJob:
    """A progress report that kills one job once runs are there."""

    def __init__(self):
        self.killed = 0

    def __call__(self, progress):
        if not self.killed and progress.done:
            pid = job_processes()[0]
            os.kill(pid, signal.SIGKILL)
            self.killed = pid


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_submitit_on_this_machine_with_a_job_killed_and_resumed(datasets, tmp_path):
    pytest.importorskip("submitit")
    big = [make_dataset(d.name, d.X, d.y, source=d.source, family=d.family) for d in datasets]
    runs = {"runs": 40, "budget": 10}
    flags = {**runs, "backend": "submitit", "jobs": 2, "cluster": ("cluster=local",)}
    config = config_for(tmp_path / "jobs", **flags)
    kill = KillsOneJob()
    with pytest.raises(WorkersLostError, match="1 of 2 jobs did not finish"):
        evaluate(config, data=big, progress=kill)
    assert kill.killed
    kept = len(RunStore(config.out, "json").keys())
    assert 0 < kept < 240
    done = evaluate(config, data=big).done
    assert (done.found, done.executed, done.failed) == (kept, 240 - kept, 0)
    evaluate(config_for(tmp_path / "one", **runs), data=big)
    assert table(config.out).equals(table(tmp_path / "one"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_dask_workers_that_are_jobs_of_a_queue(datasets, one, tmp_path):
    pytest.importorskip("dask_jobqueue")
    options = ("kind=local", "cores=1", "processes=1", "memory=1GB")
    config = config_for(tmp_path / "queue", backend="dask", jobs=2, cluster=options)
    assert evaluate(config, data=datasets).done.executed == 30
    assert table(config.out).equals(one)
