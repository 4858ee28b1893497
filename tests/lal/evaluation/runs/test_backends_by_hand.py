"""Backends by stand-ins of Dask, Ray and joblib: what they are asked for, and what comes back."""

from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from lal.errors import UsageError
from lal.evaluation.runs import backends
from lal.evaluation.runs.backends import WorkersLostError, _job_queue, _ray_options, workers


class Noted:
    """Stands in for a package: every call of a known name is noted."""

    def __init__(self, **known: Any) -> None:
        self.calls: list[Any] = []
        self.known = known

    def __getattr__(self, name: str) -> Any:
        if isinstance(self.known.get(name), type):
            return self.known[name]

        def call(*given: Any, **options: Any) -> Any:
            self.calls.append((name, *given, options) if options else (name, *given))
            return self.known.get(name)

        return call

    @contextmanager
    def held(self, *name: Any) -> Any:
        self.calls.append(("enter", *name))
        yield SimpleNamespace(scale=lambda jobs: self.calls.append(("scale", jobs)))
        self.calls.append(("leave", *name))


class LostError(Exception):
    pass


class ClosedError(Exception):
    pass


@pytest.fixture
def dask(monkeypatch: Any) -> Noted:
    found = Noted(KilledWorker=LostError)
    found.known["LocalCluster"] = found.held("cluster")
    found.known["Client"] = found.held("client")
    queue = Noted(SLURMCluster=found.held("slurm"), PBSCluster=found.held("pbs"))
    found.known["queue"] = queue
    packages = {
        ("distributed", "dask"): found,
        ("distributed.comm", "dask"): SimpleNamespace(CommClosedError=ClosedError),
        ("dask_jobqueue", "jobqueue"): queue,
    }
    monkeypatch.setattr(backends, "require", lambda *name: packages[name])
    monkeypatch.setattr("joblib.parallel_config", lambda **options: found.held(options))
    return found


def opened(backend: Any, **options: Any) -> Any:
    """Return what a backend hands to joblib, and which errors are lost workers."""
    make = {"dask": backends._dask, "ray": backends._ray}[backend]
    given = {"jobs": 3, "address": "", "cluster": {}, **options}
    with make(given["jobs"], given["address"], given["cluster"]) as found:
        return found


def test_dask_is_started_here_unless_an_address_is_given(dask: Noted) -> None:
    assert opened("dask") == ({"return_as": "generator_unordered"}, (LostError, ClosedError))
    made, entered, client, *rest = dask.calls
    assert made == (
        "LocalCluster", {"n_workers": 3, "threads_per_worker": 1, "dashboard_address": None},
    )  # fmt: skip
    assert entered == ("enter", "cluster")
    assert client[0] == "Client"
    assert hasattr(client[1], "scale")  # the cluster
    assert rest == [
        ("enter", "client"), ("enter", {"backend": "dask"}), ("leave", {"backend": "dask"}),
        ("leave", "client"), ("leave", "cluster"),
    ]  # fmt: skip


def test_dask_takes_an_address(dask: Noted) -> None:
    opened("dask", address="tcp://there:1")
    assert dask.calls[0] == ("Client", "tcp://there:1")
    assert ("enter", "cluster") not in dask.calls


def test_dask_takes_jobs_of_a_batch_system(dask: Noted) -> None:
    opened("dask", cluster={"kind": "pbs", "cores": 1, "queue": "cpu"})
    assert dask.known["queue"].calls == [("PBSCluster", {"cores": 1, "queue": "cpu"})]
    assert dask.calls[:2] == [("enter", "pbs"), ("scale", 3)]
    _job_queue({"cores": 2})
    assert dask.known["queue"].calls[-1] == ("SLURMCluster", {"cores": 2})
    with pytest.raises(
        UsageError, match="unknown kind of cluster 'x'; known: slurm, pbs, sge, lsf"
    ):
        _job_queue({"kind": "x"})


@pytest.mark.parametrize("running", [False, True])
def test_ray_is_left_running_if_it_ran_before(monkeypatch: Any, running: bool) -> None:
    ray: Any = Noted(is_initialized=running)
    ray.exceptions = SimpleNamespace(RayError=LostError)
    packages = {("ray", "ray"): ray, ("ray.util.joblib", "ray"): ray}
    monkeypatch.setattr(backends, "require", lambda *name: packages[name])
    held = Noted()
    monkeypatch.setattr("joblib.parallel_config", lambda **options: held.held(options))
    assert opened("ray") == ({"n_jobs": 3, "chunk": 12}, (LostError,))
    mine = [("init", _ray_options(3, "")), ("shutdown",)]
    between = [("register_ray",), ("is_initialized",)]
    assert ray.calls == (between if running else [*between, *mine])
    assert held.calls == [("enter", {"backend": "ray"}), ("leave", {"backend": "ray"})]
    ray.calls.clear()
    assert opened("ray", address="there", jobs=0)[0] == {"n_jobs": -1, "chunk": 4}


def test_options_of_ray() -> None:
    quiet = {"log_to_driver": False, "logging_level": "error"}
    assert _ray_options(3, "there") == {"address": "there", **quiet}
    assert _ray_options(3, "") == {"num_cpus": 3, "include_dashboard": False, **quiet}


class Parallel:
    """Stands in for joblib's: runs tasks at once, and notes how many it is given."""

    made: ClassVar[list[Any]] = []
    sizes: ClassVar[list[int]] = []
    entered: ClassVar[list[int]] = []
    dies = False

    def __init__(self, **options: Any) -> None:
        self.made.append(options)

    def __enter__(self) -> "Parallel":
        return self

    def __exit__(self, *error: object) -> None:
        self.entered.append(len(self.sizes))

    def __call__(self, tasks: Any) -> Any:
        given = list(tasks)
        self.sizes.append(len(given))
        yield from (function(*arguments) for function, arguments, _ in given)
        if self.dies:
            raise LostError("no answer")


@pytest.fixture
def parallel(monkeypatch: Any) -> Any:
    monkeypatch.setattr("joblib.Parallel", Parallel)
    monkeypatch.setattr(backends, "execute_limited", lambda run, seconds: (run, seconds))
    monkeypatch.setattr(Parallel, "made", [])
    monkeypatch.setattr(Parallel, "sizes", [])
    monkeypatch.setattr(Parallel, "entered", [])
    return Parallel


@pytest.mark.parametrize(("chunk", "sizes"), [(0, [5]), (2, [2, 2, 1]), (5, [5])])
def test_runs_are_handed_out_in_chunks(parallel: Any, chunk: int, sizes: list[int]) -> None:
    options = {"n_jobs": 3, **({"chunk": chunk} if chunk else {})}
    runs: Any = iter("abcde")
    found: Any = list(backends._parallel(runs, 1.5, options, ()))
    assert found == [(letter, 1.5) for letter in "abcde"]
    assert parallel.made == [{"batch_size": 1, "n_jobs": 3}]
    assert parallel.sizes == sizes
    assert parallel.entered == ([len(sizes)] if chunk else [])  # one pool for all chunks


def test_lost_workers_are_named(parallel: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(Parallel, "dies", True)
    found: Any = backends._parallel(iter("ab"), 0.0, {}, (LostError,))  # type: ignore[arg-type]
    assert [next(found), next(found)] == [("a", 0.0), ("b", 0.0)]
    with pytest.raises(WorkersLostError, match=r"^LostError: no answer$"):
        next(found)
    with pytest.raises(LostError):
        list(backends._parallel(iter("ab"), 0.0, {}, (KeyError,)))  # type: ignore[arg-type]


def test_a_backend_is_given_the_limit(parallel: Any, monkeypatch: Any) -> None:
    asked: list[Any] = []

    @contextmanager
    def here(*given: Any) -> Any:
        asked.append(given)
        yield {"n_jobs": 2}, ()

    monkeypatch.setattr(backends, "_local", here)
    monkeypatch.setattr(backends, "_dask", here)
    runs: Any = "ab"
    with workers("local", jobs=2, run_seconds=2.5) as execute:
        found: Any = list(execute(runs))
    assert found == [("a", 2.5), ("b", 2.5)]
    with workers("dask", jobs=2, address="there"):
        pass
    with workers("dask", cluster={"cores": 1}):
        pass
    assert asked == [(2, "", {}), (2, "there", {}), (1, "", {"cores": 1})]
    for options in ({"backend": "ray"}, {"backend": "dask", "address": "there"}, {}):
        with (
            pytest.raises(UsageError, match="options of a cluster go with dask without an addr"),
            workers(cluster={"cores": 1}, **options),  # type: ignore[arg-type]
        ):
            pass
