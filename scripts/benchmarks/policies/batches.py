"""Batches: the greedy rule against the old one, against margin and against random, paired.

``python -m scripts.benchmark batches`` runs every method on the same tasks from the same random
labels, in batches, and prints the differences in AUBC points with their intervals over data sets.
"""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from lal.arrays import Floats
from lal.data.datasets import load_dataset
from lal.episode import run_episode
from lal.learners import make_learner
from lal.policies.kinds import load_policy
from lal.rng import integer_seed
from lal.state import Strategy
from lal.strategies.base import make_strategy
from lal.tasks.splits import make_task
from scripts.benchmarks.base import Benchmark, Results

METHODS: Mapping[str, tuple[str, str]] = {
    "default, greedy": ("default", "greedy"),
    "default, top": ("default", "top"),
    "margin, top": ("margin", "top"),
    "random": ("random", "top"),
}
"""Name to the policy or strategy and its batch rule."""

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

    batch_size: int = 10
    """Labels between refits."""

    start: int = 10
    """Random labels that an episode begins with."""

    labels: int = 100
    """Labels at the end, the start included; fewer where the pool has fewer."""

    runs: int = 2
    """Paired runs a data set."""

    max_pool: int = 1000
    """Larger pools are sub-sampled."""

    jobs: int = 1
    """Processes."""


def run(config: Config, results: Results) -> None:
    """Add the differences to every other method."""
    runs = [(config, name, run) for name in config.datasets for run in range(config.runs)]
    with ProcessPoolExecutor(config.jobs) as pool:
        done = np.array(list(pool.map(_run, runs)))  # (runs, methods, metrics)
    shape = (len(config.datasets), config.runs, len(METHODS), len(METRICS))
    areas = done.reshape(shape)
    first, *others = METHODS
    for k, other in enumerate(others, start=1):
        gaps = 100.0 * (areas[:, :, 0] - areas[:, :, k]).mean(axis=1)
        row = {f"{first} minus": other}
        row |= {m.replace("_", " "): _interval(g) for m, g in zip(METRICS, gaps.T, strict=True)}
        ahead = f"{(gaps[:, 0] > 0).sum()} and {(gaps[:, 1] > 0).sum()} of {len(gaps)}"
        results.add("batches", {**row, "data sets ahead": ahead})


def _run(one: tuple[Config, str, int]) -> list[list[float]]:
    config, name, run = one
    seed = integer_seed(0, "batches", name, run)
    dataset = load_dataset(f"file:{config.folder / name}.npz")
    task = make_task(
        dataset,
        make_learner(LogisticRegression(max_iter=1000)),
        seed=seed,
        start=config.start,
        budget=config.labels - config.start,
        max_pool=config.max_pool,
    )
    areas = []
    for asked, rule in METHODS.values():
        curve = run_episode(
            _strategy(asked), task, seed=seed, batch_size=config.batch_size, batch_rule=rule
        )
        areas.append([curve.area(metric) for metric in METRICS])
    return areas


def _strategy(name: str) -> Strategy:
    return load_policy(name) if name == "default" else make_strategy(name)


def _interval(gaps: Floats) -> str:
    """Return the mean over data sets with its 95 % bootstrap interval over these."""
    rng = np.random.default_rng(0)
    means = gaps[rng.integers(len(gaps), size=(10_000, len(gaps)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{gaps.mean():+.1f} [{low:+.1f}, {high:+.1f}]"


main = Benchmark("batches", Config, run)
