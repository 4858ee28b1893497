"""Domain shift: a task whose pool is a target domain, with labelled rows of a source domain."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.learners import make_learner
from lal.pool import dense
from lal.registry import Registry
from lal.task import Part, Task
from lal.task_kind import CLASSIFICATION

Shift = Callable[[Floats, Floats, np.random.Generator], Floats]
"""Rows, all rows of the pool and a generator to rows of another domain, (n, D) to (n, D).

Ranges and deviations are those of the pool, so that every part comes from the same domain.
"""

SHIFTS: Registry[Shift] = Registry("shift")


@SHIFTS.register("inverted")
def inverted(X: Floats, pool: Floats, rng: np.random.Generator) -> Floats:
    """Return rows mirrored at the middle of each column's range: black on white."""
    mirrored: Floats = pool.min(axis=0) + pool.max(axis=0) - X
    return mirrored


@SHIFTS.register("rotated")
def rotated(X: Floats, pool: Floats, rng: np.random.Generator) -> Floats:
    """Return square drawings turned by a right angle."""
    side = round(X.shape[1] ** 0.5)
    if side**2 != X.shape[1]:
        raise UsageError(f"only square drawings can be rotated, got {X.shape[1]} columns")
    return np.rot90(X.reshape(-1, side, side), axes=(1, 2)).reshape(len(X), -1).copy()


@SHIFTS.register("noisy")
def noisy(X: Floats, pool: Floats, rng: np.random.Generator) -> Floats:
    """Return rows with normal noise of the average column's standard deviation."""
    noise: Floats = pool.std(axis=0).mean() * rng.normal(size=X.shape)
    return X + noise


def adaptation_task(
    task: Task,
    rng: np.random.Generator,
    *,
    by: str = "rotated",
    source: float = 0.5,
    share: float = 0.3,
) -> Task:
    """Return a task of domain adaptation: some rows become the source, some others are shifted.

    The learner is fitted to the source, whose labels are free. Pool, test and reward rows are of
    the target domain, which has rows as in the source and shifted ones; groups are 1 for those,
    for measuring alone. Strategies are given the number of classes, which the labels of the source
    show anyway.

    Args:
        task: Of numbers and classes, as `lal.make_task` gives it.
        rng: Draws source and shifted rows.
        by: A name in `SHIFTS`.
        source: Share of the pool that becomes the source, in (0, 1).
        share: Share of the target rows that are shifted, in [0, 1].

    Raises:
        UsageError: A share outside its range, or a task of something else.
    """
    _check(task, source, share)
    order, every = rng.permutation(len(task.pool)), dense(task.pool.X)
    n = round(source * len(order))
    known, left = (np.sort(rows) for rows in (order[:n], order[n:]))

    def shifted(part: Part) -> Part:
        X = dense(part.X).copy()
        groups: Ints = (rng.random(len(part)) < share).astype(np.int64)
        X[groups == 1] = SHIFTS[by](X, every, rng)[groups == 1]
        return Part(X, part.y, groups)

    # the test part last: environments do not have it, and get the same pool and reward part
    pool = shifted(task.pool.at(left))
    reward, test = (None if part is None else shifted(part) for part in (task.reward, task.test))
    learner = make_learner("with_source", base=task.learner, X=every[known], y=task.pool.y[known])
    return replace(
        task,
        name=f"{task.name.removesuffix(f'/{task.learner.name}')}/{learner.name}",
        learner=learner,
        state_X=None,
        pool=pool,
        test=test,
        reward=reward,
        classes_known=True,
        info=(*task.info, ("domain shift", f"{by}, source={source}, share={share}")),
    )


def _check(task: Task, source: float, share: float) -> None:
    if not 0.0 < source < 1.0 or not 0.0 <= share <= 1.0:
        raise UsageError(f"source must lie in (0, 1) and share in [0, 1], got {source} and {share}")
    if task.kind != CLASSIFICATION or task.pool.pixels is not None or task.has_invalid:
        raise UsageError(
            f"domains are shifted in tasks whose rows have one class each, and {task.name!r} is "
            "another kind of task"
        )
    if any(p is not None and p.groups is not None for p in (task.pool, task.reward, task.test)):
        raise UsageError(
            f"task {task.name!r} has groups already, which those of shifted rows would replace; "
            "shift a task without groups"
        )
    if round(source * len(task.pool)) < 1:
        raise UsageError(
            f"source={source} of a pool of {len(task.pool)} rows is no row; use source="
            f"{1 / len(task.pool):.3g} or more"
        )
