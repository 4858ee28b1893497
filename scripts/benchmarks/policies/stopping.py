"""Stopping rules: labels saved against accuracy lost, where each rule would have stopped.

``python -m scripts.benchmark stopping`` labels every data set to the end of a budget by one policy,
asks every rule after every tenth label, and measures on the rows outside the pool what was lost.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from lal.arrays import Floats
from lal.data.suites import load_suite
from lal.episode import run_episode
from lal.errors import DataError, UsageError
from lal.labelling.query import load_strategy
from lal.labelling.stopping import Checkpoints, make_rule
from lal.labelling.stopping.base import STOP_STEP, Labels
from lal.learners import make_learner
from lal.rng import generator, integer_seed
from lal.task import Task
from lal.tasks.splits import make_task
from scripts.benchmarks.base import Benchmark, Results
from scripts.benchmarks.kept import kept

TEST_SHARE = 0.4
"""Rows of a data set that accuracy is measured on."""

MOST = 0.7
"""Share of the pool that is labelled at most."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is labelled, by what, and which rules are asked."""

    suite: str = "bundled"
    """Suite or folder of data sets."""

    datasets: tuple[str, ...] = ()
    """Names of the suite's data sets to take; all when empty."""

    policy: str = "default"
    """What chooses the rows."""

    learner: str = "logistic_regression"
    """What is fitted."""

    labels: int = 300
    """Labels at the end, in tens; 70 % of the pool where that is less."""

    batch_size: int = 10
    """Labels between refits of the policy's model."""

    max_pool: int = 1000
    """Larger pools are sub-sampled."""

    runs: int = 20
    """Runs a data set."""

    rules: tuple[str, ...] = (
        "stabilising_predictions",
        "overall_uncertainty",
        "minimum_expected_error",
        "performance_convergence",
        "committee_agreement",
        "budget:50",
        "budget:100",
        "budget:200",
    )
    """Rules, or NAME:THRESHOLD."""

    jobs: int = 1
    """Processes."""

    out: Path | None = None
    """Folder where finished runs are kept; the same command goes on there."""


@dataclass(frozen=True)
class Stop:
    """Where a rule stopped in one run.

    Attributes:
        labels: Labels then; those at the end where it never stopped.
        saved: Share of the labels of the whole run that were saved.
        lost: Accuracy at the end less that at the stop, in points.
        stopped: Whether it stopped before the end.
    """

    labels: int
    saved: float
    lost: float
    stopped: bool


def run(config: Config, results: Results) -> None:
    """Add a row a rule, and a row a rule and data set.

    Raises:
        UsageError: No rules, no runs, or no data set that can be used.
    """
    if not config.rules or config.runs < 1:
        raise UsageError("stopping needs rules and at least one run")
    names = config.datasets or load_suite(config.suite).names
    jobs = [(config, name, run) for name in names for run in range(config.runs)]
    with ProcessPoolExecutor(config.jobs) as pool:
        done = list(pool.map(_kept_stops, jobs))
    by_data = {name: done[i * config.runs : (i + 1) * config.runs] for i, name in enumerate(names)}
    _add_rows(config, {name: runs for name, runs in by_data.items() if all(runs)}, results)
    if left := [name for name, runs in by_data.items() if not all(runs)]:
        results.note(f"left out, too small for these runs: {', '.join(left)}")


def _add_rows(config: Config, by_data: dict[str, list[list[Stop]]], results: Results) -> None:
    if not by_data:
        raise UsageError(
            "no data set of the suite is large enough for these runs; choose another --suite"
        )
    for k, rule in enumerate(config.rules):
        stops = [[run[k] for run in runs] for runs in by_data.values()]
        results.add("stopping", {"rule": rule, **_summary(stops)})
    for name, runs in by_data.items():
        row = {"data set": name}
        for k, rule in enumerate(config.rules):
            there = [run[k] for run in runs]
            labels = np.mean([stop.labels for stop in there])
            row[rule] = f"{labels:.0f} ({np.mean([stop.lost for stop in there]):+.1f})"
        results.add("data-sets", row)


def _summary(stops: list[list[Stop]]) -> dict[str, str]:
    """Return the cells of a rule: means over data sets, with intervals over data sets."""
    every = list(chain.from_iterable(stops))
    saved = np.array([100.0 * np.mean([s.saved for s in runs]) for runs in stops])
    lost = np.array([np.mean([s.lost for s in runs]) for runs in stops])
    losses = np.array([s.lost for s in every])
    return {
        "labels saved": f"{saved.mean():.0f} %",
        "accuracy lost": _interval(lost),
        "worst data set": f"{lost.max():+.1f}",
        "runs that lost over 2 points": f"{100.0 * np.mean(losses > 2.0):.0f} %",
        "runs that it stopped": f"{100.0 * np.mean([s.stopped for s in every]):.0f} %",
    }


def _interval(values: Floats) -> str:
    """Return the mean over data sets with a 95 % percentile bootstrap interval."""
    draws = generator(0, "stopping", "interval").choice(values, size=(10_000, len(values)))
    low, high = np.quantile(draws.mean(axis=1), [0.025, 0.975])
    return f"{values.mean():+.2f} [{low:+.2f}, {high:+.2f}]"


def _kept_stops(job: tuple[Config, str, int]) -> list[Stop]:
    """Return where each rule stops in one run, from the folder where it was run before."""
    config, name, run = job
    protocol = replace(config, datasets=(), jobs=1, runs=1, out=None)
    depends = {"config": protocol, "name": name, "run": run}

    def make() -> dict[str, Any]:
        return {"stops": [asdict(stop) for stop in _stops(job)]}

    return [Stop(**stop) for stop in kept(config.out, f"{name}-{run}", depends, make)["stops"]]


def _stops(job: tuple[Config, str, int]) -> list[Stop]:
    """Return where each rule stops in one run; nothing where the data set cannot be used."""
    config, name, run = job
    seed = integer_seed(0, "stopping", name, run)
    task = _task(config, name, seed)
    if task is None:
        return []
    curve = run_episode(load_strategy(config.policy), task, seed=seed, batch_size=config.batch_size)
    rows = curve.queried.tolist()
    labels = [(row, int(task.pool.y[row])) for row in rows]
    accuracy = dict(zip(curve.n_labels.tolist(), curve.metrics["accuracy"].tolist(), strict=True))
    points = Checkpoints(task.learner, task.pool.X, n_classes=task.n_classes, seed=seed)
    return [_stop(config, rule, points, labels, accuracy) for rule in config.rules]


def _task(config: Config, name: str, seed: int) -> Task | None:
    """Return the task of a run; None where the data set is too small for one."""
    dataset = load_suite(config.suite)[name]
    pool = min(config.max_pool, int((1.0 - TEST_SHARE) * len(dataset.y)))
    total = min(config.labels, int(MOST * pool)) // STOP_STEP * STOP_STEP
    learner = make_learner(config.learner)
    if total <= STOP_STEP:
        return None
    try:
        return make_task(
            dataset,
            learner,
            seed=seed,
            start=STOP_STEP,
            budget=total - STOP_STEP,
            test_share=TEST_SHARE,
            max_pool=config.max_pool,
        )
    except DataError:  # too few rows to split, or a pool of one class
        return None


def _stop(
    config: Config, rule: str, points: Checkpoints, labels: Labels, accuracy: dict[int, float]
) -> Stop:
    judge = make_rule(rule, points).judge
    total = len(labels)
    asked = range(STOP_STEP, total + 1, STOP_STEP)
    at = next((n for n in asked if judge(labels[:n]).stop), total)
    lost = 100.0 * (accuracy[total] - accuracy[at])
    return Stop(at, (total - at) / total, lost, at < total)


main = Benchmark("stopping", Config, run)
