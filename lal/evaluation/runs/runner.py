"""Runner: plays the cells that are missing, in parallel, and can be killed at any time."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lal.data.dataset import Dataset
from lal.episode import METRICS
from lal.errors import LalError, UsageError
from lal.evaluation.runs.backends import Backend, Pass, WorkersLostError, workers
from lal.evaluation.runs.cells import (
    DONE,
    FAILED,
    FULL,
    TIMED_OUT,
    Cell,
    CellResult,
    about,
    cells_of,
)
from lal.evaluation.runs.methods import Entrant
from lal.evaluation.runs.protocol import Protocol
from lal.evaluation.runs.store import RunStore
from lal.learners import make_learner

MAX_LOSSES = 3
"""Times that dead workers are replaced before the run gives up."""

Group = tuple[str, str, str]
"""Data set, learner and strategy."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        done: Cells finished in this run, failures included.
        total: Cells of this run.
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
    """What a run did: cells found finished, played now, and failed among those.

    `memory` is the peak of this process in MiB after the first tenth of the cells and at the end.
    """

    found: int
    played: int
    failed: int
    seconds: float
    memory: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Plan:
    """The cells of an evaluation, parted into finished and missing.

    `timed_out` counts stored time-outs that stand, by data set, learner and strategy.
    """

    cells: tuple[Cell, ...]
    missing: tuple[Cell, ...]
    timed_out: Mapping[Group, int] = field(default_factory=dict)


def plan(
    protocol: Protocol,
    datasets: Sequence[Dataset],
    learners: Sequence[str],
    entrants: Sequence[Entrant],
    *,
    store: RunStore,
    cell_seconds: float = 0.0,
    retry: bool = False,
) -> Plan:
    """Return what there is to play; anything that cannot be played is refused now.

    A time-out is played again under a longer limit, a failure when `retry` is set.

    Raises:
        LalError: An unknown name, a budget above a pool, a data set with one class.
    """
    check(protocol, datasets, learners)
    cells = tuple(cells_of(protocol, datasets, learners, [*entrants, FULL]))
    missing: list[Cell] = []
    timed_out: Counter[Group] = Counter()
    for cell in cells:
        old = store.get(cell.key)
        if old is None or _again(old, cell_seconds, retry):
            missing.append(cell)
        elif old.status == TIMED_OUT and old.seconds > 0:
            timed_out[_group(old.about)] += 1
    return Plan(cells, tuple(missing), timed_out)


def _again(old: CellResult, cell_seconds: float, retry: bool) -> bool:
    longer = old.status == TIMED_OUT and (cell_seconds == 0 or cell_seconds > old.limit)
    return longer or (retry and old.status == FAILED)


def check(protocol: Protocol, datasets: Sequence[Dataset], learners: Sequence[str]) -> None:
    """Refuse an evaluation that could not be played to the end."""
    names = [d.name for d in datasets]
    if not names:
        raise UsageError("no data sets are listed; expected at least one")
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise UsageError(f"data sets {', '.join(twice)} are listed twice")
    if unknown := sorted(set(protocol.metrics) - set(METRICS)):
        raise UsageError(f"unknown metrics {', '.join(unknown)}; known: {', '.join(METRICS)}")
    for learner in learners:
        make_learner(learner)
    refused: dict[str, LalError] = {}
    for dataset in datasets:
        try:
            Cell(protocol, dataset, learners[0], next(iter(protocol.runs)), FULL).task()
        except LalError as error:
            refused[dataset.name] = error
    if len(refused) == 1:
        raise next(iter(refused.values()))
    if refused:
        first, why = next(iter(refused.items()))
        raise type(why)(
            f"{len(refused)} of {len(names)} data sets cannot be played: {', '.join(refused)}; "
            f"{first}: {why}, or name the others (--datasets)"
        )


def run_cells(
    work: Plan,
    store: RunStore,
    *,
    backend: Backend = "local",
    jobs: int = 1,
    address: str = "",
    cell_seconds: float = 0.0,
    give_up: int = 0,
    report: Callable[[Progress], None] | None = None,
) -> Summary:
    """Play the missing cells; every finished one is on disk before the next is counted.

    Args:
        work: What `plan` found.
        store: Where results go.
        backend: Where cells are played; the same numbers come from any, see `backends`.
        jobs: Processes.
        address: Of a running Dask or Ray cluster; one is started here when empty.
        cell_seconds: Processor time that a cell may take; 0 for no limit.
        give_up: Time-outs of one strategy on one data set and learner after which its other runs
            there are not tried but kept as timed out, with the reason; 0 to try all.
        report: Called after every cell.

    Raises:
        WorkersLostError: Workers died time and again; finished cells are in the store.
    """
    began = time.perf_counter()
    failed = done = 0
    memory = 0.0
    hopeless = _Hopeless(give_up, cell_seconds, work.timed_out)
    with workers(backend, jobs=jobs, address=address, cell_seconds=cell_seconds) as run:
        for result in _survive(run, work.missing, hopeless):
            store.put(result)
            hopeless.count(result)
            done += 1
            failed += result.status != DONE
            if done * 10 <= len(work.missing):
                memory = peak_memory()
            if report is not None:
                elapsed = time.perf_counter() - began
                report(Progress(done, len(work.missing), failed, elapsed))
    found = len(work.cells) - len(work.missing)
    seconds = time.perf_counter() - began
    return Summary(found, done, failed, seconds, memory=(memory, peak_memory()))


def _survive(run: Pass, cells: Iterable[Cell], hopeless: "_Hopeless") -> Iterator[CellResult]:
    """Yield the results of all cells, playing again what died with a worker."""
    left = {cell.key: cell for cell in cells}
    losses = 0
    while left:
        try:
            for result in run(hopeless.pass_on(left.values())):
                for known in (result, *hopeless.take()):
                    del left[known.key]
                    yield known
            for known in hopeless.take():
                del left[known.key]
                yield known
        except WorkersLostError as error:
            losses += 1
            if losses > MAX_LOSSES:
                raise WorkersLostError(
                    f"workers died {losses} times, the last with {error}; {len(left)} cells are "
                    "open: give the workers more memory or lower --jobs, and run this again"
                ) from error


class _Hopeless:
    """Groups of cells (data set, learner, strategy) that timed out too often to go on with."""

    def __init__(self, give_up: int, limit: float, timed_out: Mapping[Group, int]) -> None:
        self.give_up, self.limit = give_up, limit
        self.counts = Counter(timed_out)
        self.skipped: deque[CellResult] = deque()

    def count(self, result: CellResult) -> None:
        """Take note of a time-out."""
        if result.status == TIMED_OUT and result.seconds > 0:
            self.counts[_group(result.about)] += 1

    def pass_on(self, cells: Iterable[Cell]) -> Iterator[Cell]:
        """Yield the cells that are worth a try; the others become results for `take`."""
        for cell in list(cells):
            names = about(cell)
            n = self.counts[_group(names)]
            if self.give_up and n >= self.give_up:
                why = f"not tried: {n} runs of it were stopped after {self.limit:g} s each"
                result = CellResult(cell.key, TIMED_OUT, names, error=why, limit=self.limit)
                self.skipped.append(result)
            else:
                yield cell

    def take(self) -> Iterator[CellResult]:
        """Yield the results of cells that were not tried."""
        while self.skipped:
            yield self.skipped.popleft()


def _group(names: Mapping[str, Any]) -> Group:
    return str(names["dataset"]), str(names["learner"]), str(names["strategy"])


def peak_memory() -> float:
    """Return the most memory this process has held so far, in MiB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
