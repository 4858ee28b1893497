"""Runner: executes the runs that are missing, in parallel, and can be killed at any time."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from lal.data.dataset import Dataset
from lal.errors import LalError, UsageError
from lal.evaluation.runs.backends import Backend, Pass, WorkersLostError, workers
from lal.evaluation.runs.engine import Engine, check_engine
from lal.evaluation.runs.methods import MethodSpec
from lal.evaluation.runs.protocol import Protocol
from lal.evaluation.runs.run import (
    DONE,
    FAILED,
    FULL,
    REFERENCE,
    TIMED_OUT,
    Run,
    RunResult,
    about,
    make_runs,
)
from lal.evaluation.runs.store import RunStore
from lal.learners import read_learner
from lal.metrics import METRICS_OF_KIND

MAX_LOSSES = 3
"""Times that dead workers are replaced before the run gives up."""

Group = tuple[str, str, str]
"""Data set, learner and method."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        done: Runs finished in this run, failures included.
        total: Runs of this run.
        failed: Failures and time-outs among them.
        elapsed: Seconds since the start.
    """

    done: int
    total: int
    failed: int
    elapsed: float

    @property
    def seconds_left(self) -> float:
        """Expected seconds until the end."""
        return self.elapsed / max(self.done, 1) * (self.total - self.done)


@dataclass(frozen=True)
class Summary:
    """What was done: runs found finished, executed now, and failed among those.

    `memory` is the peak of this process in MiB after the first tenth of the runs and at the end.
    """

    found: int
    executed: int
    failed: int
    seconds: float
    memory: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Plan:
    """The runs of an evaluation, and those that are missing.

    `timed_out` counts stored time-outs that stand, by data set, learner and method.
    """

    runs: tuple[Run, ...]
    missing: tuple[Run, ...]
    timed_out: Mapping[Group, int] = field(default_factory=dict)


def plan(
    protocol: Protocol,
    datasets: Sequence[Dataset],
    learners: Sequence[str],
    methods: Sequence[MethodSpec],
    *,
    store: RunStore,
    run_seconds: float = 0.0,
    retry: bool = False,
    engine: Engine | None = None,
) -> Plan:
    """Return what there is to execute; anything that cannot be executed is refused now.

    A time-out is tried again under a longer limit, a failure when `retry` is set.

    Raises:
        LalError: An unknown name, a budget above a pool, a data set with one class, or a method
            that the engine refuses.
    """
    check(protocol, datasets, learners)
    by = REFERENCE if engine is None else engine.name
    runs = tuple(make_runs(protocol, datasets, learners, [*methods, FULL], by))
    if engine is not None:
        check_engine(engine, runs)
    missing: list[Run] = []
    timed_out: Counter[Group] = Counter()
    for run in runs:
        old = store.get(run.key)
        if old is None or _again(old, run_seconds, retry):
            missing.append(run)
        elif old.status == TIMED_OUT and old.seconds > 0:
            timed_out[_group(old.about)] += 1
    return Plan(runs, tuple(missing), timed_out)


def _again(old: RunResult, run_seconds: float, retry: bool) -> bool:
    longer = old.status == TIMED_OUT and (run_seconds == 0 or run_seconds > old.limit)
    return longer or (retry and old.status == FAILED)


def check(protocol: Protocol, datasets: Sequence[Dataset], learners: Sequence[str]) -> None:
    """Refuse an evaluation that could not be finished."""
    names = [d.name for d in datasets]
    if not names:
        raise UsageError("no data sets are listed; expected at least one")
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise UsageError(f"data sets {', '.join(twice)} are listed twice")
    for kind in sorted({dataset.kind for dataset in datasets}):
        known = METRICS_OF_KIND[kind]
        if unknown := sorted(set(protocol.metrics) - set(known)):
            raise UsageError(f"unknown metrics {', '.join(unknown)}; known: {', '.join(known)}")
        for learner in learners:
            read_learner(learner, task=kind)
    refused: dict[str, LalError] = {}
    for dataset in datasets:
        try:
            Run(protocol, dataset, learners[0], next(iter(protocol.repetitions)), FULL).task()
        except LalError as error:
            refused[dataset.name] = error
    if len(refused) == 1:
        raise next(iter(refused.values()))
    if refused:
        first, why = next(iter(refused.items()))
        raise type(why)(
            f"{len(refused)} of {len(names)} data sets cannot be used: {', '.join(refused)}; "
            f"{first}: {why}, or name the others (--datasets)"
        )


def execute_runs(
    work: Plan,
    store: RunStore,
    *,
    backend: Backend = "local",
    jobs: int = 1,
    address: str = "",
    cluster: Mapping[str, int | str] | None = None,
    run_seconds: float = 0.0,
    max_timeouts: int = 0,
    engine: Engine | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Summary:
    """Execute the missing runs; every finished one is on disk before the next is counted.

    Args:
        work: What `plan` found.
        store: Where results go.
        backend: Where runs are executed; the same numbers come from any, see `backends`.
        jobs: Processes.
        address: Of a running Dask or Ray cluster; one is started here when empty.
        cluster: Options of a Dask cluster whose workers are jobs; see `backends.workers`.
        run_seconds: Processor time that a run may take; 0 for no limit.
        max_timeouts: Time-outs of one method on one data set and learner after which its other
            runs there are not tried but kept as timed out, with the reason; 0 to try all.
        engine: Executes the runs that name it, in this process; the workers take the others.
        report: Called after every run.

    Raises:
        WorkersLostError: Workers died time and again; finished runs are in the store.
    """
    began = time.perf_counter()
    failed = done = 0
    memory = 0.0
    timeouts = _TimeoutTracker(max_timeouts, run_seconds, work.timed_out)
    with workers(
        backend, jobs=jobs, address=address, cluster=cluster, run_seconds=run_seconds
    ) as execute_all:
        batch = [run for run in work.missing if run.engine != REFERENCE]
        others = [run for run in work.missing if run.engine == REFERENCE]
        first = engine.execute(batch) if engine is not None and batch else ()
        for result in chain(first, _run_with_restarts(execute_all, others, timeouts)):
            store.put(result)
            timeouts.count(result)
            done += 1
            failed += result.status != DONE
            if done * 10 <= len(work.missing):
                memory = peak_memory()
            if report is not None:
                elapsed = time.perf_counter() - began
                report(Progress(done, len(work.missing), failed, elapsed))
    found = len(work.runs) - len(work.missing)
    seconds = time.perf_counter() - began
    return Summary(found, done, failed, seconds, memory=(memory, peak_memory()))


def _run_with_restarts(
    execute_all: Pass, runs: Iterable[Run], timeouts: "_TimeoutTracker"
) -> Iterator[RunResult]:
    """Yield the results of all runs, repeating what died with a worker."""
    left = {run.key: run for run in runs}
    losses = 0
    while left:
        try:
            for result in execute_all(timeouts.pass_on(left.values())):
                for known in (result, *timeouts.take()):
                    del left[known.key]
                    yield known
            for known in timeouts.take():
                del left[known.key]
                yield known
        except WorkersLostError as error:
            losses += 1
            if losses > MAX_LOSSES:
                raise WorkersLostError(
                    f"workers died {losses} times, the last with {error}; {len(left)} runs are "
                    "open: give the workers more memory or lower --jobs, and run this again"
                ) from error


class _TimeoutTracker:
    """Groups of runs (data set, learner, method) that timed out too often to go on with."""

    def __init__(self, max_timeouts: int, limit: float, timed_out: Mapping[Group, int]) -> None:
        self.max_timeouts, self.limit = max_timeouts, limit
        self.counts = Counter(timed_out)
        self.skipped: deque[RunResult] = deque()

    def count(self, result: RunResult) -> None:
        """Take note of a time-out."""
        if result.status == TIMED_OUT and result.seconds > 0:
            self.counts[_group(result.about)] += 1

    def pass_on(self, runs: Iterable[Run]) -> Iterator[Run]:
        """Yield the runs that are worth a try; the others become results for `take`."""
        for run in list(runs):
            names = about(run)
            n = self.counts[_group(names)]
            if self.max_timeouts and n >= self.max_timeouts:
                why = f"not tried: {n} runs of it were stopped after {self.limit:g} s each"
                result = RunResult(run.key, TIMED_OUT, names, error=why, limit=self.limit)
                self.skipped.append(result)
            else:
                yield run

    def take(self) -> Iterator[RunResult]:
        """Yield the results of runs that were not tried."""
        while self.skipped:
            yield self.skipped.popleft()


def _group(names: Mapping[str, Any]) -> Group:
    return str(names["dataset"]), str(names["learner"]), str(names["strategy"])


def peak_memory() -> float:
    """Return the most memory this process has held so far, in MiB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
