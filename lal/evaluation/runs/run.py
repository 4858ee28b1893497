"""Runs: one data set, learner, repetition and method; what determines one, and executing it."""

import dataclasses
import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

import lal
from lal.arrays import Floats, Ints
from lal.curve import Curve
from lal.data.dataset import Dataset
from lal.episode import run_episode
from lal.errors import UsageError
from lal.evaluation.runs.methods import FULL_LABEL, ORACLE_LABELS, MethodSpec
from lal.evaluation.runs.oracles import run_oracle
from lal.evaluation.runs.protocol import Protocol, Repetition, count_labels
from lal.learners import read_learner
from lal.metrics import find_metrics, with_group_metrics
from lal.rng import Streams, integer_seed
from lal.serialization import canonical_json
from lal.task import Task
from lal.task_kind import REGRESSION
from lal.tasks.splits import make_task

FORMAT = 1
"""Counted up when the way a run is executed changes without a new release."""

FULL = MethodSpec(label=FULL_LABEL, spec=FULL_LABEL, role="full_labels")
"""The learner fitted to the whole labelled pool: the level that curves are held against."""

REFERENCE = "reference"
"""The engine of this package: one Python episode per run, with the learner itself."""

ENGINE_ROLES = ("strategy", "policy", "untrained", "shuffled", "linear")
"""Roles that another engine executes; oracles and full-label fits are the reference's."""

DONE, FAILED, TIMED_OUT = "done", "failed", "timed out"


@dataclass(frozen=True, eq=False)
class Run:
    """The smallest unit of an evaluation.

    Attributes:
        protocol: Rules.
        dataset: Data set.
        learner: Name of the learner.
        repetition: Split and start.
        method: What queries the labels.
        engine: What executes it; results of different engines are never mixed.
    """

    protocol: Protocol
    dataset: Dataset
    learner: str
    repetition: Repetition
    method: MethodSpec
    engine: str = REFERENCE

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that determines what the run gives.

        The names are those of the first release: stored results are found by their hash.
        """
        found = {
            "format": FORMAT,
            "lal": lal.__version__,
            "protocol": self.protocol.run_hash,
            "dataset": self.dataset.sha256,
            "learner": self.learner,
            "split": self.repetition.split,
            "start": self.repetition.start,
            "entrant": self.method.identity,
        }
        return found if self.engine == REFERENCE else {**found, "engine": self.engine}

    @cached_property
    def key(self) -> str:
        """Hash of `identity`, 40 hexadecimal digits: the name of the result."""
        return hashlib.sha256(canonical_json(self.identity).encode()).hexdigest()[:40]

    @property
    def split_seed(self) -> int:
        """Seed of the split: the same for every learner, start and strategy."""
        return integer_seed(self.protocol.seed, "split", self.dataset.sha256, self.repetition.split)

    @property
    def episode_seed(self) -> int:
        """Seed of start, learner, ties and draws: the same for every strategy."""
        at = self.repetition
        return integer_seed(self.protocol.seed, "episode", self.dataset.sha256, at.split, at.start)

    def task(self) -> Task:
        """Return the task of the run.

        Raises:
            UsageError: The budget is more than the pool.
        """
        rules, n_classes = self.protocol, self.dataset.n_classes
        task = make_task(
            self.dataset,
            read_learner(self.learner, task=self.dataset.kind),
            seed=self.split_seed,
            budget=rules.budget if isinstance(rules.budget, int) else 1,
            test_share=rules.test_share,
            max_pool=rules.max_pool,
            start=rules.get_start(n_classes),
            classes_known=rules.classes_known,
            budget_known=rules.budget_known,
            conditions=rules.conditions,
        )
        return dataclasses.replace(task, budget=_budget(rules, task, n_classes))


def _budget(rules: Protocol, task: Task, n_classes: int) -> int:
    """Return the labels to acquire: the protocol's, at most its share of the pool."""
    start = 2 if task.start == "two_classes" else int(task.start)
    room = min(int(rules.max_share * len(task.pool)), len(task.pool) - start)
    wanted = room if rules.budget is None else count_labels(rules.budget, n_classes)
    return max(1, min(wanted, room))


def make_runs(
    protocol: Protocol,
    datasets: Sequence[Dataset],
    learners: Sequence[str],
    methods: Sequence[MethodSpec],
    engine: str = REFERENCE,
) -> Iterator[Run]:
    """Yield all runs, repetitions outermost, so that an unfinished evaluation is still paired."""
    for repetition in protocol.repetitions:
        for dataset in datasets:
            for learner in learners:
                for method in methods:
                    by = engine if method.role in ENGINE_ROLES else REFERENCE
                    yield Run(protocol, dataset, learner, repetition, method, by)


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a run gave, or how it failed.

    Attributes:
        key: The run's key.
        status: ``"done"``, ``"failed"`` or ``"timed out"``.
        about: Names for tables: dataset, family, source, learner, split, start, strategy, ...
        n_labels: Labels acquired at each point, shape (T,).
        metrics: Test metrics by name, each of shape (T,).
        queried: Pool rows in the order of their labels.
        seconds: Wall time of the whole run.
        query_seconds: Mean time of one query.
        query_p95: Time that 95 % of its queries stayed under, in seconds; 0 when not taken.
        error: Traceback of a failure.
        limit: Time limit that the run ran under, in seconds; 0 for none.
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


def about(run: Run) -> dict[str, Any]:
    """Return the names of a run for tables."""
    return {
        "dataset": run.dataset.name,
        "family": run.dataset.family,
        "source": run.dataset.source,
        "sha256": run.dataset.sha256,
        "n_classes": run.dataset.n_classes,
        "learner": run.learner,
        "split": run.repetition.split,
        "start": run.repetition.start,
        "strategy": run.method.label,
        "metric": run.protocol.metric,
        "protocol": run.protocol.run_hash,
    }


def execute(run: Run) -> RunResult:
    """Execute a run from split to curve."""
    began = time.perf_counter()
    task = run.task()
    if run.method.role == "full_labels":
        curve = _full_fit(run, task)
    elif run.method.role == "oracle":
        curve = _oracle(run, task)
    else:
        curve = _episode(run, task)
    facts = {"n_start": curve.n_start, "n_all_seen": curve.n_all_seen, "n_pool": len(task.pool)}
    return RunResult(
        key=run.key,
        status=DONE,
        about={**about(run), **facts},
        n_labels=curve.n_labels,
        metrics=dict(curve.metrics),
        queried=curve.queried,
        seconds=time.perf_counter() - began,
        query_seconds=curve.query_seconds,
        query_p95=curve.query_p95,
    )


def _episode(run: Run, task: Task) -> Curve:
    return run_episode(
        run.method.make(),
        task,
        seed=run.episode_seed,
        batch_size=count_labels(run.protocol.batch_size, run.dataset.n_classes),
        metrics=find_metrics(run.protocol.metrics),
    )


def _oracle(run: Run, task: Task) -> Curve:
    """Run a greedy oracle; ``seen`` and ``other`` are one episode measured on two halves."""
    if run.protocol.batch_size != 1:
        raise UsageError(f"the oracles acquire one label at a time, not {run.protocol.batch_size}")
    curves = run_oracle(
        task,
        seed=run.episode_seed,
        pick_by=run.protocol.metric,
        metrics=find_metrics(run.protocol.metrics),
    )
    return curves.other if run.method.spec == ORACLE_LABELS["other"] else curves.seen


def _full_fit(run: Run, task: Task) -> Curve:
    pool = task.answered()
    n = len(pool)
    model = task.learner.fit(
        pool.X,
        pool.y,
        n_classes=task.n_classes,
        seed=Streams(run.episode_seed).learner_seed(n),
    )
    test = task.test_part()
    number = task.kind == REGRESSION
    answer = model.predict(test.X) if number else model.predict_proba(test.X)
    metrics = with_group_metrics(find_metrics(run.protocol.metrics), test.groups)
    values = {name: np.array([metric(test.y, answer)]) for name, metric in metrics.items()}
    return Curve(np.array([n]), values, np.zeros(0, dtype=np.int64), n_start=n, n_all_seen=n)
