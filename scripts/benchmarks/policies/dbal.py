"""Four scores of deep Bayesian active learning, and whether they come in the published order.

``python -m scripts.benchmark dbal`` teaches convolutional networks with Monte-Carlo dropout digits
and MNIST, from two labels of each class in batches of ten, with every score and at random, and
compares those that the paper has side by side. Source: Gal, Islam & Ghahramani (2017), "Deep
Bayesian active learning with image data", figure 1 and table 1: on MNIST variation ratios need
fewest labels, BALD and entropy a few more, the mean standard deviation and random sampling most.
Finished runs lie in a folder and are never repeated; ``--minutes`` ends early.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lal.arrays import Floats
from lal.episode import run_episode
from lal.errors import UsageError
from lal.learners import make_learner
from lal.rng import integer_seed
from lal.strategies.base import make_strategy
from lal.tasks.splits import make_task
from scripts.benchmarks.base import Benchmark, Results, student_interval
from scripts.benchmarks.kept import kept
from scripts.benchmarks.policies.deep import load_rows

PUBLISHED = ("variation_ratio", "bald", "predictive_entropy", "mean_std", "random")
"""In the order of the labels that they need for 5 % error on MNIST, fewest first."""

PAIRS = (
    ("variation_ratio", "bald", "ahead"), ("variation_ratio", "predictive_entropy", "ahead"),
    ("bald", "predictive_entropy", "ahead, slightly"), ("predictive_entropy", "mean_std", "ahead"),
    ("bald", "mean_std", "ahead"), ("variation_ratio", "random", "ahead"),
    ("bald", "random", "ahead"), ("predictive_entropy", "random", "ahead"),
    ("mean_std", "random", "alike"),
)  # fmt: skip
"""Scores that are compared, and what the paper's figure 1 shows of the first."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is run."""

    datasets: tuple[str, ...] = ("sklearn:digits", "file:../shared/data/dev/mnist_test10k.npz")
    """Drawings."""

    runs: int = 10
    """Paired runs."""

    start: int = 2
    """Labels of each class that an episode begins with."""

    budget: int = 100
    """Labels acquired after the start."""

    batch_size: int = 10
    """Labels between refits."""

    dropout: float = 0.5
    """Share of the dense layer that is cleared, in training and in every draw."""

    n_draws: int = 20
    """Draws of dropout that a score is taken over."""

    error: float = 0.1
    """Labels are counted until the error on test rows is below it."""

    max_pool: int = 1000
    """Larger pools are sub-sampled."""

    test_share: float = 0.2
    """Share of the rows that is held out."""

    out: Path = Path("runs/dbal")
    """Folder of finished runs."""

    minutes: float = 0.0
    """No run begins after so many minutes; 0 for no limit."""


class Run(NamedTuple):
    """One episode."""

    dataset: str
    seed: int
    strategy: str


def run(config: Config, results: Results) -> None:
    """Run what is missing, then add the scores and their pairs.

    Raises:
        UsageError: Nothing finished.
    """
    began = time.monotonic()
    done: dict[Run, dict[str, Any]] = {}
    for seed, dataset, strategy in product(range(config.runs), config.datasets, PUBLISHED):
        one = Run(dataset, seed, strategy)
        name = f"{_short(dataset)}-{strategy}-{seed}"
        late = config.minutes and time.monotonic() - began > 60.0 * config.minutes
        if not late or (config.out / f"{name}.json").exists():
            same = replace(config, datasets=(), runs=0, error=0.0, out=Path(), minutes=0.0)
            done[one] = kept(config.out, name, (same, *one), partial(_run, config, one))
    for dataset in config.datasets:
        runs = [r for r in range(config.runs) if all(Run(dataset, r, s) in done for s in PUBLISHED)]
        if len(runs) < 2:
            raise UsageError(f"expected two finished runs of {dataset!r}; run the command again")
        curves = {s: [done[Run(dataset, r, s)] for r in runs] for s in PUBLISHED}
        _add_rows(config, _short(dataset), curves, results)
    seconds = sum(found["seconds"] for found in done.values())
    results.note(f"{len(done)} runs, {seconds:.0f} s of CPU time")


def _short(dataset: str) -> str:
    return Path(dataset.partition(":")[2]).name.partition(".")[0]


def _run(config: Config, one: Run) -> dict[str, Any]:
    clock = time.process_time()
    data, seed = load_rows(one.dataset), integer_seed(0, "dbal", _short(one.dataset), one.seed)
    learner = make_learner("small_cnn", dropout=config.dropout)
    task = make_task(
        data, learner, seed=seed, budget=config.budget, max_pool=config.max_pool,
        test_share=config.test_share, start=config.start * data.n_classes, balanced_start=True,
    )  # fmt: skip
    options = {} if one.strategy == "random" else {"n_draws": config.n_draws}
    strategy = make_strategy(one.strategy, **options)
    curve = run_episode(strategy, task, seed=seed, batch_size=config.batch_size)
    return {
        "labels": curve.n_labels.tolist(), "accuracy": curve.metrics["accuracy"].tolist(),
        "area": curve.area("accuracy"), "seconds": round(time.process_time() - clock, 2),
    }  # fmt: skip


def _add_rows(
    config: Config, dataset: str, curves: Mapping[str, list[dict[str, Any]]], results: Results
) -> None:
    areas = {s: 100.0 * np.array([one["area"] for one in found]) for s, found in curves.items()}
    last = {s: 100.0 * np.array([one["accuracy"][-1] for one in c]) for s, c in curves.items()}
    ranks = _ranks(np.array([areas[s] for s in PUBLISHED]))
    for strategy, rank in zip(PUBLISHED, ranks, strict=True):
        results.add("scores", {
            "data set": dataset, "score": _words(strategy), "runs": len(areas[strategy]),
            "area": f"{areas[strategy].mean():.1f}",
            "minus random": student_interval(areas[strategy] - areas["random"]),
            "accuracy at the end": f"{last[strategy].mean():.1f}",
            f"labels for {100 * config.error:.0f} % error": _labels(curves[strategy], config.error),
            "mean rank": f"{rank:.1f}",
        })  # fmt: skip
    for first, second, published in PAIRS:
        gaps = areas[first] - areas[second]
        results.add("pairs", {
            "data set": dataset, "pair": f"{_words(first)} minus {_words(second)}",
            "published": published, "area": student_interval(gaps),
            "accuracy at the end": student_interval(last[first] - last[second]),
            "ahead in": f"{(gaps > 0).sum()} of {len(gaps)}",
        })  # fmt: skip


def _ranks(areas: Floats) -> Floats:
    """Return the mean rank of each row over the columns, 1 for the largest."""
    from scipy.stats import rankdata

    ranks: Floats = rankdata(-areas, axis=0).mean(axis=1)
    return ranks


def _labels(found: list[dict[str, Any]], error: float) -> str:
    """Return the median of the labels at which the error is first below a value."""
    first = [
        next(
            (n for n, a in zip(one["labels"], one["accuracy"], strict=True) if 1 - a < error), None
        )
        for one in found
    ]
    reached = [n for n in first if n is not None]
    median = float(np.median([np.inf if n is None else n for n in first]))
    shown = "more than half never" if np.isinf(median) else f"{median:.0f}"
    return shown if len(reached) == len(first) else f"{shown} ({len(reached)} of {len(first)})"


def _words(strategy: str) -> str:
    return {"bald": "BALD"}.get(strategy, strategy.replace("_", " "))


main = Benchmark("dbal", Config, run)
