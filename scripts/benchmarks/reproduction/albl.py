"""ALBL beside its own arms: paired episodes on small data sets, test accuracy over the curve.

``python -m scripts.benchmark albl`` prints every difference with its 95 % interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats
from lal.data.datasets import load_dataset
from lal.episode import run_episode
from lal.learners import make_learner
from lal.strategies.base import make_strategy
from lal.tasks.splits import make_task
from scripts.entry import run_main

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
    """Labels bought after the start; known to the bandit."""


def run(config: Config) -> None:
    """Print areas, in points, and ALBL's difference to the mean and to the best arm."""
    differences = []
    print("| data set | albl | mean arm | best arm | albl - mean arm |\n|---|---|---|---|---|")
    for name in config.datasets:
        areas = areas_of(config, name)
        arms = np.stack([areas[arm] for arm in ARMS])
        difference = areas["albl"] - arms.mean(axis=0)
        differences.append(difference)
        best = ARMS[int(arms.mean(axis=1).argmax())]
        cells = (areas["albl"].mean(), arms.mean(), arms.mean(axis=1).max())
        shown = [f"{100 * value:.2f}" for value in cells]
        print(f"| {name} | {shown[0]} | {shown[1]} | {shown[2]} ({best}) | {points(difference)} |")
    print(f"all: albl minus mean arm {points(np.concatenate(differences))}")


def areas_of(config: Config, name: str) -> dict[str, Floats]:
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
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return f"{100 * values.mean():+.2f} +- {100 * half:.2f}"


def main(arguments: Sequence[str]) -> int:
    """Run the sub-command; returns the exit code."""
    return run_main(run, Config, arguments)
