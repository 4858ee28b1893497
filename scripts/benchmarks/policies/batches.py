"""Batches: the default policy against what else chooses batches, paired.

``python -m scripts.benchmark batches`` runs every method on the same tasks from the same labels, in
batches, and prints the differences in AUBC points with their intervals over data sets. Finished
runs lie in a folder and are never repeated.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from lal.arrays import Floats
from lal.data.dataset import Dataset
from lal.data.datasets import load_dataset
from lal.episode import run_episode
from lal.evaluation.runs.protocol import count_labels
from lal.learners import make_learner
from lal.policies.kinds import load_policy
from lal.rng import integer_seed
from lal.state import Strategy
from lal.strategies.base import make_strategy
from lal.task import Task
from lal.tasks.splits import make_task
from scripts.benchmarks.base import Benchmark, Results
from scripts.benchmarks.kept import kept

METHODS: Mapping[str, tuple[str, str | None]] = {
    "default": ("default", None),
    "default, top": ("default", "top"),
    "margin, top": ("margin", "top"),
    "BADGE": ("badge", None),
    "uncertainty herding": ("uncertainty_herding", None),
    "random": ("random", None),
}
"""Name to the policy or strategy and its batch rule; None is its own, greedy for most."""

METRICS = ("balanced_accuracy", "accuracy")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is compared on what."""

    datasets: tuple[str, ...] = (
        "banana", "wine", "ecoli", "vehicle", "ionosphere", "segment", "heart", "glass",
    )  # fmt: skip
    """Names of data sets in the folder."""

    folder: Path = Path("../shared/data/dev")
    """Folder of .npz files."""

    batch_sizes: tuple[str, ...] = ("10",)
    """Labels between refits: numbers, or texts like 10C, which counts classes."""

    starts: tuple[str, ...] = ("10",)
    """Random labels that an episode begins with; cold: until two classes are observed."""

    labels: int = 100
    """Labels at the end, the start included; fewer where the pool has fewer, and a few more where a
    cold start takes long to observe two classes."""

    runs: int = 2
    """Paired runs a data set."""

    max_pool: int = 1000
    """Larger pools are sub-sampled."""

    jobs: int = 1
    """Processes."""

    out: Path = Path("runs/batches")
    """Folder of finished runs."""


class Run(NamedTuple):
    """One run of all methods."""

    start: str
    batch_size: str
    dataset: str
    seed: int


def run(config: Config, results: Results) -> None:
    """Add the differences to every other method: a table for each kind of data set."""
    runs = list(_runs(config))
    with ProcessPoolExecutor(config.jobs) as pool:
        done = dict(zip(runs, pool.map(partial(_kept, config), runs), strict=True))
    kinds = {
        "all": config.datasets,
        "two-classes": [d for d in config.datasets if _load(config, d).n_classes == 2],
        "more-classes": [d for d in config.datasets if _load(config, d).n_classes > 2],
    }
    settings = list(product(config.starts, config.batch_sizes, list(METHODS)[1:]))
    for kind, names in kinds.items():
        for start, size, other in settings if names else ():
            gaps = np.array([_gaps(config, done, (start, size, d), other) for d in names])
            row = {"start": start, "batch": size, "default minus": other}
            results.add(kind, row | _summary(gaps))


def _runs(config: Config) -> Iterator[Run]:
    """Yield the runs; all data sets once, then all of them again."""
    for seed, start, size in product(range(config.runs), config.starts, config.batch_sizes):
        yield from (Run(start, size, dataset, seed) for dataset in config.datasets)


def _kept(config: Config, one: Run) -> dict[str, list[float]]:
    """Return the areas of every method, one a metric, from the folder if they are there.

    The folder of the data sets counts, since suites share names.
    """
    same = replace(config, datasets=(), batch_sizes=(), starts=(), runs=0, jobs=1, out=Path())
    methods = {name: str(asked) for name, asked in METHODS.items()}
    depends = (same, *one, methods, load_policy("default").name)
    return kept(config.out, "-".join(map(str, one)), depends, partial(_run, config, one))


def _run(config: Config, one: Run) -> dict[str, list[float]]:
    task, seed = _make_task(config, one), integer_seed(0, "batches", one.dataset, one.seed)
    size = count_labels(_count(one.batch_size), task.n_classes)
    areas = {}
    for name, (asked, rule) in METHODS.items():
        curve = run_episode(_strategy(asked), task, seed=seed, batch_size=size, batch_rule=rule)
        areas[name] = [float(curve.area(metric)) for metric in METRICS]
    return areas


def _make_task(config: Config, one: Run) -> Task:
    cold = one.start == "cold"
    return make_task(
        _load(config, one.dataset),
        make_learner(LogisticRegression(max_iter=1000)),
        seed=integer_seed(0, "batches", one.dataset, one.seed),
        start="two_classes" if cold else int(one.start),
        budget=config.labels - (2 if cold else int(one.start)),
        max_pool=config.max_pool,
    )


def _load(config: Config, name: str) -> Dataset:
    return load_dataset(f"file:{config.folder / name}.npz")


def _count(text: str) -> int | str:
    return text if text.endswith("C") else int(text)


def _strategy(name: str) -> Strategy:
    return load_policy(name) if name == "default" else make_strategy(name)


def _gaps(
    config: Config,
    done: Mapping[Run, Mapping[str, Sequence[float]]],
    cell: tuple[str, str, str],
    other: str,
) -> Floats:
    """Return the mean gaps of a data set in AUBC points, one a metric."""
    found = [done[Run(*cell, seed)] for seed in range(config.runs)]
    gaps = np.array([np.subtract(one["default"], one[other]) for one in found])
    mean: Floats = 100.0 * gaps.mean(axis=0)
    return mean


def _summary(gaps: Floats) -> dict[str, str]:
    row = {m.replace("_", " "): _interval(g) for m, g in zip(METRICS, gaps.T, strict=True)}
    ahead = (gaps > 0.0).sum(axis=0)
    return {**row, "data sets ahead": f"{ahead[0]} and {ahead[1]} of {len(gaps)}"}


def _interval(gaps: Floats) -> str:
    """Return the mean over data sets with its 95 % bootstrap interval over these."""
    rng = np.random.default_rng(0)
    means = gaps[rng.integers(len(gaps), size=(10_000, len(gaps)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{gaps.mean():+.2f} [{low:+.2f}, {high:+.2f}]"


main = Benchmark("batches", Config, run)
