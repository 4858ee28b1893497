"""ALBL beside its own arms: paired episodes on small data sets, test accuracy over the curve.

``python -m scripts.benchmark albl`` prints every difference with its 95 % interval.
"""

from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats
from lal.data.datasets import load_dataset
from lal.episode import run_episode
from lal.learners import make_learner
from lal.strategies.base import make_strategy
from lal.tasks.splits import make_task
from scripts.benchmarks.base import Benchmark, Results, interval

ARMS = ("margin", "query_by_committee", "k_farthest_then_margin", "random")
"""The arms of ALBL, its uniform arm as the strategy "random"."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which data sets, how many episodes."""

    datasets: tuple[str, ...] = (
        "sklearn:breast_cancer",
        "sklearn:wine",
        "synthetic:xor",
        "synthetic:linear",
    )
    """Names of data sets."""

    learner: str = "gaussian_nb"
    """The task model."""

    seeds: int = 30
    """Episodes on each data set."""

    budget: int = 30
    """Labels acquired after the start; known to the bandit."""


def run(config: Config, results: Results) -> None:
    """Print areas, in points, and ALBL's difference to the mean and to the best arm."""
    differences = []
    for name in config.datasets:
        areas = get_areas(config, name)
        arms = np.stack([areas[arm] for arm in ARMS])
        difference = areas["albl"] - arms.mean(axis=0)
        differences.append(difference)
        best = ARMS[int(arms.mean(axis=1).argmax())]
        row = {
            "data set": name,
            "albl": f"{100 * areas['albl'].mean():.2f}",
            "mean arm": f"{100 * arms.mean():.2f}",
            "best arm": f"{100 * arms.mean(axis=1).max():.2f} ({best})",
            "albl - mean arm": points(difference),
        }
        results.add(config.learner, row)
    overall = points(np.concatenate(differences))
    results.add(config.learner, {"data set": "all", "albl - mean arm": overall})


def get_areas(config: Config, name: str) -> dict[str, Floats]:
    """Return the areas of ALBL and its arms on paired episodes, each of shape (seeds,)."""
    dataset = load_dataset(name)
    learner = make_learner(config.learner)
    areas: dict[str, list[float]] = {rule: [] for rule in ("albl", *ARMS)}
    for seed in range(config.seeds):
        task = make_task(
            dataset, learner, seed=seed, budget=config.budget, max_pool=200, budget_known=True
        )
        for rule, found in areas.items():
            found.append(run_episode(make_strategy(rule), task, seed=seed).area())
    return {rule: np.array(found) for rule, found in areas.items()}


def points(values: Floats) -> str:
    """Return mean and half-width of the 95 % interval in points."""
    return interval(100 * values, 2)


main = Benchmark("albl", Config, run)
