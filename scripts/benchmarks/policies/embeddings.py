"""The default policy over embeddings of images and texts, against what people use on embeddings.

``python -m scripts.benchmark embeddings`` starts every strategy from the same labels, one, two and
ten of each class, and acquires one, ten or a hundred at a time. All of them see an embedding of the
pool: one that was learned from its rows without labels, or, with ``--embedding learner``, the last
hidden layer of the network that is being taught. Finished parts lie in a folder and are never
repeated; ``--minutes`` ends early.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from lal.arrays import Floats, Ints
from lal.data.view import make_geometry
from lal.episode import run_episode
from lal.errors import UsageError
from lal.evaluation.runs.methods import parse_method
from lal.learners import make_learner
from lal.learners.capabilities import require_capability
from lal.learners.represented import REPRESENTATIONS
from lal.metrics import Metric, accuracy, balanced_accuracy
from lal.pool import dense
from lal.rng import integer_seed
from lal.state import QueryState, Strategy
from lal.strategies.base import select
from lal.task import Part, Task
from lal.tasks.conditions import Condition
from lal.tasks.splits import make_task
from scripts.benchmarks.base import Benchmark, Cell, Results, student_interval
from scripts.benchmarks.kept import kept
from scripts.benchmarks.policies.deep import OPTIONS, load_rows

METHODS: Mapping[str, str] = {
    "default": "policy:default", "herding": "uncertainty_herding", "margin": "margin",
    "BADGE": "badge", "TypiClust": "typiclust", "random": "random",
}  # fmt: skip
"""Columns of the tables and what they are run with."""

OTHERS = tuple(name for name in METHODS if name != "default")

METRICS: Mapping[str, Metric] = {"accuracy": accuracy, "balanced_accuracy": balanced_accuracy}


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is run."""

    datasets: tuple[str, ...] = (
        "sklearn:digits", "file:../shared/data/dev/mnist_test10k.npz",
        "../shared/data/dev/text_trec6.jsonl.gz", "../shared/data/dev/text_sms_spam.jsonl.gz",
    )  # fmt: skip
    """Names, or .jsonl.gz files of texts with labels."""

    runs: int = 5
    """Paired runs."""

    starts: tuple[int, ...] = (1, 2, 10)
    """Labels of each class that an episode begins with."""

    batch_sizes: tuple[int, ...] = (1, 10, 100)
    """Labels between refits."""

    budgets: tuple[int, ...] = (25, 100, 200)
    """Labels acquired after the start, one number for each batch size."""

    embedding: Literal["fixed", "learner"] = "fixed"
    """Learned from the rows of the pool, before any label and under a logistic regression; or the
    last hidden layer of a network that is refitted after every batch."""

    by: str = "autoencoder"
    """What learns the fixed embedding: autoencoder, contrastive, pca or two_views."""

    n_columns: int = 32
    """Width of the fixed embedding."""

    max_pool: int = 600
    """Larger pools are sub-sampled."""

    out: Path = Path("runs/embeddings")
    """Folder of finished parts."""

    minutes: float = 0.0
    """No part begins after so many minutes; 0 for no limit."""


class Piece(NamedTuple):
    """One file in the folder: all strategies and batch sizes from one start."""

    dataset: str
    start: int
    seed: int


class Embedded:
    """A condition: all rows of a task become their embedding, which is learned from the pool's.

    Args:
        by: A name in `REPRESENTATIONS`.
        n_columns: Width.
    """

    def __init__(self, by: str, n_columns: int) -> None:
        self.by, self.n_columns = by, n_columns

    def __call__(self, task: Task, rng: np.random.Generator) -> Task:
        """Return the task over the embedding."""
        encode = REPRESENTATIONS[self.by](dense(task.pool.X), self.n_columns)
        pool, test = (Part(encode(dense(p.X)), p.y) for p in (task.pool, task.test_part()))
        return replace(task, pool=pool, test=test)


class OverEmbedding:
    """A strategy that sees the learner's embedding where it would see the encoded rows.

    Args:
        strategy: Any; it is given a state whose Z is what the learner's last layer sees.
    """

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the strategy's utilities, shape (N,)."""
        return self.strategy.utilities(_seen(state), rng)

    def select_batch(
        self, state: QueryState, rng: np.random.Generator, ties: np.random.Generator,
        batch_size: int,
    ) -> Ints:  # fmt: skip
        """Return what the strategy asks for, shape (batch_size,)."""
        return select(self.strategy, _seen(state), rng, ties, batch_size)


def _seen(state: QueryState) -> QueryState:
    if state.model is None:
        return state
    return replace(
        state, geometry=make_geometry(require_capability(state, "embed", "OverEmbedding"))
    )


def run(config: Config, results: Results) -> None:
    """Run what is missing, then add the tables of what is there.

    Raises:
        UsageError: Not one budget for each batch size, or nothing finished.
    """
    if len(config.budgets) != len(config.batch_sizes):
        raise UsageError(
            f"expected one budget for each batch size, got {len(config.budgets)} budgets and "
            f"{len(config.batch_sizes)} batch sizes"
        )
    began = time.monotonic()
    done: dict[Piece, dict[str, Any]] = {}
    for part in _parts(config):
        name, depends = _name(config, part), _depends(config, part)
        late = config.minutes and time.monotonic() - began > 60.0 * config.minutes
        if not late or (config.out / f"{name}.json").exists():
            done[part] = kept(config.out, name, depends, partial(_run, config, part))
    runs = [seed for seed in range(config.runs) if all(p in done for p in _parts(config, seed))]
    if len(runs) < 2:
        raise UsageError("expected two finished runs at least; run the same command again")
    _add_tables(config, done, runs, results)
    seconds = sum(found["seconds"] for found in done.values())
    results.note(f"{len(runs)} runs, {seconds:.0f} s of CPU time")


def _parts(config: Config, seed: int | None = None) -> list[Piece]:
    """Return the parts of a run, or of all, run by run, so that an early end leaves whole runs."""
    seeds = range(config.runs) if seed is None else [seed]
    return [Piece(d, s, r) for r in seeds for d in config.datasets for s in config.starts]


def _name(config: Config, part: Piece) -> str:
    return f"{config.embedding}-{_short(part.dataset)}-{part.start}-{part.seed}"


def _short(dataset: str) -> str:
    return Path(dataset.partition(":")[2] or dataset).name.partition(".")[0]


def _depends(config: Config, part: Piece) -> Any:
    same = replace(config, datasets=(), starts=(), runs=0, out=Path(), minutes=0.0)
    return same, part.dataset, part.start, part.seed


def _run(config: Config, part: Piece) -> dict[str, Any]:
    """Return the areas of every strategy and batch size, by "batch size/strategy"."""
    clock = time.process_time()
    task, seed = _make_task(config, part), integer_seed(0, "embeddings", part.dataset, part.seed)
    areas: dict[str, list[float]] = {}
    for size, budget in zip(config.batch_sizes, config.budgets, strict=True):
        for name, text in METHODS.items():
            method = parse_method(text).make()
            if config.embedding == "learner":
                method = OverEmbedding(method)
            sized = replace(task, budget=budget)
            curve = run_episode(method, sized, seed=seed, batch_size=size, metrics=METRICS)
            areas[f"{size}/{name}"] = [100.0 * curve.area(metric) for metric in METRICS]
    return {"areas": areas, "seconds": round(time.process_time() - clock, 2)}


def _make_task(config: Config, part: Piece) -> Task:
    texts = part.dataset.endswith(".jsonl.gz")
    own = config.embedding == "learner"
    name = ("text_bow" if texts else "small_cnn") if own else "logistic_regression"
    data = load_rows(part.dataset, hashed=own and texts)
    fixed: list[str | Condition] = [] if own else [Embedded(config.by, config.n_columns)]
    return make_task(
        data, make_learner(name, **OPTIONS[name]), budget=max(config.budgets),
        seed=integer_seed(0, "embeddings", part.dataset, part.seed), max_pool=config.max_pool,
        start=part.start * data.n_classes, balanced_start=True, conditions=fixed,
    )  # fmt: skip


def _add_tables(
    config: Config, done: Mapping[Piece, Mapping[str, Any]], runs: list[int], results: Results
) -> None:
    """Add the default's differences by start and batch size, by data set, and every cell."""
    every = list(product(config.datasets, config.starts, config.batch_sizes))
    areas = {
        (*cell, name): np.array(
            [done[Piece(cell[0], cell[1], r)]["areas"][f"{cell[2]}/{name}"] for r in runs]
        )
        for cell in every for name in METHODS
    }  # fmt: skip
    for start, size in product(config.starts, config.batch_sizes):
        cells = [cell for cell in every if cell[1:] == (start, size)]
        results.add("settings", {"labels a class": start, "batch": size, **_leads(areas, cells)})
    for dataset, (place, metric) in product(config.datasets, enumerate(METRICS)):
        cells = [cell for cell in every if cell[0] == dataset]
        where: dict[str, Cell] = {"data set": _short(dataset), "metric": metric.replace("_", " ")}
        results.add("datasets", where | _leads(areas, cells, place))
    results.add("counts", {"cells": len(every), **_counts(areas, every)})
    for cell in every:
        ours = {name: areas[(*cell, name)][:, 0] for name in METHODS}
        row: dict[str, Cell] = {"data set": _short(cell[0])}
        row |= {"labels a class": cell[1], "batch": cell[2]}
        row["random"] = f"{ours['random'].mean():.1f}"
        gaps = {n: student_interval(a - ours["random"]) for n, a in ours.items() if n != "random"}
        results.add("cells", row | {f"{name} minus random": gap for name, gap in gaps.items()})


def _leads(areas: Mapping[Any, Floats], cells: list[Any], metric: int = 0) -> dict[str, Cell]:
    """Return the default's differences to the others, averaged over cells within each run."""
    return {
        f"minus {name}": student_interval(np.mean(list(_gaps(areas, cells, name, metric)), axis=0))
        for name in OTHERS
    }


def _gaps(
    areas: Mapping[Any, Floats], cells: list[Any], other: str, metric: int = 0
) -> Iterator[Floats]:
    """Yield the default's differences to another strategy, shape (runs,) each."""
    for cell in cells:
        yield (areas[(*cell, "default")] - areas[(*cell, other)])[:, metric]


def _counts(areas: Mapping[Any, Floats], cells: list[Any]) -> dict[str, Cell]:
    """Return in how many cells the default's mean is ahead of each other strategy."""
    means = {name: np.array([gap.mean() for gap in _gaps(areas, cells, name)]) for name in OTHERS}
    return {f"ahead of {name}": str((gaps > 0).sum()) for name, gaps in means.items()}


main = Benchmark("embeddings", Config, run)
