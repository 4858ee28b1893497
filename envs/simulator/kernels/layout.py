"""What the kernels of the pool simulator read and write: a record per task, arrays per episode.

Tasks of any size share flat arrays; a task's record says where its own parts begin. Kernels read a
record as ``task.columns``. Numba compiles that to the same load as a numbered column of a table,
and plain Python runs it too (`numpy.recarray`).
"""

from collections import namedtuple
from typing import Any

import numpy as np

from envs.simulator.compile import kernel

LOGISTIC, FOREST, KNN, NAIVE_BAYES, RIDGE, GP = range(6)
"""Learners, as `TASK.kind` has them."""

TASK = np.dtype(
    [
        *((name, np.int64) for name in (
            "kind", "columns", "classes",
            "pool", "points", "first_reward", "n_reward",  # rows, see below
            "most",  # labels that fit
            "encoded", "reference", "neighbours",  # columns of Z, reference rows, neighbours a row
            "budget", "start", "classes_known", "budget_known",  # start: -1 for two classes
            "at_x", "at_x32", "at_tiles", "at_y", "at_ends",  # where its parts of `Tables` begin
            "at_z", "at_reference", "at_around", "at_free",
            "n_float64", "n_int64", "n_float32",  # size of one fit
        )),
        *((name, np.float64) for name in ("first", "second", "scale", "spacing")),
    ]
)  # fmt: skip
"""One task. Its points are the pool, zeros up to whole vectors, the reward part sorted by class
(`n_reward` rows from point `first_reward` on), zeros again: `points` in all. `first` and `second`
are the learner's two parameters: penalty and mean square of a pool number over it, or trees and
columns per split, or k, or smoothing, or alpha, or noise and -1/2 over the squared length scale.
`scale` is the distance unit of the pool, `spacing` the mean distance to neighbours."""

FREE = ("density", "wide_density", "density_rank", "wide_density_rank", "spacing")
"""Label-free values of every pool row; `spacing` is the mean distance to its neighbours."""

Tables = namedtuple("Tables", "tasks x x32 tiles y ends z reference around distance free")
"""All tasks, flat: their records, and the arrays that ``at_*`` point into: points (D, n) in float64
and float32 and in tiles of 16, pool codes (N,), ends of the reward part's classes (C + 1,), encoded
pool rows (d, N), reference rows (R,), neighbours (N, k) as pool rows, their distances (N, k),
label-free values (len(FREE), N)."""

Episodes = namedtuple(
    "Episodes",
    "task n_labelled n_start rows labels count rng_state open n_open place proba entropy variance "
    "near total leverage inverse squares metrics",
)
"""State of all episodes, one a row. rng_state: start, slate, learner, noise streams (E, 4, 1).
open (E, N): open rows first, `place` where each stands. near (E, C N): squared distance to the
nearest label of every class; total: sums of distances; inverse and leverage: of the ridge form;
squares (E, Lmax^2 + 16): squared distances between labels, read in vectors; metrics (E, 3)."""

Updates = namedtuple(
    "Updates",
    "tasks x x32 tiles y ends task n_labelled rows labels count rng_state repeats fitted "
    "from_reward ids floats ints singles slots proba entropy variance metrics scratch marks",
)
"""What an update kernel works on.

Of the tasks: tasks, x, x32, tiles, y, ends (`Tables`). Of the episodes: task, n_labelled, rows,
labels, count, and rng_state (E, 4, 1), the third of which seeds forests; repeats: forests averaged.
``ids`` (n,): which episodes; ``slots`` (n,): their fits, rows of floats, ints and singles;
``fitted`` (slots,): labels a fit has taken already, -1 to empty it first. ``from_reward``: 1 to
predict the reward part alone. Results, one row an entry of ids: proba (n, >= C points) float32,
entropy and variance (n, points or 0) and metrics (n, 3). Room to work: scratch (C (points + D +
1),) float32, marks (2 C,)."""

Problem = namedtuple("Problem", "D C N P n Lmax first second lo")
"""Sizes of one task in registers: columns, classes, pool rows, first reward point, points, most
labels, the learner's two parameters, first point to predict. Loops read these and not the record:
a compiler cannot know that a store to an array leaves the record as it is, and would load again."""


@kernel
def get_problem(task: Any, from_reward: Any) -> Any:
    """Return the sizes of a task; `from_reward` predicts the reward part alone."""
    P = task.first_reward
    return Problem(
        task.columns, task.classes, task.pool, P, task.points, task.most, task.first, task.second,
        P if from_reward else 0,
    )  # fmt: skip


@kernel
def copy_fits(
    tasks: Any, task: Any, fitted: Any, floats: Any, ints: Any, singles: Any, ids: Any, ahead: Any
) -> None:
    """Copy the fits of episodes `ids` into the slots `ahead`; those of Gaussian processes stay.

    Their kernel looks ahead without writing into the fit.
    """
    for m in range(len(ids)):
        a, b = ids[m], ahead[m]
        s = tasks[task[a]]
        fitted[b] = fitted[a]
        if s.kind == GP:
            continue
        floats[b, : s.n_float64] = floats[a, : s.n_float64]
        ints[b, : s.n_int64] = ints[a, : s.n_int64]
        singles[b, : s.n_float32] = singles[a, : s.n_float32]


@kernel
def get_points(x: Any, at: Any, p: Any) -> Any:
    """Return the points of a task, one a column, shape (D, n)."""
    return x[at : at + p.D * p.n].reshape(p.D, p.n)
