"""Backends: the same store from one process, several, Dask and Ray, with a worker killed."""

import os
import signal
from contextlib import contextmanager

import pytest

from lal.errors import MissingDependencyError
from lal.evaluation.analysis.tables import long_table
from lal.evaluation.runs import backends
from lal.evaluation.runs.backends import WorkersLostError
from lal.evaluation.runs.methods import parse_methods
from lal.evaluation.runs.run import DONE, RunResult
from lal.evaluation.runs.runner import execute_runs, plan
from lal.evaluation.runs.store import RunStore

COLUMNS = [
    "run_key", "strategy", "dataset", "learner", "split", "start", "status", "n_labels",
    "accuracy", "balanced_accuracy", "log_likelihood", "area",
]  # fmt: skip


def execute_all(folder, datasets, protocol, **options):
    store = RunStore(folder, "json")
    methods = parse_methods(["random", "margin"])
    work = plan(protocol.with_runs(5), datasets, ["gaussian_nb"], methods, store=store)
    return store, execute_runs(work, store, **options)


def table(store):
    return long_table(store)[COLUMNS]


class KillsOneWorker:
    """A progress report that kills one worker process when the first runs are done."""

    def __init__(self, find):
        self.find = find
        self.killed = 0

    def __call__(self, progress):
        if not self.killed and 3 <= progress.done < progress.total:
            pids = self.find()
            assert pids, "no worker processes were found"
            os.kill(pids[0], signal.SIGKILL)
            self.killed = pids[0]


def loky_workers():
    from joblib.externals.loky import reusable_executor  # asking for it would make another one

    return list(reusable_executor._executor._processes)


def dask_workers():
    from distributed import Client

    return list(Client.current().run(os.getpid).values())


def ray_workers():
    psutil = pytest.importorskip("psutil", reason="psutil, which finds the workers, is absent")
    kin = psutil.Process().children(recursive=True)
    return [p.pid for p in kin if any("PoolActor" in part for part in p.cmdline())]


WORKERS = {"local": loky_workers, "dask": dask_workers, "ray": ray_workers}
NEEDS = {"local": "joblib", "dask": "distributed", "ray": "ray"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("backend", ["local", "dask", "ray"])
def test_the_same_store_from_every_backend_though_a_worker_dies(
    backend, datasets, protocol, tmp_path, monkeypatch
):
    pytest.importorskip(NEEDS[backend], reason=f"{backend} is an extra that is not installed")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    one, _ = execute_all(tmp_path / "one", datasets, protocol)
    kill = KillsOneWorker(WORKERS[backend])
    many, done = execute_all(
        tmp_path / "many", datasets, protocol, backend=backend, jobs=2, report=kill
    )
    assert kill.killed
    assert done.executed == 30
    assert done.failed == 0
    assert table(one).equals(table(many))


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_missing_package_is_named_with_its_install_command(
    backend, datasets, protocol, tmp_path, monkeypatch
):
    def absent(module, extra):
        raise MissingDependencyError(f"{module} is not installed; run: pip install 'x[{extra}]'")

    monkeypatch.setattr(backends, "require", absent)
    with pytest.raises(MissingDependencyError, match=rf"pip install 'x\[{backend}\]'"):
        execute_all(tmp_path, datasets, protocol, backend=backend, jobs=2)


def test_chunks_share_their_workers(datasets, protocol, tmp_path, monkeypatch):
    from joblib._parallel_backends import ThreadingBackend

    started = []
    configure = ThreadingBackend.configure

    def counted(self, *args, **options):
        started.append(1)
        return configure(self, *args, **options)

    @contextmanager
    def chunked(jobs, _address, _cluster):
        yield {"n_jobs": jobs, "backend": "threading", "chunk": 4}, ()

    monkeypatch.setattr(ThreadingBackend, "configure", counted)
    monkeypatch.setattr(backends, "_ray", chunked)
    monkeypatch.setattr(
        backends, "execute_limited", lambda run, seconds: RunResult(run.key, DONE, {})
    )
    methods = parse_methods(["random", "margin"])
    store = RunStore(tmp_path, "json")
    work = plan(protocol.with_runs(5), datasets, ["gaussian_nb"], methods, store=store)
    with backends.workers("ray", jobs=2) as execute:
        assert len(list(execute(work.missing))) == 30
    assert len(started) == 1


def test_what_died_is_played_again_and_nothing_twice(datasets, protocol, tmp_path, monkeypatch):
    passes = []

    def dying(runs, seconds, options, lost):
        passes.append(0)
        for n, run in enumerate(runs):
            if len(passes) < 3 and n == 4:
                raise WorkersLostError("killed")
            passes[-1] += 1
            yield backends.execute_limited(run, seconds)

    monkeypatch.setattr(backends, "_parallel", dying)
    store, done = execute_all(tmp_path, datasets, protocol, jobs=2)
    assert passes == [4, 4, 22]
    assert done.executed == len(store.keys()) == 30


def test_workers_that_always_die_end_the_run_with_advice(datasets, protocol, tmp_path, monkeypatch):
    def dying(runs, seconds, options, lost):
        yield backends.execute_limited(next(iter(runs)), seconds)
        raise WorkersLostError("killed")

    monkeypatch.setattr(backends, "_parallel", dying)
    with pytest.raises(WorkersLostError, match=r"died 4 times.*more memory"):
        execute_all(tmp_path, datasets, protocol, jobs=2)
    assert len(RunStore(tmp_path, "json").keys()) == 4
