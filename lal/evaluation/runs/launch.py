"""Launching shards by submitit: jobs of a SLURM cluster, or processes of this machine.

The evaluation waits for its jobs and merges their stores. It needs a disk that all machines see.
When it is killed, or jobs are, the same command merges what was finished and submits the rest.
"""

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from lal.errors import UsageError
from lal.evaluation.runs.backends import WorkersLostError
from lal.evaluation.runs.engine import Engine
from lal.evaluation.runs.run import DONE
from lal.evaluation.runs.runner import Plan, Progress, Summary, execute_runs, peak_memory
from lal.evaluation.runs.shards import all_shards, find_shards, merge_stores, take_shard
from lal.evaluation.runs.store import RunStore
from lal.registry import require

JOBS = "jobs"
"""Folder of an evaluation with the stores and the logs of its jobs."""

WITHOUT_END = 60 * 24 * 365
"""Minutes that jobs on this machine may take."""

INTERVAL = 1.0
"""Seconds between two looks at the jobs."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of runs, and what executes them; see `runner.execute_runs`."""

    run_seconds: float = 0.0
    max_timeouts: int = 0
    engine: Engine | None = None


def cluster_options(pairs: Sequence[str]) -> dict[str, int | str]:
    """Return the options that texts such as ``mem_gb=4`` give; whole numbers become numbers.

    Raises:
        UsageError: A text without a name or a value.
    """
    options: dict[str, int | str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals or not value:
            raise UsageError(f"an option of the cluster is given as NAME=VALUE, got {pair!r}")
        options[name] = int(value) if value.isdigit() else value
    return options


def absorb_jobs(store: RunStore) -> int:
    """Merge what jobs of an earlier launch finished into the store; return how many runs."""
    found = [RunStore.existing(folder) for folder in find_shards(store.folder, JOBS)]
    return sum(merge_stores(store, found).values())


def launch(
    work: Plan,
    store: RunStore,
    *,
    jobs: int,
    options: Mapping[str, int | str],
    limits: Limits,
    report: Callable[[Progress], None] | None = None,
) -> Summary:
    """Submit the missing runs as jobs, wait for them and merge their stores.

    Args:
        work: What is missing; see `runner.plan`.
        store: Where the results go; the jobs' stores are below it.
        jobs: Number of jobs.
        options: Parameters of submitit's ``AutoExecutor``; ``cluster`` is ``slurm``, ``local`` or
            what submitit finds.
        limits: Limits of runs.
        report: Called whenever more runs are finished.

    Raises:
        MissingDependencyError: submitit is not installed.
        WorkersLostError: Jobs failed or were killed; what they finished is in the store.
    """
    began = time.perf_counter()
    handles = _submit(work, store, jobs, options, limits)
    watch = _Watch(store.folder, len(work.missing), began)
    while not all(handle.done() for handle in handles.values()):
        if report is not None:
            watch.tell(report)
        time.sleep(INTERVAL)
    lost = {number: error for number, handle in handles.items() if (error := _error(handle))}
    absorb_jobs(store)
    if lost:
        number, error = next(iter(lost.items()))
        raise WorkersLostError(
            f"{len(lost)} of {len(handles)} jobs did not finish, the first number {number}: "
            f"{error}; finished runs were kept, run the same command again (logs are in "
            f"{str(store.folder / JOBS / 'logs')!r})"
        )
    if report is not None:
        watch.tell(report)
    results = [store.get(run.key) for run in work.missing]
    failed = sum(result is None or result.status != DONE for result in results)
    found, memory = len(work.runs) - len(work.missing), peak_memory()
    seconds = time.perf_counter() - began
    return Summary(found, len(results), failed, seconds, memory=(memory, memory))


def _submit(
    work: Plan, store: RunStore, jobs: int, options: Mapping[str, int | str], limits: Limits
) -> dict[int, Any]:
    submitit = require("submitit", "slurm")
    parameters = dict(options)
    executor = submitit.AutoExecutor(
        folder=store.folder / JOBS / "logs", cluster=parameters.pop("cluster", None)
    )
    if executor.cluster == "local":  # which would stop them after two minutes
        parameters.setdefault("timeout_min", WITHOUT_END)
    executor.update_parameters(**parameters)
    handles: dict[int, Any] = {}
    with executor.batch():
        for shard in all_shards(jobs):
            part = take_shard(work, shard)
            if part.missing:
                mine = RunStore(shard.folder(store.folder, JOBS), store.format)
                handles[shard.number] = executor.submit(ShardJob(part, mine, limits))
    return handles


class JobEnded(BaseException):
    """The job's time is up; not an `Exception`, so that no run takes it for its own failure."""


@dataclass(frozen=True)
class ShardJob:
    """Executes a job's part of the runs, but for those that it finished before it was stopped.

    Attributes:
        part: The runs.
        store: The store of the job.
        limits: Limits of runs.
    """

    part: Plan
    store: RunStore
    limits: Limits

    def __call__(self) -> Summary:
        """Execute what is missing.

        Raises:
            WorkersLostError: The job's time was up, and it was not queued again.
        """
        left = tuple(run for run in self.part.missing if self.store.get(run.key) is None)
        work = Plan(self.part.runs, left, self.part.timed_out)
        try:
            with _signals_end_the_job():
                return execute_runs(work, self.store, **vars(self.limits))
        except JobEnded as error:
            raise WorkersLostError(str(error)) from error

    def checkpoint(self) -> Any:
        """Return what submitit queues again when a job is preempted or its time is up."""
        return require("submitit.helpers", "slurm").DelayedSubmission(self)


@contextmanager
def _signals_end_the_job() -> Iterator[None]:
    """Have errors of submitit's signal handlers, which come up inside a run, end the job."""
    held = {}
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        handler = signal.getsignal(number)
        if callable(handler):
            held[number] = handler
            signal.signal(number, partial(_ends_the_job, handler))
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)


def _ends_the_job(handler: Callable[..., object], number: int, frame: FrameType | None) -> None:
    try:
        handler(number, frame)
    except Exception as error:
        raise JobEnded(str(error)) from error


def _error(handle: Any) -> str:
    """Return the last line of why a job did not finish; empty if it did."""
    found = handle.exception()
    return "" if found is None else (str(found).strip().splitlines() or [repr(found)])[-1]


class _Watch:
    """Tells how many runs the jobs have written."""

    def __init__(self, folder: Path, total: int, began: float) -> None:
        self.folder, self.total, self.began = folder / JOBS, total, began
        self.before = self._count()
        self.told = -1

    def _count(self) -> int:
        return sum(1 for _ in self.folder.glob("*-of-*/cells/??/*"))

    def tell(self, report: Callable[[Progress], None]) -> None:
        """Report if there is something new."""
        done = min(self._count() - self.before, self.total)
        if done != self.told:
            self.told = done
            report(Progress(done, self.total, 0, time.perf_counter() - self.began))
