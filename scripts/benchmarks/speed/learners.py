"""Compiled learners and the compiled `lal/Pool-v0` beside bare scikit-learn loops.

The reference of a learner is a hand-written loop that does what the compiled side does for every
label: fit, probabilities of the pool and of the reward rows, classes of the reward rows, and the
three metrics; that of `lal/Pool-v0` is `envs.pool_env`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints
from lal.learners import make_learner
from lal.registry import Registry
from lal.task import Part, Task
from scripts.benchmarks.base import Benchmark, Results
from scripts.benchmarks.speed.comparison import Comparison, clocked, compare


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which rows, how often."""

    rows: tuple[str, ...] = ()
    """Rows of the table; all when none is named."""

    rounds: int = 7
    """Turns of each side; medians are taken over them."""


FIRST, LAST = 12, 52
"""Labels of the first and the last refit that is timed."""


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


def learner_row(learner: Any, *, C: int, D: int, aim: float | None = None) -> Comparison:
    """Return the row of one learner: pool 100, 500 reward rows, labels FIRST to LAST."""
    from envs.simulator.pool import PoolSimulator

    task, E = get_task(learner, C=C, D=D, N=100, T=500), 64
    sim = PoolSimulator(
        [task], E, candidate_features=["margin@1"], context_features=[], slate_size=1
    )
    start, order = list(range(FIRST)), np.tile(np.arange(LAST), (E, 1))

    def label() -> None:
        for L in range(FIRST, LAST):
            sim.relabel(order[:, L])

    def compiled() -> tuple[float, int]:
        sim.reset(starts=[start] * E)
        return clocked(label, E * (LAST - FIRST))

    def plain() -> None:
        X, y, part = task.pool.X, task.pool.y, task.reward_part()
        for L in range(FIRST + 1, LAST + 1, 8):
            model = task.learner.estimator  # type: ignore[attr-defined]
            model.fit(X[:L], y[:L])
            plain_metrics(part.y, model.predict(part.X), *map(probabilities(model), (X, part.X)))

    n, L = 600, (FIRST + LAST) / 2
    K = 1 if C == 2 else C
    needed = 2 * n * D * K + (4 * L * D * K if C > 2 else 0)  # softmax: scores and gradients
    return Comparison(lambda: clocked(plain, 5), compiled, aim, needed, sim.bytes_per_episode)


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


def gp_row() -> Comparison:
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

    def compiled() -> None:
        for _ in range(10):
            start_gp(mean, variance)
            for L in range(LAST):
                pivot = whitened_row(V, LAST, whitened, 2, L, y[L], L, single(0.1), v, t)
                whitened[2 * L : 2 * L + 2] = t
                add_gp((tiles, 0, 20), L, L, V, LAST, (v, t, pivot), single(-0.5 / 16),
                       (mean, variance), 0, True)  # fmt: skip

    def plain() -> None:
        for L in range(3, LAST + 1, 8):
            gp = GaussianProcessRegressor(RBF(4.0), alpha=0.1, optimizer=None)
            gp.fit(X[:L], targets[:L]).predict(X, return_std=True)

    needed = 630 * (3 * 20 + 2 * LAST / 2)
    return Comparison(
        lambda: clocked(plain, 7), lambda: clocked(compiled, 10 * LAST), 150, needed, V.nbytes
    )


def forest_row(n: int, aim: float) -> Comparison:
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

    def compiled() -> None:
        for _ in range(20):
            forest.seed_stream(state, np.uint64(next(seeds)), n)
            forest.fit_forest(values, order, y, n, 2, 4, state, trees, in_bag, importance)
            forest.predict_forest(XT, trees, 2, proba, squares, np.empty(0), n, n + 100)
            forest.out_of_bag_accuracy(values, y, n, 2, trees, in_bag)

    def plain() -> None:
        model = RandomForestClassifier(50, oob_score=True, random_state=next(seeds))
        model.fit(X[:n], y[:n])
        members = np.array([tree.predict_proba(X[n:])[:, 0] for tree in model.estimators_])
        members.mean(axis=0), members.std(axis=0), model.feature_importances_.std()
        np.mean([tree.get_depth() for tree in model.estimators_])

    return Comparison(lambda: clocked(plain, 1), lambda: clocked(compiled, 20), aim)


def pool_row(by_id: bool, E: int = 64) -> Comparison:
    """Return the row of `lal/Pool-v0`, default features: made by its id, or bare."""
    import gymnasium

    from envs.pool_env import PoolEnv
    from envs.simulator.pool import PoolSimulator

    task = get_task("logistic_regression", C=2, D=20, N=500, T=500)
    env, sim = PoolEnv(task, slate_size=100), PoolSimulator([task], E, slate_size=100)
    env.reset(seed=0)
    stepped: Any = sim
    if by_id:
        stepped = gymnasium.make_vec("lal/Pool-v0", num_envs=E, tasks=task, slate_size=100)
    stepped.reset()

    def compiled() -> None:
        for slot in range(20):
            stepped.step(np.full(E, slot))

    def plain() -> None:
        for slot in range(5):
            if env.step(slot)[2]:
                env.reset()

    return Comparison(
        lambda: clocked(plain, 5), lambda: clocked(compiled, 20 * E), 100, 2e3 * 20,
        sim.bytes_per_episode,
    )  # fmt: skip


def softmax_row(C: int, D: int, aim: float) -> Comparison:
    """Return the row of logistic regression with C classes."""
    from sklearn.linear_model import LogisticRegression

    return learner_row(LogisticRegression(max_iter=1000), C=C, D=D, aim=aim)


def ridge_row() -> Comparison:
    """Return the row of scikit-learn's ridge classifier."""
    from sklearn.linear_model import RidgeClassifier

    return learner_row(RidgeClassifier(), C=2, D=20, aim=1000)


ROWS: Registry[Callable[[], Comparison]] = Registry("benchmark row")
ROWS.add("softmax, 3 classes, D 13", partial(softmax_row, 3, 13, 150))
ROWS.add("softmax, 10 classes, D 64", partial(softmax_row, 10, 64, 20))
ROWS.add("ridge classifier, D 20", ridge_row)
ROWS.add("GP regression with variance, D 20", gp_row)
ROWS.add("GP classifier in the engine, D 20", partial(learner_row, "gp", C=2, D=20))
ROWS.add("k nearest neighbours, D 20", partial(learner_row, "knn", C=2, D=20))
ROWS.add("Gaussian naive Bayes, D 20", partial(learner_row, "gaussian_nb", C=2, D=20))
ROWS.add("forest of 50 and LAL's features, 30 labels", partial(forest_row, 30, 70))
ROWS.add("forest of 50 and LAL's features, 100 labels", partial(forest_row, 100, 20))
ROWS.add("lal/Pool-v0, pool 500, K 100, E 64", partial(pool_row, False))
ROWS.add("gymnasium.make_vec, pool 500, K 100, E 64", partial(pool_row, True))


def run(config: Config, results: Results) -> None:
    """Add the rows."""
    compare(ROWS, config.rows, config.rounds, results)


main = Benchmark("learners", Config, run)
