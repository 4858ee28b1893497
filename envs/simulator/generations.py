"""Where a simulator's tasks come from: a fixed list, or generations drawn from a source."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from envs.simulator.kernels.layout import Tables
from envs.simulator.tables import TaskTables, build_tables
from lal.arrays import Ints
from lal.rng import generator
from lal.task import Task
from lal.tasks.sources import TaskSource

Build = Callable[[Sequence[Task]], TaskTables]
"""Makes the tables of some tasks."""

POINTED = ("x", "x32", "tiles", "y", "ends", "z", "reference", "around", "free")
"""Arrays of the tables into which a task's record points, by its field ``at_<name>``."""


class FixedTasks:
    """Tasks that stay; every episode draws one of them.

    Args:
        tasks: The tasks.
        build: Makes their tables.

    Attributes:
        tasks: The tasks that the tables hold, in their order.
        names: Their names, shape (tasks,), strings.
        tables: The tables.
        dropped: Tasks held earlier that are gone.
    """

    dropped = 0

    def __init__(self, tasks: Sequence[Task], build: Build = build_tables) -> None:
        self.tasks = tuple(tasks)
        self.tables = build(self.tasks)
        self.names = np.array([task.name for task in self.tasks], dtype=object)

    def position(self, run: int, word: np.uint64) -> int:
        """Return the position of the task that episode `run` of an environment runs."""
        return int(word % np.uint64(len(self.tasks)))

    def prepare(self, oldest: int, newest: int) -> bool:
        """Hold the tasks of the episodes `oldest` to `newest`; returns whether tables changed."""
        return False

    def look_forward(self, newest: int) -> None:
        """Draw what will be needed after episode `newest`, little by little."""


class TaskGenerations(FixedTasks):
    """Tasks drawn from a source, `n_tasks` at a time.

    Episode k of every environment runs a task of generation ``k // refresh``, so what it runs
    does not depend on how the others fare. The next generation is drawn while the present one is
    run, a few tasks whenever episodes end (about 5 ms each), and the tables are joined when its
    first episode begins. Generations that nobody runs any more are dropped.

    Args:
        source: A generator to a task.
        n_tasks: Tasks of a generation.
        refresh: Episodes of an environment after which it takes the next generation.
        seed: Names the draws.
        build: Makes the tables of some tasks.
    """

    def __init__(
        self,
        source: TaskSource,
        *,
        n_tasks: int,
        refresh: int,
        seed: int,
        build: Build = build_tables,
    ) -> None:
        self._source, self._build = source, build
        self.n_tasks, self.refresh, self._seed = n_tasks, refresh, seed
        self._first = 0
        self._generations: list[list[Task]] = []
        self._tables: list[TaskTables] = []
        self._drawn: list[Task] = []
        self._parts: list[TaskTables] = []
        self._add()
        self._join()

    def position(self, run: int, word: np.uint64) -> int:
        """Return the position of the task that episode `run` of an environment runs."""
        past = (run // self.refresh - self._first) * self.n_tasks
        return past + int(word % np.uint64(self.n_tasks))

    def prepare(self, oldest: int, newest: int) -> bool:
        """Hold the tasks of the episodes `oldest` to `newest`; returns whether tables changed."""
        first, last = oldest // self.refresh, newest // self.refresh
        if first < self._first:  # a reset that begins with generation 0 again
            self._first, self._generations, self._tables = first, [], []
            self._drawn, self._parts = [], []
        elif last < self._first + len(self._generations):
            return False
        gone = min(first - self._first, len(self._generations))
        self._generations, self._tables = self._generations[gone:], self._tables[gone:]
        self._first += gone
        while self._first + len(self._generations) <= last:
            self._add()
        self._join()
        return True

    def look_forward(self, newest: int) -> None:
        """Draw what will be needed after episode `newest`, little by little."""
        if newest // self.refresh < self._first + len(self._generations) - 1:
            return
        share = (newest % self.refresh + 1) / self.refresh
        self._draw(int(share * self.n_tasks))

    def _draw(self, wanted: int) -> None:
        """Draw tasks of the next generation until there are `wanted`."""
        number = self._first + len(self._generations)
        while len(self._drawn) < wanted:
            rng = generator(self._seed, "generation", number, len(self._drawn))
            task = self._source(rng).blind()
            self._parts.append(self._build([task]))
            self._drawn.append(task)

    def _add(self) -> None:
        """Take up the next generation."""
        self._draw(self.n_tasks)
        self._generations.append(self._drawn)
        self._tables.append(join_tables(self._parts))
        self._drawn, self._parts = [], []

    def _join(self) -> None:
        self.tasks = tuple(task for tasks in self._generations for task in tasks)
        self.names = np.array([task.name for task in self.tasks], dtype=object)
        self.tables = join_tables(self._tables)
        self.dropped = self._first * self.n_tasks


def task_supply(
    tasks: Sequence[Task] | TaskSource, *, n_tasks: int, refresh: int, seed: int, build: Build
) -> FixedTasks:
    """Return what hands a simulator its tasks; see `TaskGenerations` for the arguments."""
    if callable(tasks):
        return TaskGenerations(tasks, n_tasks=n_tasks, refresh=refresh, seed=seed, build=build)
    return FixedTasks(tasks, build)


def join_tables(parts: Sequence[TaskTables]) -> TaskTables:
    """Return the tables of all tasks of some tables, in their order."""
    if len(parts) == 1:
        return parts[0]
    records = [part.tables.tasks.copy() for part in parts]
    past = dict.fromkeys(POINTED, 0)
    for part, own in zip(parts, records, strict=True):
        for name in POINTED:
            at = own[f"at_{name}"]
            at += np.where(at >= 0, past[name], 0)
            past[name] += len(getattr(part.tables, name))
    flat = {name: _joined(parts, name) for name in Tables._fields if name != "tasks"}
    numbers = {
        name: max(getattr(part, name) for part in parts)
        for name in ("classes", "pool", "points", "most", "width", "proba", "near")
    }
    floats, ints, singles = (max(part.fits[i] for part in parts) for i in range(3))
    return TaskTables(
        tables=Tables(tasks=np.concatenate(records).view(np.recarray), **flat),
        fits=(floats, ints, singles),
        **numbers,
    )


def _joined(parts: Sequence[TaskTables], name: str) -> Any:
    return np.concatenate([getattr(part.tables, name) for part in parts])


def oldest_and_newest(runs: Ints, fresh: Ints) -> tuple[int, int]:
    """Return the lowest and highest number of an episode under way.

    Args:
        runs: Number of the next episode of every environment, shape (E,).
        fresh: Environments whose next episode begins now; the others run the one before.
    """
    under_way = runs - 1
    under_way[fresh] += 1
    return int(under_way.min()), int(under_way.max())
