"""TAILOR on imbalanced data sets, beside ALBL, its arms, and its arms drawn alike.

``python -m scripts.benchmark tailor`` runs paired episodes and prints TAILOR's area under the curve
of balanced accuracy, and of accuracy, with its differences to the others. A third table has the
share of labels that went to rare classes: those with less than half of an even share of the pool.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lal.arrays import Floats
from lal.curve import Curve
from lal.data.dataset import Dataset
from lal.data.datasets import load_dataset
from lal.episode import run_episode
from lal.learners import make_learner
from lal.registry import parse_options
from lal.rng import generator
from lal.strategies.base import make_strategy
from lal.task import Task
from lal.tasks.splits import make_task
from scripts.benchmarks.base import Benchmark, Results, student_interval

UNIFORM = "tailor?choice=uniform"
"""The control: the same arms, drawn alike."""

MEASURES = ("balanced_accuracy", "accuracy", "labels_of_rare_classes")
"""One table each."""

TAIL = "long_tailed:"
"""What makes a data set long-tailed, before its name."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which data sets, how many episodes."""

    datasets: tuple[str, ...] = ("long_tailed:sklearn:digits", "long_tailed:sklearn:wine")
    """Names of data sets; long_tailed: thins the classes of the one named behind it."""

    against: tuple[str, ...] = ("random", "margin", "most_likely_positive", "albl", UNIFORM)
    """What TAILOR is compared with; ALBL asks one row at a time."""

    learner: str = "logistic_regression"
    """The task model."""

    runs: int = 10
    """Paired episodes on each data set."""

    budget: int = 60
    """Labels acquired after the start."""

    batch_size: int = 1
    """Labels between refits."""

    max_pool: int = 400
    """Larger pools are sub-sampled."""


def run(config: Config, results: Results) -> None:
    """Print a row of each measure for every data set, then one over all episodes."""
    found: list[dict[str, Floats]] = []
    for name in config.datasets:
        found.append(measure(config, name))
        for at, of in enumerate(MEASURES):
            results.add(of, _row(Path(name.split(":")[-1]).stem, found[-1], at))
    everything = {name: np.concatenate([each[name] for each in found]) for name in found[0]}
    for at, of in enumerate(MEASURES):
        results.add(of, _row("all", everything, at))


def _row(name: str, found: dict[str, Floats], at: int) -> dict[str, str | int]:
    ours = found["tailor"][:, at]
    differences = {
        f"minus {'uniform choice' if other == UNIFORM else other}": student_interval(
            ours - values[:, at]
        )
        for other, values in found.items()
        if other != "tailor"
    }
    return {"data set": name, "runs": len(ours), "tailor": f"{ours.mean():.2f}", **differences}


def measure(config: Config, name: str) -> dict[str, Floats]:
    """Return the measures of TAILOR and the others in percent, each of shape (runs, 3)."""
    learner = make_learner(config.learner, tol=1e-3)
    names: Sequence[str] = ("tailor", *config.against)
    found: dict[str, list[list[float]]] = {method: [] for method in names}
    for seed in range(config.runs):
        task = make_task(
            load_rare(name, seed), learner, seed=seed, budget=config.budget,
            max_pool=config.max_pool, budget_known=True,
        )  # fmt: skip
        for method in names:
            strategy, options = parse_options(method)
            made = make_strategy(strategy, **options)
            curve = run_episode(made, task, seed=seed, batch_size=config.batch_size)
            found[method].append(_measures(curve, task))
    return {method: 100.0 * np.array(values) for method, values in found.items()}


def _measures(curve: Curve, task: Task) -> list[float]:
    share = np.bincount(task.pool.y, minlength=task.n_classes) / len(task.pool.y)
    rare = share < 0.5 / task.n_classes
    labels = task.pool.y[curve.queried[curve.n_start :]]
    return [curve.area("balanced_accuracy"), curve.area("accuracy"), float(rare[labels].mean())]


def load_rare(name: str, seed: int) -> Dataset:
    """Return a data set, long-tailed where the name says so; the seed draws order and rows."""
    if not name.startswith(TAIL):
        return load_dataset(name)
    dataset = load_dataset(name.removeprefix(TAIL))
    return long_tailed(dataset, generator(seed, "long_tailed", dataset.name))


def long_tailed(dataset: Dataset, rng: np.random.Generator, rarest: float = 0.1) -> Dataset:
    """Return the data set with classes thinned to shares that fall geometrically.

    Args:
        dataset: Of classes.
        rng: Draws the order of the classes and the rows.
        rarest: Share of its rows that the last class keeps; the first keeps all. No class is left
            with fewer than 10 rows.
    """
    kept = []
    for rank, code in enumerate(rng.permutation(dataset.n_classes)):
        rows = rng.permutation(np.flatnonzero(dataset.y == code))
        share = rarest ** (rank / max(dataset.n_classes - 1, 1))
        kept.append(rows[: max(round(share * len(rows)), 10)])
    chosen = np.sort(np.concatenate(kept))
    return replace(dataset, X=np.asarray(dataset.X)[chosen], y=dataset.y[chosen])


main = Benchmark("tailor", Config, run)
