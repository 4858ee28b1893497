"""Runner: plays the cells that are missing, in parallel, and can be killed at any time."""

import signal
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType

from lal.data.dataset import Dataset
from lal.errors import LalError, UsageError
from lal.evaluation.cells import (
    DONE,
    FAILED,
    FULL,
    TIMED_OUT,
    Cell,
    CellResult,
    about,
    cells_of,
    play,
)
from lal.evaluation.entrants import Entrant
from lal.evaluation.protocol import Protocol
from lal.evaluation.store import RunStore, results_of
from lal.learners import make_learner
from lal.loop import METRICS


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
    """What a run did: cells found finished, played now, and failed among those."""

    found: int
    played: int
    failed: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """The cells of an evaluation, parted into finished and missing."""

    cells: tuple[Cell, ...]
    missing: tuple[Cell, ...]


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
    stored = results_of(store, (c.key for c in cells))

    def open_(cell: Cell) -> bool:
        old = stored.get(cell.key)
        if old is None:
            return True
        longer = old.status == TIMED_OUT and (cell_seconds == 0 or cell_seconds > old.limit)
        return longer or (retry and old.status == FAILED)

    return Plan(cells, tuple(c for c in cells if open_(c)))


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
    first = next(iter(protocol.runs))
    for dataset in datasets:
        Cell(protocol, dataset, learners[0], first, FULL).task()


def run_cells(
    work: Plan,
    store: RunStore,
    *,
    jobs: int = 1,
    cell_seconds: float = 0.0,
    report: Callable[[Progress], None] | None = None,
) -> Summary:
    """Play the missing cells; every finished one is on disk before the next is counted.

    Args:
        work: What `plan` found.
        store: Where results go.
        jobs: Processes; the same numbers come from any.
        cell_seconds: Time limit of a cell; 0 for none.
        report: Called after every cell.
    """
    began = time.perf_counter()
    failed = done = 0
    for status in _statuses(work.missing, store, jobs, cell_seconds):
        done += 1
        failed += status != DONE
        if report is not None:
            elapsed = time.perf_counter() - began
            report(Progress(done, len(work.missing), failed, elapsed))
    found = len(work.cells) - len(work.missing)
    return Summary(found, done, failed, time.perf_counter() - began)


def _statuses(
    cells: Sequence[Cell], store: RunStore, jobs: int, cell_seconds: float
) -> Iterator[str]:
    if jobs == 1:
        return (run_cell(cell, store, cell_seconds) for cell in cells)
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
    statuses: Iterator[str] = parallel(
        delayed(run_cell)(cell, store, cell_seconds) for cell in cells
    )
    return statuses


def run_cell(cell: Cell, store: RunStore, cell_seconds: float = 0.0) -> str:
    """Play one cell, write what it gave, and return its status.

    A failure is a result too: it is stored with its traceback and never dropped. Linear algebra
    and OpenMP run on one thread, so the number of processes leaves no trace in the numbers.
    """
    from threadpoolctl import threadpool_limits

    began = time.perf_counter()
    with threadpool_limits(limits=1):
        try:
            with _time_limit(cell_seconds):
                result = play(cell)
        except _CellTimeout:
            message = f"stopped after {cell_seconds:g} s"
            result = CellResult(cell.key, TIMED_OUT, about(cell), error=message)
        except Exception:  # whatever a strategy raises is a result of the evaluation
            result = CellResult(cell.key, FAILED, about(cell), error=traceback.format_exc())
    spent = time.perf_counter() - began
    store.put(replace(result, limit=cell_seconds, seconds=spent))
    return result.status


class _CellTimeout(BaseException):
    """The cell's time is up; no `Exception`, so that nobody's handler swallows it."""


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise `_CellTimeout` in the main thread after `seconds`; 0 is no limit."""
    if seconds <= 0:
        yield
        return
    if threading.current_thread() is not threading.main_thread():
        raise LalError("a time limit needs the main thread of a process; use cell_seconds=0")

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _CellTimeout

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def predict_seconds(work: Plan, *, probe_labels: int = 3) -> dict[str, float]:
    """Return the predicted seconds of the missing cells, by strategy, on one process.

    One short episode of every data set, learner and strategy is played (nothing is stored) and
    its time a label is scaled up; fits on few labels are cheap, so the figure is a lower bound.
    """
    groups: dict[tuple[str, str, str], list[Cell]] = defaultdict(list)
    for cell in work.missing:
        groups[cell.dataset.name, cell.learner, cell.entrant.label].append(cell)
    total: dict[str, float] = defaultdict(float)
    for cells in groups.values():
        total[cells[0].entrant.label] += _probe(cells[0], probe_labels) * len(cells)
    return dict(total)


def _probe(cell: Cell, labels: int) -> float:
    if cell.entrant == FULL:
        return play(cell).seconds
    whole = cell.task().budget
    short = replace(cell, protocol=replace(cell.protocol, budget=min(labels, whole)))
    one = replace(cell, protocol=replace(cell.protocol, budget=1))
    first = play(one).seconds
    each = max(play(short).seconds - first, 0.0) / max(min(labels, whole) - 1, 1)
    return first + each * (whole - 1)
