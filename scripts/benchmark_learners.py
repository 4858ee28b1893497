"""Compiled learners and the compiled `lal/Pool-v0` beside bare scikit-learn loops.

Each row is a ratio of CPU times of one thread, taken in one process, slow and fast in turns;
medians over the turns. The slow side of a learner is a hand-written loop that fits, predicts
probabilities twice and classes once for every label; that of `lal/Pool-v0` is `envs.pool_env`.
"""

import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints
from lal.learners import make_learner
from lal.task import Part, Task

FIRST, LAST = 12, 52
"""Labels of the first and the last refit that is timed."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: What is measured.
        slow: Runs the slow side once and returns how many steps that were.
        fast: The same for the fast side.
        reach: Ratio to reach.
    """

    name: str
    slow: Callable[[], int]
    fast: Callable[[], int]
    reach: float


def measure(row: Row, turns: int) -> tuple[float, float]:
    """Return the median CPU seconds per step of the slow and of the fast side."""
    row.fast()  # compiles
    slow: list[float] = []
    fast: list[float] = []
    for _ in range(turns):
        for side, times in ((row.slow, slow), (row.fast, fast)):
            began = time.thread_time()
            steps = side()
            times.append((time.thread_time() - began) / steps)
    return statistics.median(slow), statistics.median(fast)


def blobs(n_classes: int, columns: int, n: int, seed: int = 0) -> tuple[Floats, Ints]:
    """Return overlapping Gaussian clusters, the first rows one of each class."""
    rng = np.random.default_rng(seed)
    y = np.r_[np.arange(n_classes), rng.integers(n_classes, size=n - n_classes)]
    return rng.normal(size=(n, columns)) + rng.normal(size=(n_classes, columns))[y], y


def task_of(learner: Any, *, C: int, D: int, N: int, T: int, budget: int = LAST) -> Task:
    """Return a synthetic task with N pool and T reward rows."""
    X, y = blobs(C, D, N + T)
    return Task(
        name="blobs", family="blobs", learner=make_learner(learner), n_classes=C,
        pool=Part(X[:N], y[:N]), test=None, reward=Part(X[N:], y[N:]), budget=budget,
    )  # fmt: skip


def learner_row(name: str, learner: Any, *, C: int, D: int, reach: float, E: int = 64) -> Row:
    """Return the row of one learner: pool 100, 500 reward rows, labels FIRST to LAST."""
    from envs.simulator.pool_engine import PoolSimulator

    task = task_of(learner, C=C, D=D, N=100, T=500)
    sim = PoolSimulator(
        [task], E, candidate_features=["margin@1"], context_features=[], slate_size=1
    )
    start, order = list(range(FIRST)), np.tile(np.arange(LAST), (E, 1))

    def fast() -> int:
        sim.reset(starts=[start] * E)
        for L in range(FIRST, LAST):
            sim.relabel(order[:, L])
        return E * (LAST - FIRST)

    def slow() -> int:
        X, y, T = task.pool.X, task.pool.y, task.reward_part().X
        steps = range(FIRST + 1, LAST + 1, 8)
        for L in steps:
            model = task.learner.estimator  # type: ignore[attr-defined]
            model.fit(X[:L], y[:L])
            if hasattr(model, "predict_proba"):
                model.predict_proba(X)
                model.predict_proba(X[:30])
            else:
                model.decision_function(X)
            model.predict(T)
        return len(steps)

    return Row(name, slow, fast, reach)


def gp_row() -> Row:
    """Return the row of Gaussian-process regression, means and variances of 630 points."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF

    from envs.simulator.kernels.gaussian_process import add_gp, start_gp

    X, y = blobs(2, 20, 630)
    XT, targets = np.ascontiguousarray(X.T), np.eye(2)[y]
    mean, variance = np.zeros((2, 630)), np.zeros(630)
    V, whitened = np.zeros((LAST, 630)), np.zeros((LAST, 2))

    def fast() -> int:
        for _ in range(10):
            start_gp(mean, variance)
            for L in range(LAST):
                add_gp(XT, L, y[L], L, V, whitened, mean, variance, 4.0, 0.1)
        return 10 * LAST

    def slow() -> int:
        steps = range(3, LAST + 1, 8)
        for L in steps:
            gp = GaussianProcessRegressor(RBF(4.0), alpha=0.1, optimizer=None)
            gp.fit(X[:L], targets[:L]).predict(X, return_std=True)
        return len(steps)

    return Row("GP regression with variance, D 20", slow, fast, 150)


def forest_row(n: int, reach: float) -> Row:
    """Return the row of a forest of 50 trees with the features of LAL on a pool of 100."""
    from sklearn.ensemble import RandomForestClassifier

    from envs.simulator.kernels import forest

    X, _ = blobs(1, 20, n + 100)
    y = (X[:, 0] + X[:, 1] * X[:, 2] > X.mean()).astype(np.int64)  # needs deep trees
    XT = np.ascontiguousarray(X.T, dtype=np.float32)
    order, seeds = np.zeros((20, n), dtype=np.int64), iter(range(10**9))
    for i in range(n):
        forest.insert_sorted(XT, np.arange(n), order, i)
    shape = (50, 2 * n)
    trees = (
        np.zeros(shape, np.int32), np.zeros(shape, np.float32), np.zeros(shape, np.int32),
        np.zeros((*shape, 2), np.float32), np.zeros(50, np.int64),
    )  # fmt: skip
    in_bag, importance = np.zeros((50, n), np.int32), np.zeros((2, 20))
    proba, squares, state = np.zeros((2, 100)), np.zeros(100), np.zeros(1, np.uint64)
    values = XT[:, :n].copy()

    def fast() -> int:
        for _ in range(20):
            forest.seed_stream(state, np.uint64(next(seeds)), n)
            forest.fit_forest(values, order, y, n, 2, 4, state, trees, in_bag, importance)
            forest.predict_forest(XT, trees, 2, proba, squares, np.empty(0), n, n + 100)
            forest.out_of_bag_accuracy(values, y, n, 2, trees, in_bag)
        return 20

    def slow() -> int:
        model = RandomForestClassifier(50, oob_score=True, random_state=next(seeds))
        model.fit(X[:n], y[:n])
        members = np.array([tree.predict_proba(X[n:])[:, 0] for tree in model.estimators_])
        members.mean(axis=0), members.std(axis=0), model.feature_importances_.std()
        np.mean([tree.get_depth() for tree in model.estimators_])
        return 1

    return Row(f"forest of 50 and LAL's features, {n} labels", slow, fast, reach)


def pool_row(E: int = 64) -> Row:
    """Return the row of `lal/Pool-v0`: all default features, pool 500, slate 100."""
    from envs.pool_env import PoolEnv
    from envs.simulator.pool_engine import PoolSimulator

    task = task_of("logistic_regression", C=2, D=20, N=500, T=500)
    env, sim = PoolEnv(task, slate_size=100), PoolSimulator([task], E, slate_size=100)
    env.reset(seed=0)
    sim.reset()

    def fast() -> int:
        for slot in range(20):
            sim.step(np.full(E, slot))
        return 20 * E

    def slow() -> int:
        for slot in range(5):
            if env.step(slot)[2]:
                env.reset()
        return 5

    return Row("lal/Pool-v0, pool 500, K 100, E 64", slow, fast, 100)


def rows() -> Iterator[Row]:
    """Return all rows, made one after the other."""
    from sklearn.linear_model import LogisticRegression, RidgeClassifier

    default = LogisticRegression(max_iter=1000)
    yield learner_row("softmax, 3 classes, D 13", default, C=3, D=13, reach=150)
    yield learner_row("softmax, 10 classes, D 64", default, C=10, D=64, reach=20)
    yield learner_row("ridge classifier, D 20", RidgeClassifier(), C=2, D=20, reach=1000)
    yield gp_row()
    yield learner_row("k nearest neighbours, D 20", "knn", C=2, D=20, reach=1)
    yield learner_row("Gaussian naive Bayes, D 20", "gaussian_nb", C=2, D=20, reach=1)
    yield forest_row(30, 70)
    yield forest_row(100, 20)
    yield pool_row()


def main(arguments: list[str]) -> int:
    """Print the table; an optional argument is the number of turns (7)."""
    turns = int(arguments[0]) if arguments else 7
    print(f"{'':42s}{'slow us':>10s}{'fast us':>10s}{'ratio':>8s}{'reach':>8s}")
    for row in rows():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # rows that no tree left out of its bag
            slow, fast = measure(row, turns)
        times = f"{slow * 1e6:10.0f}{fast * 1e6:10.2f}"
        print(f"{row.name:42s}{times}{slow / fast:8.0f}{row.reach:8.0f}", flush=True)
    return 0
