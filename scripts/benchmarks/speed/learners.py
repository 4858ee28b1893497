"""Compiled learners and the compiled `lal/Pool-v0` beside bare scikit-learn loops.

Each row is a ratio of CPU times of one thread, taken in one process, slow and fast in turns;
medians over the turns. The slow side of a learner is a hand-written loop that does what the fast
side does for every label: fit, probabilities of the pool and of the reward rows, classes of the
reward rows, and the three metrics; that of `lal/Pool-v0` is `envs.pool_env`.

Every row also prints the share of its arithmetic floor (the products that no method avoids, at the
speed of this machine's sgemm) and the memory of an episode.
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
        operations: Float32 operations of a step that no method avoids; 0 where nobody counted.
        memory: Bytes of an episode; 0 where there is none.
        prepare: Run before every turn of the fast side, off the clock: episodes begin there.
    """

    name: str
    slow: Callable[[], int]
    fast: Callable[[], int]
    reach: float
    operations: float = 0.0
    memory: int = 0
    prepare: Callable[[], object] = dict


def measure(row: Row, turns: int) -> tuple[float, float]:
    """Return the median CPU seconds per step of the slow and of the fast side."""
    row.prepare()
    row.fast()  # compiles
    slow: list[float] = []
    fast: list[float] = []
    for _ in range(turns):
        row.prepare()
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


def get_task(learner: Any, *, C: int, D: int, N: int, T: int, budget: int = LAST) -> Task:
    """Return a synthetic task with N pool and T reward rows."""
    X, y = blobs(C, D, N + T)
    return Task(
        name="blobs", family="blobs", learner=make_learner(learner), n_classes=C,
        pool=Part(X[:N], y[:N]), test=None, reward=Part(X[N:], y[N:]), budget=budget,
    )  # fmt: skip


def learner_row(name: str, learner: Any, *, C: int, D: int, reach: float, E: int = 64) -> Row:
    """Return the row of one learner: pool 100, 500 reward rows, labels FIRST to LAST."""
    from envs.simulator.pool import PoolSimulator

    task = get_task(learner, C=C, D=D, N=100, T=500)
    sim = PoolSimulator(
        [task], E, candidate_features=["margin@1"], context_features=[], slate_size=1
    )
    start, order = list(range(FIRST)), np.tile(np.arange(LAST), (E, 1))

    def fast() -> int:
        for L in range(FIRST, LAST):
            sim.relabel(order[:, L])
        return E * (LAST - FIRST)

    def slow() -> int:
        X, y, part = task.pool.X, task.pool.y, task.reward_part()
        steps = range(FIRST + 1, LAST + 1, 8)
        for L in steps:
            model = task.learner.estimator  # type: ignore[attr-defined]
            model.fit(X[:L], y[:L])
            plain_metrics(part.y, model.predict(part.X), *map(probabilities(model), (X, part.X)))
        return len(steps)

    n, L = 600, (FIRST + LAST) / 2
    K = 1 if C == 2 else C
    needed = 2 * n * D * K + (4 * L * D * K if name.startswith("softmax") else 0)
    return Row(
        name, slow, fast, reach, needed, sim.bytes_per_episode,
        prepare=lambda: sim.reset(starts=[start] * E),
    )  # fmt: skip


def probabilities(model: Any) -> Callable[[Floats], Floats]:
    """Return what gives a fitted model's probabilities; decision values go through a logistic."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba  # type: ignore[no-any-return]

    def through_logistic(X: Floats) -> Floats:
        one = 1.0 / (1.0 + np.exp(-2.0 * model.decision_function(X)))
        return np.stack([1.0 - one, one], axis=1)

    return through_logistic


def plain_metrics(y: Ints, answers: Ints, pool: Floats, reward: Floats) -> tuple[float, ...]:
    """Return accuracy, balanced accuracy and log-likelihood in a few lines of numpy."""
    right = answers == y
    shares = np.bincount(y, weights=right) / np.bincount(y)
    true = np.maximum(reward[np.arange(len(y)), y], 1e-15)
    return float(right.mean()), float(shares.mean()), float(np.log(true).mean())


def gp_row() -> Row:
    """Return the row of Gaussian-process regression, means and variances of 630 points."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF

    from envs.simulator.kernels.learners.gaussian_process import add_gp, start_gp, whitened_row
    from envs.simulator.kernels.simd import padded

    X, y = blobs(2, 20, 630)
    targets = np.eye(2)[y]
    n = padded(len(X))
    filled = np.zeros((n, 20), np.float32)
    filled[: len(X)] = X
    tiles = np.ascontiguousarray(filled.reshape(-1, 16, 20).transpose(0, 2, 1)).ravel()
    single = np.float32
    mean, variance, V = np.zeros(2 * n, single), np.zeros(n, single), np.zeros(LAST * n, single)
    whitened, v, t = np.zeros(2 * LAST, single), np.zeros(LAST, single), np.zeros(2, single)

    def fast() -> int:
        for _ in range(10):
            start_gp(mean, variance)
            for L in range(LAST):
                pivot = whitened_row(V, LAST, whitened, 2, L, y[L], L, single(0.1), v, t)
                whitened[2 * L : 2 * L + 2] = t
                add_gp(tiles, 0, 20, L, L, V, LAST, v, t, pivot, single(-0.5 / 16), mean,
                       variance, 0, True)  # fmt: skip
        return 10 * LAST

    def slow() -> int:
        steps = range(3, LAST + 1, 8)
        for L in steps:
            gp = GaussianProcessRegressor(RBF(4.0), alpha=0.1, optimizer=None)
            gp.fit(X[:L], targets[:L]).predict(X, return_std=True)
        return len(steps)

    needed = 630 * (3 * 20 + 2 * LAST / 2)
    return Row("GP regression with variance, D 20", slow, fast, 150, needed, V.nbytes)


def forest_row(n: int, reach: float) -> Row:
    """Return the row of a forest of 50 trees with the features of LAL on a pool of 100."""
    from sklearn.ensemble import RandomForestClassifier

    from envs.simulator.kernels.learners import trees as forest

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


def pool_rows(E: int = 64) -> Iterator[Row]:
    """Return the rows of `lal/Pool-v0`, default features, pool 500, slate 100: bare, and by id."""
    import gymnasium

    from envs.pool_env import PoolEnv
    from envs.simulator.pool import PoolSimulator

    task = get_task("logistic_regression", C=2, D=20, N=500, T=500)
    env, sim = PoolEnv(task, slate_size=100), PoolSimulator([task], E, slate_size=100)
    vector = gymnasium.make_vec("lal/Pool-v0", num_envs=E, tasks=task, slate_size=100)
    env.reset(seed=0)
    sim.reset()
    vector.reset(seed=0)

    def bare() -> int:
        for slot in range(20):
            sim.step(np.full(E, slot))
        return 20 * E

    def by_id() -> int:
        for slot in range(20):
            vector.step(np.full(E, slot))
        return 20 * E

    def slow() -> int:
        for slot in range(5):
            if env.step(slot)[2]:
                env.reset()
        return 5

    memory, size = sim.bytes_per_episode, f"pool 500, K 100, E {E}"
    yield Row(f"lal/Pool-v0, {size}", slow, bare, 100, 2e3 * 20, memory)
    yield Row(f"gymnasium.make_vec, {size}", slow, by_id, 100, 2e3 * 20, memory)


def rows() -> Iterator[Row]:
    """Return all rows, made one after the other."""
    from sklearn.linear_model import LogisticRegression, RidgeClassifier

    default = LogisticRegression(max_iter=1000)
    yield learner_row("softmax, 3 classes, D 13", default, C=3, D=13, reach=150)
    yield learner_row("softmax, 10 classes, D 64", default, C=10, D=64, reach=20)
    yield learner_row("ridge classifier, D 20", RidgeClassifier(), C=2, D=20, reach=1000)
    yield gp_row()
    yield learner_row("GP classifier in the engine, D 20", "gp", C=2, D=20, reach=1)
    yield learner_row("k nearest neighbours, D 20", "knn", C=2, D=20, reach=1)
    yield learner_row("Gaussian naive Bayes, D 20", "gaussian_nb", C=2, D=20, reach=1)
    yield forest_row(30, 70)
    yield forest_row(100, 20)
    yield from pool_rows()


def main(arguments: list[str]) -> int:
    """Print the table; an optional argument is the number of turns (7)."""
    from scripts.benchmarks.speed.simulator import sgemm_speed

    turns = int(arguments[0]) if arguments else 7
    print(
        f"{'':42s}{'slow us':>10s}{'fast us':>10s}{'ratio':>8s}{'reach':>8s}{'floor':>8s}"
        f"{'kB':>8s}{'steps/s':>10s}"
    )
    speed = sgemm_speed()
    for row in rows():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # rows that no tree left out of its bag
            slow, fast = measure(row, turns)
        times = f"{slow * 1e6:10.0f}{fast * 1e6:10.2f}{slow / fast:8.0f}{row.reach:8.0f}"
        share = f"{row.operations / speed / fast:8.1%}" if row.operations else f"{'':8s}"
        size = f"{row.memory / 1024:8.0f}" if row.memory else f"{'':8s}"
        print(f"{row.name:42s}{times}{share}{size}{1 / fast:10.0f}", flush=True)
    return 0
