"""Compiled simulator beside `envs.pool_env` on random tasks, and its memory over a million steps.

``python -m scripts.benchmark parity``: every task is played by both with the same start and the
same rows bought, to the environment's termination at a target. Exact learners: largest difference
of a probability and share of equal terminations. Forests: their distance from scikit-learn's as a
multiple of the distance between two of scikit-learn's with different seeds.
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
from scripts.entry import run_main

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
    """Names the tasks and the rows bought."""

    steps: int = 0
    """Compiled steps to take while memory is watched; 1000000 for the table of the docs."""


@dataclass(frozen=True)
class Played:
    """One task played by both.

    Attributes:
        learner: Name of its learner.
        difference: Largest difference of a probability, over all steps and pool rows.
        same_end: Whether both episodes ended at the same label in the same way.
    """

    learner: str
    difference: float
    same_end: bool


def random_task(number: int, learner: str, config: Config) -> Task:
    """Return task `number`: a draw of the prior, pool of at most 100."""
    from envs.simulator.prior import prior_tasks

    prior = PriorConfig(rows=(120, 400), columns=(2, 60))
    source = prior_tasks(
        (learner,), seed=config.seed, config=prior, max_pool=100, budget=config.budget
    )
    task = source(generator(config.seed, "parity", number))
    return replace(task, classes_known=True)


def play(task: Task, seed: int) -> Played:
    """Play one task on both roads, the same rows in the same order."""
    from envs.pool_env import PoolEnv
    from envs.simulator.pool import PoolSimulator

    options: dict[str, Any] = {
        "candidate_features": ["margin@1"],
        "context_features": [],
        "slate_size": 10,
    }
    options |= {"termination": "both", "reward": "step_cost"}
    env = PoolEnv(task, **options)
    info = env.reset(seed=seed)[1]
    rng = generator(seed, "rows")
    simulator = PoolSimulator([task], 1, **options)
    simulator.reset(starts=[env.state.labelled.tolist()])
    largest, same = 0.0, True
    while True:
        known = env.state.proba
        if known is not None:
            gap = np.abs(simulator.proba(0)[: len(task.pool)] - known)
            largest = max(largest, float(gap.max()))
        slot = int(rng.choice(np.flatnonzero(info["action_mask"])))
        row = int(info["pool_indices"][slot])
        _, _, ended, cut, info = env.step(slot)
        steps = simulator.step_rows(np.array([row]))[1]
        same = (ended, cut) == (bool(steps.terminated[0]), bool(steps.truncated[0]))
        if ended or cut or steps.done[0]:
            return Played(task.learner.name, largest, same)


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


def run(config: Config) -> None:
    """Print the table."""
    played = [play(random_task(i, EXACT[i % len(EXACT)], config), i) for i in range(config.tasks)]
    print(f"{'learner':24s}{'tasks':>6s}{'largest |dp|':>14s}{'within':>8s}{'same ending':>13s}")
    for name in sorted({p.learner for p in played}):
        of = [p for p in played if p.learner == name]
        within = np.mean([p.difference <= SAME for p in of])
        same = np.mean([p.same_end for p in of])
        worst = max(p.difference for p in of)
        print(f"{name:24s}{len(of):6d}{worst:14.1e}{within:8.1%}{same:13.1%}")
    pairs = np.array(
        [
            forest_distance(random_task(i, "random_forest", config), i, config.forest_seeds)
            for i in range(config.forests)
        ]
    ).reshape(-1, 2)
    if len(pairs):
        ratio = pairs[:, 0] / np.maximum(pairs[:, 1], 1e-9)
        print(
            f"forests: {pairs[:, 0].mean():.4f} from scikit-learn's, two of those "
            f"{pairs[:, 1].mean():.4f} apart; ratio median {np.median(ratio):.3f}, "
            f"{ratio.min():.3f} to {ratio.max():.3f} over {len(pairs)} tasks"
        )
    if config.steps:
        watch_memory(config)


def main(arguments: Sequence[str]) -> int:
    """Run the sub-command; returns the exit code."""
    return run_main(run, Config, arguments)
