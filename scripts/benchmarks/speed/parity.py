"""The two backends of `lal/Pool-v0` on random tasks, and the simulator's memory over many steps.

``python -m scripts.benchmark parity``: every task is run through both with the same start and
the same rows acquired, to the termination at a target or the budget's end. Exact learners: largest
difference of a probability, of a feature, of a feature relative to the pool (ranks, z-scores: a
tie in the seventh digit moves a rank) and of a reward; share of tasks whose probabilities and
features are the same, whose masks are, and whose ends are. Forests: their distance from
scikit-learn's as a multiple of the distance between two of scikit-learn's with different seeds.
"""

import resource
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints
from lal.data.prior import PriorConfig
from lal.errors import UsageError
from lal.rng import generator
from lal.task import Task
from scripts.benchmarks.base import Benchmark, Cell, Results

EXACT = ("logistic_regression", "gaussian_nb", "knn", "ridge")
"""Learners whose fit is determined by the labels."""

SAME = 3e-4
"""Largest difference of a probability that counts as none."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is compared."""

    tasks: int = 200
    """Random tasks of the synthetic prior, learners in turn."""

    forests: int = 20
    """Further tasks with a forest of 50."""

    forest_seeds: int = 8
    """Forests of each kind on such a task; at least 2."""

    budget: int = 12
    """Labels after the start."""

    seed: int = 0
    """Names the tasks and the rows acquired."""

    steps: int = 0
    """Compiled steps to take while memory is watched; 1000000 for the table of the docs."""


def random_task(number: int, learner: str, config: Config) -> Task:
    """Return task `number`: a draw of the prior, pool of at most 100."""
    from envs.simulator.prior import prior_tasks

    prior = PriorConfig(rows=(120, 400), columns=(2, 60))
    source = prior_tasks(
        (learner,), seed=config.seed, config=prior, max_pool=100, budget=config.budget
    )
    task = source(generator(config.seed, "parity", number))
    return replace(task, classes_known=True)


def forest_distance(task: Task, seed: int, n: int) -> tuple[float, float]:
    """Return the mean distances simulator to scikit-learn and scikit-learn to itself.

    Means over all pairs of `n` forests of each, every one with a seed of its own.
    """
    from envs.simulator.pool import PoolSimulator

    simulator = PoolSimulator(
        [task], n, candidate_features=["margin@1"], context_features=[], slate_size=2, seed=seed
    )
    simulator.reset()
    start = simulator.labelled_rows(0).tolist()
    simulator.reset(starts=[start] * n)
    rng = generator(seed, "rows")
    for _ in range(task.budget - 1):
        simulator.step_rows(np.full(n, rng.choice(simulator.open_rows(0))))
    rows = simulator.labelled_rows(0)
    points = np.concatenate([task.pool.X, task.reward_part().X])
    theirs = np.array([forest_proba(task, rows, points, s) for s in range(n)])
    ours = np.array([simulator.proba(e) for e in range(n)])
    across = [np.abs(one - other).mean() for one in ours for other in theirs]
    within = [np.abs(theirs[i] - theirs[j]).mean() for i in range(n) for j in range(i)]
    return float(np.mean(across)), float(np.mean(within))


def forest_proba(task: Task, rows: Ints, points: Floats, seed: int) -> Floats:
    """Return the probabilities of scikit-learn's forest, absent classes 0, shape (n, C)."""
    model = task.learner.fit(
        task.pool.X[rows], task.pool.y[rows], n_classes=task.n_classes, seed=seed
    )
    return np.asarray(model.predict_proba(points), dtype=np.float64)


def resident_mb() -> float:
    """Return the resident memory of this process in MB; needs Linux's /proc."""
    pages = Path("/proc/self/statm")
    if not pages.is_file():
        raise UsageError("memory is read from /proc, which this system lacks; use --steps 0")
    return int(pages.read_text().split()[1]) * resource.getpagesize() / 2**20


def agreement_row(episodes: Sequence[Any]) -> dict[str, Cell]:
    """Return the largest differences of some `envs.agreement.Agreement`, and shares."""
    measured = ("probabilities", "features", "ranked", "reward")
    worst = {name: max(getattr(e, name) for e in episodes) for name in measured}
    within = np.mean([max(e.probabilities, e.features) <= SAME for e in episodes])
    return {
        "tasks": len(episodes),
        **{name: f"{value:.1e}" for name, value in worst.items()},
        "within": f"{within:.1%}",
        "same masks": f"{np.mean([e.same_masks for e in episodes]):.1%}",
        "same ending": f"{np.mean([e.same_end for e in episodes]):.1%}",
    }


def watch_memory(config: Config) -> list[float]:
    """Return resident memory at ten points over compiled steps of all learners, in MB."""
    from envs.simulator.pool import PoolSimulator

    tasks = [random_task(i, EXACT[i % len(EXACT)], config) for i in range(16)]
    E = 64
    simulator = PoolSimulator(
        tasks, E, candidate_features=["margin@1"], context_features=[], slate_size=10
    )
    simulator.reset()
    found = []
    for _ in range(10):
        for _ in range(config.steps // (10 * E)):
            simulator.step(np.zeros(E, dtype=np.int64))
        found.append(resident_mb())
        print(f"  after {len(found) * config.steps // 10} steps: {found[-1]:.1f} MB", flush=True)
    return found


def run(config: Config, results: Results) -> None:
    """Add a row per learner."""
    from envs.agreement import Agreement, compare_backends

    found: dict[str, list[Agreement]] = {name: [] for name in EXACT}
    for i in range(config.tasks):
        name = EXACT[i % len(EXACT)]
        task = random_task(i, name, config)
        found[name].append(compare_backends(task, seed=i, termination="both", reward="step_cost"))
    for name, episodes in sorted(found.items()):
        if episodes:
            results.add("parity", {"learner": name, **agreement_row(episodes)})
    pairs = np.array(
        [
            forest_distance(random_task(i, "random_forest", config), i, config.forest_seeds)
            for i in range(config.forests)
        ]
    ).reshape(-1, 2)
    if len(pairs):
        ratio = pairs[:, 0] / np.maximum(pairs[:, 1], 1e-9)
        results.note(
            f"forests: {pairs[:, 0].mean():.4f} from scikit-learn's, two of those "
            f"{pairs[:, 1].mean():.4f} apart; ratio median {np.median(ratio):.3f}, "
            f"{ratio.min():.3f} to {ratio.max():.3f} over {len(pairs)} tasks"
        )
    if config.steps:
        watch_memory(config)


main = Benchmark("parity", Config, run)
