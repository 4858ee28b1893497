"""Where runs are executed: this process, processes on this machine, a Dask or a Ray cluster.

All go through joblib. Workers only execute; what they return comes back to this process, which
alone writes to the store, so a cluster needs no shared disk and a lost worker can tear no file.
"""

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import islice
from time import perf_counter
from typing import Any, Literal

from lal.errors import LalError, UsageError
from lal.evaluation.runs.limits import RunTimeout, one_thread, time_limit
from lal.evaluation.runs.run import FAILED, TIMED_OUT, Run, RunResult, about, execute
from lal.processes import bound_workers
from lal.registry import require

Backend = Literal["local", "dask", "ray"]

CHUNK = 4
"""Runs a worker gets at once where results cannot be handed back one by one (Ray)."""

JOB_QUEUES = {
    "slurm": "dask_jobqueue.SLURMCluster",
    "pbs": "dask_jobqueue.PBSCluster",
    "sge": "dask_jobqueue.SGECluster",
    "lsf": "dask_jobqueue.LSFCluster",
    "local": "dask_jobqueue.local.LocalCluster",
}
"""Classes of dask-jobqueue by the kind of batch system; ``local`` starts processes here."""


class WorkersLostError(LalError):
    """A worker died and its pool with it; what it had in hand was not finished."""


def execute_limited(run: Run, run_seconds: float = 0.0) -> RunResult:
    """Execute one run on one thread under a time limit; failures are results with tracebacks."""
    began = perf_counter()
    with one_thread():
        try:
            with time_limit(run_seconds):
                result = execute(run)
        except RunTimeout:
            message = f"stopped after {run_seconds:g} s of processor time"
            result = RunResult(run.key, TIMED_OUT, about(run), error=message)
        except Exception:  # whatever a strategy raises is a result of the evaluation
            result = RunResult(run.key, FAILED, about(run), error=traceback.format_exc())
    return replace(result, limit=run_seconds, seconds=perf_counter() - began)


Pass = Callable[[Iterable[Run]], Iterator[RunResult]]
"""Executes runs, which may be made while it runs, and yields results in any order."""


@contextmanager
def workers(
    backend: Backend = "local",
    *,
    jobs: int = 1,
    address: str = "",
    cluster: Mapping[str, int | str] | None = None,
    run_seconds: float = 0.0,
) -> Iterator[Pass]:
    """Yield what executes runs on the workers of a backend.

    Args:
        backend: ``"local"``, ``"dask"`` (extra ``dask``) or ``"ray"`` (extra ``ray``).
        jobs: Processes, here or in a cluster that is started here.
        address: Of a running cluster; one is started on this machine when empty.
        cluster: Options of the class of `JOB_QUEUES` whose ``kind`` they name; Dask's workers are
            then jobs of that batch system (extra ``jobqueue``).
        run_seconds: Processor time that a run may take; 0 for no limit.

    Raises:
        MissingDependencyError: The backend's package is not installed.
        UsageError: Options of a cluster for a backend that takes none, or of an unknown kind.
        WorkersLostError: While iterating: workers died. Finished results were yielded before.
    """
    if cluster and (backend != "dask" or address):
        raise UsageError("options of a cluster go with dask without an address, or with submitit")
    if backend == "local" and jobs == 1:
        yield lambda runs: (execute_limited(run, run_seconds) for run in runs)
        return
    opened = {"local": _local, "dask": _dask, "ray": _ray}[backend]
    with opened(jobs, address, cluster or {}) as (options, lost):
        yield lambda runs: _parallel(runs, run_seconds, options, lost)


def _parallel(
    runs: Iterable[Run],
    run_seconds: float,
    options: dict[str, Any],
    lost: tuple[type[BaseException], ...],
) -> Iterator[RunResult]:
    from joblib import Parallel, delayed

    chunk = options.get("chunk", 0)
    parallel = Parallel(batch_size=1, **{k: v for k, v in options.items() if k != "chunk"})
    tasks = (delayed(execute_limited)(run, run_seconds) for run in runs)
    try:
        if not chunk:
            yield from parallel(tasks)
            return
        with parallel:  # else every chunk would start its own worker processes
            while some := list(islice(tasks, chunk)):
                yield from parallel(some)
    except lost as error:
        raise WorkersLostError(f"{type(error).__name__}: {error}") from error


Opened = tuple[dict[str, Any], tuple[type[BaseException], ...]]
ClusterOptions = Mapping[str, int | str]


@contextmanager
def _local(jobs: int, _address: str, _cluster: ClusterOptions) -> Iterator[Opened]:
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import BrokenProcessPool

    try:
        options = {"n_jobs": jobs, "return_as": "generator_unordered", **bound_workers()}
        yield options, (BrokenProcessPool,)
    except BaseException:  # whatever ends the evaluation, its workers must not outlive it
        get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)
        raise


@contextmanager
def _dask(jobs: int, address: str, cluster: ClusterOptions) -> Iterator[Opened]:
    distributed = require("distributed", "dask")
    from joblib import parallel_config

    lost = (distributed.KilledWorker, require("distributed.comm", "dask").CommClosedError)
    with ExitStack() as stack:
        where: Any = address
        if cluster:
            where = stack.enter_context(_job_queue(cluster))
            where.scale(jobs=jobs)
        elif not address:
            where = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=jobs, threads_per_worker=1, dashboard_address=None
                )
            )
        stack.enter_context(distributed.Client(where))
        stack.enter_context(parallel_config(backend="dask"))
        yield {"return_as": "generator_unordered"}, lost


def _job_queue(cluster: ClusterOptions) -> Any:
    """Return a Dask cluster whose workers are jobs of a batch system."""
    options = dict(cluster)
    kind = options.pop("kind", "slurm")
    if kind not in JOB_QUEUES:
        raise UsageError(f"unknown kind of cluster {kind!r}; known: {', '.join(JOB_QUEUES)}")
    module, _, name = JOB_QUEUES[str(kind)].rpartition(".")
    return getattr(require(module, "jobqueue"), name)(**options)


@contextmanager
def _ray(jobs: int, address: str, _cluster: ClusterOptions) -> Iterator[Opened]:
    ray = require("ray", "ray")
    from joblib import parallel_config

    require("ray.util.joblib", "ray").register_ray()
    mine = not ray.is_initialized()
    if mine:
        ray.init(**_ray_options(jobs, address))
    lost = (ray.exceptions.RayError,)
    try:
        with parallel_config(backend="ray"):
            yield {"n_jobs": -1 if address else jobs, "chunk": CHUNK * max(jobs, 1)}, lost
    finally:
        if mine:
            ray.shutdown()


def _ray_options(jobs: int, address: str) -> dict[str, Any]:
    quiet = {"log_to_driver": False, "logging_level": "error"}
    if address:
        return {"address": address, **quiet}
    return {"num_cpus": jobs, "include_dashboard": False, **quiet}
