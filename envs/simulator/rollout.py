"""Rollouts: rankers over tasks in the compiled simulator, paired, whole curves out.

All rankers see every task with the same first labels, the same slates and the same random numbers
of learners (common random numbers), so their differences carry little of the noise of tasks and
starts. A rollout depends on its task, its ranker and its seed, not on what runs beside it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.simulator.pool import PoolSimulator, Steps
from envs.simulator.pool_rules import METRIC_NAMES
from envs.simulator.rankers import Ranker, View
from lal.arrays import Bools, Floats, Ints
from lal.episode import Curve
from lal.errors import UsageError
from lal.rng import generator, integer_seed
from lal.task import Task

Features = tuple[Sequence[str] | None, Sequence[str] | None]
"""Ids of the candidate and of the context features; None for the default lists."""


@dataclass(frozen=True, eq=False)
class Rollouts:
    """What P rankers did on T tasks.

    Attributes:
        tasks: The tasks.
        starts: First labels of every task, the same for all rankers.
        metrics: Metrics on the reward parts, shape (P, T, n + 1, 3), in the order of
            `METRIC_NAMES`: after the start and after every label; nan behind the end.
        rows: Pool rows acquired after the start, shape (P, T, n); -1 behind the end.
    """

    tasks: tuple[Task, ...]
    starts: tuple[Ints, ...]
    metrics: Floats
    rows: Ints

    def curve(self, ranker: int, task: int) -> Curve:
        """Return the learning curve of one ranker on one task."""
        rows = self.rows[ranker, task]
        rows = rows[rows >= 0]
        start = self.starts[task]
        queried = np.concatenate([start, rows])
        values = self.metrics[ranker, task, : len(rows) + 1]
        return Curve(
            n_labels=len(start) + np.arange(len(rows) + 1),
            metrics=dict(zip(METRIC_NAMES, values.T, strict=True)),
            queried=queried,
            n_start=len(start),
            n_all_seen=_n_all_seen(self.tasks[task].pool.y, queried),
        )

    def areas(self, metric: str = "accuracy") -> Floats:
        """Return the normalised areas under the curves, shape (P, T)."""
        P, T = self.rows.shape[:2]
        return np.array([[self.curve(p, t).area(metric) for t in range(T)] for p in range(P)])

    def mixed_areas(self, balanced_share: float) -> Floats:
        """Return areas under accuracy and balanced accuracy mixed, shape (P, T)."""
        plain, balanced = self.areas("accuracy"), self.areas("balanced_accuracy")
        mixed: Floats = (1.0 - balanced_share) * plain + balanced_share * balanced
        return mixed


def _n_all_seen(y: Ints, queried: Ints) -> int | None:
    """Return after how many labels every class of the pool was seen, or None."""
    classes, first = np.unique(y[queried], return_index=True)
    return int(first.max()) + 1 if len(classes) == len(np.unique(y)) else None


def rollout(
    tasks: Sequence[Task],
    rankers: Sequence[Ranker],
    *,
    features: Features = (None, None),
    slate_size: int | None = None,
    seed: int = 0,
    seeds: Sequence[int] | None = None,
    starts: Sequence[Ints] | None = None,
) -> Rollouts:
    """Roll every ranker out on every task, all episodes side by side.

    Args:
        tasks: T tasks with a reward part, on which the curves are measured.
        rankers: P rankers.
        features: What the simulator computes for them.
        slate_size: Rows offered in each step, drawn at random; None for whole pools.
        seed: Names all streams, where `seeds` does not.
        seeds: One seed per task, shape (T,), which names all its streams.
        starts: First labels of every task; None draws them as the tasks say.

    Raises:
        UsageError: No ranker, a feature or learner without a kernel, or a start that does not fit.
    """
    if not rankers:
        raise UsageError("a rollout needs at least one ranker, got none")
    P, T = len(rankers), len(tasks)
    size = slate_size or max(len(task.pool) for task in tasks)
    simulator = PoolSimulator(
        tasks, P * T, candidate_features=features[0], context_features=features[1],
        slate_size=size, slate_rule="random", seed=seed,
    )  # fmt: skip
    own = [integer_seed(seed, "rollout", t) for t in range(T)] if seeds is None else list(seeds)
    simulator.reset(
        tasks=np.tile(np.arange(T), P),
        starts=None if starts is None else list(starts) * P,
        seeds=own * P,
    )
    views = [
        View(simulator, slice(p * T, (p + 1) * T), [generator(s, "ranker") for s in own])
        for p in range(P)
    ]
    begun = tuple(simulator.labelled_rows(t) for t in range(T))

    def utilities(alive: Bools) -> Floats:
        return np.concatenate([rank(view) for rank, view in zip(rankers, views, strict=True)])

    metrics, rows = record(simulator, utilities)
    return Rollouts(
        tuple(tasks), begun, metrics.reshape(P, T, -1, len(METRIC_NAMES)), rows.reshape(P, T, -1)
    )


def record(simulator: PoolSimulator, utilities: Callable[[Bools], Floats]) -> tuple[Floats, Ints]:
    """Play all episodes to their end; see `play`.

    Returns:
        Metrics after the start and every step, shape (E, n + 1, 3), nan behind the end, and the
        rows acquired, shape (E, n), -1 behind the end.
    """
    metrics, rows = [simulator.metrics.copy()], []
    for alive, steps in play(simulator, utilities):
        metrics.append(np.where(alive[:, None], steps.metrics, np.nan))
        rows.append(np.where(alive, steps.queried, -1))
    return np.stack(metrics, axis=1), np.stack(rows, axis=1)


def play(
    simulator: PoolSimulator, utilities: Callable[[Bools], Any]
) -> Iterator[tuple[Bools, Steps]]:
    """Step a simulator, just reset, until each of its episodes has ended once.

    Args:
        simulator: Its slates are ranked, and the open slot of highest utility is chosen.
        utilities: Called before every step with the episodes that have not ended, shape (E,);
            returns the utilities of all slots, shape (E, K). May look at the simulator.

    Yields:
        Which episodes had not ended before a step, and what the step gave.
    """
    alive = np.ones(simulator.n_episodes, dtype=np.bool_)
    while alive.any():
        values = utilities(alive)
        open_ = simulator.observations.mask > 0
        _, steps = simulator.step(np.where(open_, values, -np.inf).argmax(axis=1))
        yield alive, steps
        alive = alive & ~steps.done
