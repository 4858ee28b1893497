"""Tasks as flat tables: what the kernels read, made once and shared by all episodes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from envs.simulator.kernels.layout import (
    FOREST,
    FREE,
    GP,
    KNN,
    LOGISTIC,
    NAIVE_BAYES,
    RIDGE,
    TASK,
    Tables,
)
from envs.simulator.kernels.learners.updates import fit_sizes
from envs.simulator.kernels.simd import WIDTH, padded
from lal.arrays import Floats, Ints
from lal.data.view import make_geometry
from lal.errors import DataError, UsageError
from lal.features.base import FEATURES
from lal.features.geometry import get_reference, surroundings
from lal.learners import SklearnLearner
from lal.state import Geometry, QueryState
from lal.task import Task

START_MISS = 1e-9
"""Chance that a drawn start ends before its second class, for want of space."""

USE_REFERENCE = (
    "use the reference backend, envs.pool_env.PoolEnv: gymnasium.make, or gymnasium.make_vec with "
    "vectorization_mode='sync'"
)


@dataclass(frozen=True)
class Spec:
    """A learner of the simulator: its number and two parameters (see `kernels.layout.TASK`)."""

    kind: int
    first: float
    second: float = 0.0


def learner_spec(task: Task) -> Spec:
    """Return the kernel of a task's learner.

    Raises:
        UsageError: The learner, one of its parameters, or a condition of the pool has no kernel;
            the message names it.
    """
    if task.has_invalid or (task.test is not None and task.test.groups is not None):
        what = "rows of no class" if task.has_invalid else "groups of test rows"
        raise UsageError(f"task {task.name!r} has {what}, which are not compiled; {USE_REFERENCE}")
    if task.balanced_start:
        raise UsageError(
            f"task {task.name!r} has a balanced start, which is not compiled; {USE_REFERENCE}"
        )
    learner = task.learner
    if not isinstance(learner, SklearnLearner):
        raise UsageError(f"learner {learner.name!r} has no compiled kernel; {USE_REFERENCE}")
    estimator = learner.estimator
    make = _KERNELS.get(type(estimator).__name__)
    if make is None or not type(estimator).__module__.startswith(_MODULES):
        known = ", ".join(sorted(_KERNELS))
        raise UsageError(
            f"learner {learner.name!r} ({type(estimator).__name__}) has no compiled kernel; "
            f"expected one of {known}, or {USE_REFERENCE}"
        )
    return make(estimator, task.pool.X.shape[1])


_IGNORED = {"random_state", "n_jobs", "verbose", "tol", "max_iter", "warm_start", "copy_X"}
"""Parameters that do not change what is fitted (or that the simulator has its own of)."""


def _only(estimator: Any, *free: str) -> None:
    """Refuse parameters away from their defaults, besides the free ones."""
    defaults = type(estimator)().get_params(deep=False)
    for name, value in estimator.get_params(deep=False).items():
        if name in _IGNORED or name in free or value == defaults[name]:
            continue
        raise UsageError(
            f"{type(estimator).__name__}({name}={value!r}) has no compiled kernel; expected the "
            f"default {defaults[name]!r}, or {USE_REFERENCE}"
        )


def _logistic(estimator: Any, columns: int) -> Spec:
    _only(estimator, "C", "solver")
    return Spec(LOGISTIC, 1.0 / estimator.C)


def _forest(estimator: Any, columns: int) -> Spec:
    _only(estimator, "n_estimators")
    return Spec(FOREST, estimator.n_estimators, max(1, int(math.sqrt(columns))))


def _knn(estimator: Any, columns: int) -> Spec:
    _only(estimator, "n_neighbors", "algorithm", "leaf_size")
    return Spec(KNN, estimator.n_neighbors)


def _naive_bayes(estimator: Any, columns: int) -> Spec:
    _only(estimator, "var_smoothing")
    return Spec(NAIVE_BAYES, estimator.var_smoothing)


def _ridge(estimator: Any, columns: int) -> Spec:
    _only(estimator, "alpha", "solver")
    if not estimator.alpha > 0:
        raise UsageError(f"the ridge kernel needs alpha above 0, got {estimator.alpha}")
    return Spec(RIDGE, estimator.alpha)


def _gp(estimator: Any, columns: int) -> Spec:
    _only(estimator, "length_scale", "noise")
    scale = math.sqrt(columns) if estimator.length_scale is None else estimator.length_scale
    return Spec(GP, estimator.noise, -0.5 / scale**2)


_KERNELS = {
    "LogisticRegression": _logistic,
    "RandomForestClassifier": _forest,
    "KNeighborsClassifier": _knn,
    "GaussianNB": _naive_bayes,
    "RidgeClassifier": _ridge,
    "GPClassifier": _gp,
}

_MODULES = ("sklearn.", "lal.learners.")


@dataclass(frozen=True, eq=False)
class TaskTables:
    """The tables and the largest sizes among them.

    Attributes:
        tables: What the kernels read.
        classes: Most classes.
        pool: Most pool rows.
        points: Most points, pool and reward part together.
        most: Most labels.
        width: Most encoded columns.
        fits: Largest fit, in float64, integers and float32.
        proba: Largest probability table.
        near: Largest table of distances to classes.
    """

    tables: Tables
    classes: int
    pool: int
    points: int
    most: int
    width: int
    fits: tuple[int, int, int]
    proba: int
    near: int

    @cached_property
    def pool_sizes(self) -> Ints:
        """Pool rows of every task."""
        return np.array(self.tables.tasks["pool"], dtype=np.int64)

    @cached_property
    def label_limits(self) -> Ints:
        """Most labels of every task."""
        return np.array(self.tables.tasks["most"], dtype=np.int64)


class _Flat:
    """Arrays of one type laid end to end."""

    def __init__(self, dtype: type) -> None:
        self.parts: list[np.ndarray] = [np.zeros(0, dtype)]
        self.dtype, self.length = dtype, 0

    def put(self, values: Any) -> int:
        part: np.ndarray = np.ascontiguousarray(values, dtype=self.dtype).ravel()
        start = self.length
        self.parts.append(part)
        self.length += len(part)
        return start

    def joined(self) -> np.ndarray:
        return np.concatenate(self.parts)


def build_tables(tasks: Sequence[Task], *, whole_pool: bool = False) -> TaskTables:
    """Return the tables of some tasks; each needs a reward part and a learner with a kernel.

    Args:
        tasks: The tasks.
        whole_pool: Whether episodes may go on past the budget, until the pool is labelled.
    """
    if not tasks:
        raise UsageError("the simulator needs at least one task")
    flats = {
        "x": _Flat(np.float64), "x32": _Flat(np.float32), "tiles": _Flat(np.float32),
        "y": _Flat(np.int64), "ends": _Flat(np.int64), "z": _Flat(np.float32),
        "reference": _Flat(np.int64), "around": _Flat(np.int32), "distance": _Flat(np.float32),
        "free": _Flat(np.float32),
    }  # fmt: skip
    records: Any = np.zeros(len(tasks), dtype=TASK).view(np.recarray)
    for i, task in enumerate(tasks):
        _enter(task, flats, records[i], whole_pool)
    C, N, n = records.classes, records.pool, records.points
    return TaskTables(
        tables=Tables(records, **{name: flat.joined() for name, flat in flats.items()}),
        classes=int(C.max()),
        pool=int(N.max()),
        points=int(n.max()),
        most=int(records.most.max()),
        width=int(records.encoded.max()),
        fits=(
            max(int(records.n_float64.max()), 1),
            max(int(records.n_int64.max()), 1),
            max(int(records.n_float32.max()), 1),
        ),
        proba=int((C * n).max()),
        near=int((C * N).max()),
    )


def _enter(task: Task, flats: dict[str, _Flat], s: Any, whole_pool: bool) -> None:
    """Write one task into the tables, its reward rows sorted by class."""
    spec = learner_spec(task)
    reward = task.reward_part()
    order = np.argsort(reward.y, kind="stable")
    X = _in_vectors(_numbers(task, task.pool.X), _numbers(task, reward.X)[order])
    geometry = make_geometry(task.pool.X)
    s.kind, s.columns, s.classes = spec.kind, X.shape[1], task.n_classes
    s.pool, s.points, s.encoded = len(task.pool), len(X), geometry.Z.shape[1]
    s.first_reward, s.n_reward = padded(len(task.pool)), len(reward.y)
    s.budget = min(task.budget, len(task.pool))
    s.start = -1 if task.start == "two_classes" else int(task.start)
    most = len(task.pool) if whole_pool else _longest_start(task) + task.budget
    s.most = min(most, len(task.pool)) + 1
    s.classes_known, s.budget_known = task.classes_known, task.budget_known
    _enter_points(spec.kind, X, flats, s)
    s.at_y = flats["y"].put(task.pool.y)
    counts = np.bincount(reward.y, minlength=task.n_classes)
    s.at_ends = flats["ends"].put(np.r_[0, np.cumsum(counts)])
    s.first, s.second = spec.first, spec.second
    if spec.kind == LOGISTIC:
        s.second = np.square(X[: len(task.pool)]).mean() / spec.first
    _enter_geometry(task, geometry, flats, s)
    s.n_float64, s.n_int64, s.n_float32 = fit_sizes(
        spec.kind,
        columns=X.shape[1],
        classes=task.n_classes,
        points=len(X),
        most=int(s.most),
        k=int(spec.first) if spec.kind == KNN else 0,
    )


def _in_vectors(pool: Floats, reward: Floats) -> Floats:
    """Return pool and reward rows, each filled up with zeros to whole vectors."""
    n, begin = padded(len(pool)) + padded(len(reward)), padded(len(pool))
    X = np.zeros((n, pool.shape[1]))
    X[: len(pool)], X[begin : begin + len(reward)] = pool, reward
    return X


def _enter_points(kind: int, X: Floats, flats: dict[str, _Flat], s: Any) -> None:
    """Write the points in the forms that a learner reads: columns, or tiles of 16 points."""
    tiles = X.reshape(-1, WIDTH, X.shape[1]).transpose(0, 2, 1)
    s.at_x = -1 if kind in (FOREST, GP) else flats["x"].put(X.T)
    s.at_x32 = flats["x32"].put(X.T) if kind == FOREST else -1
    s.at_tiles = flats["tiles"].put(tiles) if kind in (LOGISTIC, RIDGE, GP) else -1


def _numbers(task: Task, X: Any) -> Floats:
    try:
        values = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"task {task.name!r} has columns that are no numbers; the simulator takes dense "
            f"numeric rows, {USE_REFERENCE}"
        ) from error
    if values.ndim != 2 or not np.isfinite(values).all():
        raise DataError(
            f"task {task.name!r} has missing or infinite values; the simulator takes dense "
            f"finite rows, {USE_REFERENCE}"
        )
    return values


def _longest_start(task: Task) -> int:
    """Return how many labels the start may take."""
    if task.start != "two_classes":
        return int(task.start)
    largest = np.bincount(task.pool.y).max() / len(task.pool)
    return math.ceil(math.log(START_MISS) / math.log(min(max(largest, 0.01), 0.9999))) + 1


def _enter_geometry(task: Task, geometry: Geometry, flats: dict[str, _Flat], s: Any) -> None:
    """Write what depends on the encoded pool alone, as `lal.features` defines it."""
    around = surroundings(geometry, np.arange(len(geometry.Z)))
    reference = get_reference(geometry)
    state = QueryState(
        X=task.pool.X,
        geometry=geometry,
        labelled=np.zeros(0, dtype=np.int64),
        labels=np.zeros(0, dtype=np.int64),
        n_classes=task.n_classes,
        classes_known=task.classes_known,
        proba=None,
    )
    free = [FEATURES[f"{name}@1"].values(state, np.arange(state.N))[:, 0] for name in FREE[:4]]
    s.scale = reference.scale
    s.spacing = FEATURES["spacing@1"].values(state, np.zeros(0, dtype=np.int64))[0]
    s.reference, s.neighbours = len(reference.rows), around.nearest.shape[1]
    s.at_z = flats["z"].put(geometry.Z.T)
    s.at_reference = flats["reference"].put(reference.rows)
    s.at_around = flats["around"].put(reference.rows[around.nearest])
    flats["distance"].put(around.distance)
    s.at_free = flats["free"].put(np.stack([*free, around.distance.mean(axis=1)]))
