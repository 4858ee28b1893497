"""Cells: one data set, learner, run and strategy; what determines one, and playing it."""

import dataclasses
import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import lal
from lal.arrays import Floats, Ints
from lal.curve import Curve
from lal.data.dataset import Dataset
from lal.episode import METRICS, run_episode
from lal.errors import UsageError
from lal.evaluation.runs.methods import FULL_LABEL, Entrant
from lal.evaluation.runs.oracles import run_oracle
from lal.evaluation.runs.protocol import Protocol, Run, labels_of
from lal.learners import make_learner
from lal.rng import Streams, integer_seed
from lal.serialization import canonical_json
from lal.task import Task
from lal.tasks.splits import make_task

FORMAT = 1
"""Counted up when the way a cell is played changes without a new release."""

FULL = Entrant(label=FULL_LABEL, spec=FULL_LABEL)
"""The learner fitted to the whole labelled pool: the level that curves are held against."""

ORACLE_LABELS = ("@oracle_seen", "@oracle_other")
"""Labels of the greedy oracles, measured on the half they picked by and on the other half."""

DONE, FAILED, TIMED_OUT = "done", "failed", "timed out"


@dataclass(frozen=True, eq=False)
class Cell:
    """The smallest unit of an evaluation."""

    protocol: Protocol
    dataset: Dataset
    learner: str
    run: Run
    entrant: Entrant

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that determines what the cell gives."""
        return {
            "format": FORMAT,
            "lal": lal.__version__,
            "protocol": self.protocol.cell_hash,
            "dataset": self.dataset.sha256,
            "learner": self.learner,
            "split": self.run.split,
            "start": self.run.start,
            "entrant": self.entrant.identity,
        }

    @property
    def key(self) -> str:
        """Hash of `identity`, 40 hexadecimal digits: the name of the result."""
        return hashlib.sha256(canonical_json(self.identity).encode()).hexdigest()[:40]

    @property
    def split_seed(self) -> int:
        """Seed of the split: the same for every learner, start and strategy."""
        return integer_seed(self.protocol.seed, "split", self.dataset.sha256, self.run.split)

    @property
    def episode_seed(self) -> int:
        """Seed of start, learner, ties and draws: the same for every strategy."""
        run = self.run
        return integer_seed(
            self.protocol.seed, "episode", self.dataset.sha256, run.split, run.start
        )

    def task(self) -> Task:
        """Return the task that the cell plays.

        Raises:
            UsageError: The budget is more than the pool.
        """
        rules, n_classes = self.protocol, self.dataset.n_classes
        task = make_task(
            self.dataset,
            make_learner(self.learner),
            seed=self.split_seed,
            budget=rules.budget if isinstance(rules.budget, int) else 1,
            test_share=rules.test_share,
            max_pool=rules.max_pool,
            start=rules.start_of(n_classes),
            classes_known=rules.classes_known,
            budget_known=rules.budget_known,
        )
        return dataclasses.replace(task, budget=_budget(rules, task, n_classes))


def _budget(rules: Protocol, task: Task, n_classes: int) -> int:
    """Return the labels to buy: the protocol's, at most its share of the pool."""
    start = 2 if task.start == "two_classes" else int(task.start)
    room = min(int(rules.max_share * len(task.pool)), len(task.pool) - start)
    wanted = room if rules.budget is None else labels_of(rules.budget, n_classes)
    return max(1, min(wanted, room))


def cells_of(
    protocol: Protocol,
    datasets: Sequence[Dataset],
    learners: Sequence[str],
    entrants: Sequence[Entrant],
) -> Iterator[Cell]:
    """Return all cells, runs outermost, so that an unfinished evaluation is still paired."""
    for run in protocol.runs:
        for dataset in datasets:
            for learner in learners:
                for entrant in entrants:
                    yield Cell(protocol, dataset, learner, run, entrant)


@dataclass(frozen=True, eq=False)
class CellResult:
    """What a cell gave, or how it failed.

    Attributes:
        key: The cell's key.
        status: ``"done"``, ``"failed"`` or ``"timed out"``.
        about: Names for tables: dataset, family, source, learner, split, start, strategy, ...
        n_labels: Labels bought at each point, shape (T,).
        metrics: Test metrics by name, each of shape (T,).
        queried: Pool rows in the order of purchase.
        seconds: Wall time of the whole cell.
        query_seconds: Mean time of one query.
        query_p95: Time that 95 % of its queries stayed under, in seconds; 0 when not taken.
        error: Traceback of a failure.
        limit: Time limit that the cell ran under, in seconds; 0 for none.
    """

    key: str
    status: str
    about: dict[str, Any]
    n_labels: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    metrics: dict[str, Floats] = field(default_factory=dict)
    queried: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    seconds: float = 0.0
    query_seconds: float = 0.0
    query_p95: float = 0.0
    error: str = ""
    limit: float = 0.0


def about(cell: Cell) -> dict[str, Any]:
    """Return the names of a cell for tables."""
    return {
        "dataset": cell.dataset.name,
        "family": cell.dataset.family,
        "source": cell.dataset.source,
        "sha256": cell.dataset.sha256,
        "n_classes": cell.dataset.n_classes,
        "learner": cell.learner,
        "split": cell.run.split,
        "start": cell.run.start,
        "strategy": cell.entrant.label,
        "metric": cell.protocol.metric,
        "protocol": cell.protocol.cell_hash,
    }


def play(cell: Cell) -> CellResult:
    """Play a cell from split to curve."""
    began = time.perf_counter()
    task = cell.task()
    if cell.entrant == FULL:
        curve = _full_fit(cell, task)
    elif cell.entrant.label in ORACLE_LABELS:
        curve = _oracle(cell, task)
    else:
        curve = _episode(cell, task)
    facts = {"n_start": curve.n_start, "n_all_seen": curve.n_all_seen, "n_pool": len(task.pool)}
    return CellResult(
        key=cell.key,
        status=DONE,
        about={**about(cell), **facts},
        n_labels=curve.n_labels,
        metrics=dict(curve.metrics),
        queried=curve.queried,
        seconds=time.perf_counter() - began,
        query_seconds=curve.query_seconds,
        query_p95=curve.query_p95,
    )


def _episode(cell: Cell, task: Task) -> Curve:
    return run_episode(
        cell.entrant.make(),
        task,
        seed=cell.episode_seed,
        batch_size=labels_of(cell.protocol.batch_size, cell.dataset.n_classes),
        metrics={name: METRICS[name] for name in cell.protocol.metrics},
    )


def _oracle(cell: Cell, task: Task) -> Curve:
    """Play a greedy oracle; ``seen`` and ``other`` are one episode measured on two halves."""
    if cell.protocol.batch_size != 1:
        raise UsageError(f"the oracles buy one label at a time, not {cell.protocol.batch_size}")
    curves = run_oracle(
        task,
        seed=cell.episode_seed,
        pick_by=cell.protocol.metric,
        metrics={name: METRICS[name] for name in cell.protocol.metrics},
    )
    return curves.other if cell.entrant.label == ORACLE_LABELS[1] else curves.seen


def _full_fit(cell: Cell, task: Task) -> Curve:
    n = len(task.pool)
    model = task.learner.fit(
        task.pool.X,
        task.pool.y,
        n_classes=task.n_classes,
        seed=Streams(cell.episode_seed).learner_seed(n),
    )
    test = task.test_part()
    proba = model.predict_proba(test.X)
    values = {m: np.array([METRICS[m](test.y, proba)]) for m in cell.protocol.metrics}
    return Curve(np.array([n]), values, np.zeros(0, dtype=np.int64), n_start=n, n_all_seen=n)
