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
from lal.curve import Curve
from lal.errors import DataError, UsageError
from lal.rng import generator, integer_seed
from lal.task import Task

Features = tuple[Sequence[str] | None, Sequence[str] | None]
"""Ids of the candidate and of the context features; None for the default lists."""


@dataclass(frozen=True, eq=False)
class Rollouts:
    """What P rankers did on T tasks.

    Attributes:
        curves: Learning curves on the reward parts, those of every ranker in the order of its
            tasks.
    """

    curves: tuple[tuple[Curve, ...], ...]

    def areas(self, metric: str = "accuracy") -> Floats:
        """Return the normalised areas under the curves, shape (P, T)."""
        return np.array([[curve.area(metric) for curve in row] for row in self.curves])

    def mixed_areas(self, balanced_share: float) -> Floats:
        """Return areas under accuracy and balanced accuracy mixed, shape (P, T)."""
        plain, balanced = self.areas("accuracy"), self.areas("balanced_accuracy")
        mixed: Floats = (1.0 - balanced_share) * plain + balanced_share * balanced
        return mixed


def rollout(
    tasks: Sequence[Task],
    rankers: Sequence[Ranker],
    *,
    features: Features = (None, None),
    slate_size: int | None = None,
    slate_rule: str = "random",
    seed: int = 0,
    seeds: Sequence[int] | None = None,
    starts: Sequence[Ints] | None = None,
    chosen: Sequence[Sequence[int]] | None = None,
) -> Rollouts:
    """Roll rankers out on tasks, all episodes side by side.

    Args:
        tasks: T tasks with a reward part, on which the curves are measured.
        rankers: P rankers.
        features: What the simulator computes for them.
        slate_size: Rows offered in each step; None for whole pools.
        slate_rule: How they are drawn, a name of `lal.tasks.slates.SLATES`.
        seed: Names all streams, where `seeds` does not.
        seeds: One seed per task, shape (T,), which names all its streams.
        starts: First labels of every task; None draws them as the tasks say.
        chosen: Positions of the tasks of every ranker; None for all of them.

    Raises:
        UsageError: No ranker, a feature or learner without a kernel, or a start that does not fit.
        DataError: A ranker gives utilities that are not finite.
    """
    if not rankers:
        raise UsageError("a rollout needs at least one ranker, got none")
    numbers = [list(range(len(tasks)))] * len(rankers) if chosen is None else list(chosen)
    flat = [t for own in numbers for t in own]
    own = [integer_seed(seed, "rollout", t) for t in range(len(tasks))] if seeds is None else seeds
    simulator = PoolSimulator(
        tasks, len(flat), candidate_features=features[0], context_features=features[1],
        slate_size=slate_size or max(len(task.pool) for task in tasks), slate_rule=slate_rule,
    )  # fmt: skip
    simulator.reset(
        tasks=np.array(flat),
        starts=None if starts is None else [starts[t] for t in flat],
        seeds=[own[t] for t in flat],
    )
    ends = np.cumsum([len(some) for some in numbers]).tolist()
    slices = [slice(end - len(some), end) for some, end in zip(numbers, ends, strict=True)]
    streams = [generator(own[t], "ranker") for t in flat]
    views = [View(simulator, part, streams[part]) for part in slices]

    def utilities(alive: Bools) -> Floats:
        return np.concatenate([rank(view) for rank, view in zip(rankers, views, strict=True)])

    curves = record(simulator, utilities)
    return Rollouts(tuple(tuple(curves[part]) for part in slices))


def record(simulator: PoolSimulator, utilities: Callable[[Bools], Any]) -> list[Curve]:
    """Run all episodes to their end and return their curves; see `play`."""
    tasks = [simulator.tasks[int(t)] for t in simulator.task_numbers]
    starts = [simulator.labelled_rows(e) for e in range(simulator.n_episodes)]
    metrics, rows = [simulator.metrics.copy()], []
    for alive, steps in play(simulator, utilities):
        metrics.append(steps.metrics)
        rows.append(np.where(alive, steps.queried, -1))
    values, acquired = np.stack(metrics, axis=1), np.stack(rows, axis=1)
    return [
        make_curve(task, start, values[e], acquired[e])
        for e, (task, start) in enumerate(zip(tasks, starts, strict=True))
    ]


def make_curve(task: Task, start: Ints, metrics: Floats, acquired: Ints) -> Curve:
    """Return the learning curve of one episode.

    Args:
        task: The task.
        start: First labels.
        metrics: After the start and after every step, shape (n + 1, 3); behind the end ignored.
        acquired: Pool row of every step, shape (n,), -1 behind the end.
    """
    acquired = acquired[acquired >= 0]
    queried = np.concatenate([start, acquired])
    classes, first = np.unique(task.pool.y[queried], return_index=True)
    complete = len(classes) == len(np.unique(task.pool.y))
    return Curve(
        n_labels=len(start) + np.arange(len(acquired) + 1),
        metrics=dict(zip(METRIC_NAMES, metrics[: len(acquired) + 1].T, strict=True)),
        queried=queried,
        n_start=len(start),
        n_all_seen=int(first.max()) + 1 if complete else None,
    )


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

    Raises:
        DataError: Utilities of open slots that are not finite.
    """
    alive = np.ones(simulator.n_episodes, dtype=np.bool_)
    while alive.any():
        values = np.where(simulator.observations.mask > 0, utilities(alive), -np.inf)
        best = values.max(axis=1)
        if not np.isfinite(best).all():
            number = int(simulator.task_numbers[np.flatnonzero(~np.isfinite(best))[0]])
            raise DataError(
                f"utilities on task {simulator.tasks[number].name!r} are not finite numbers"
            )
        _, steps = simulator.step(values.argmax(axis=1))
        yield alive, steps
        alive = alive & ~steps.done
