"""The compiled LAL-RL simulator beside the same work done by hand with scikit-learn."""

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lal.registry import Registry
from scripts.benchmarks.base import Benchmark, Results, Row
from scripts.benchmarks.speed.comparison import Comparison, clocked, compare


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is measured and how long."""

    rows: tuple[str, ...] = ()
    """Rows of the table; all when none is named."""

    data: str = ""
    """A binary data set to measure LAL-RL on; none: synthetic of the shape of German credit."""

    rounds: int = 9
    """Turns of each side; medians are taken over them."""

    workers: int = 2
    """Processes of the row about processes."""


def run(config: Config, results: Results) -> None:
    """Add the rows, then what several processes do."""
    compare(get_rows(config), config.rows, config.rounds, results)
    if config.workers > 1 and not config.rows:
        results.add("processes", processes(config))


def german_like(seed: int = 0) -> tuple[Any, Any]:
    """Return 1 000 samples, 20 columns, 30 % of class 1, about as separable as German credit."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(1000, 20))
    X[:, 10:] = np.rint(X[:, 10:])
    score = X @ rng.normal(size=20) + rng.normal(size=1000) * 5
    return X, (score > np.quantile(score, 0.7)).astype(np.int64)


def lal_rl_data(config: Config) -> tuple[Any, Any]:
    """Return the samples and labels that the LAL-RL rows use."""
    if not config.data:
        return german_like()
    from envs.simulator.lal_rl_data import binary_pairs

    return binary_pairs(config.data)[0]


LABELS = 50
"""Labels of an episode in the benchmark: from 2 to 52, as in the published figures."""


class ScikitLearnSteps:
    """The LAL-RL step by hand: fit, two predict_proba, predict, accuracy, features.

    Nothing but the library's own calls: no environment, no wrappers, distances computed once.
    """

    def __init__(self, X: Any, y: Any) -> None:
        from sklearn.metrics.pairwise import cosine_distances
        from sklearn.preprocessing import StandardScaler

        order = np.random.default_rng(0).permutation(len(X))
        held, rest = order[: len(X) // 2][:500], order[len(X) // 2 :]
        scaler = StandardScaler().fit(X[rest])
        self.reward_X, self.reward_y = scaler.transform(X[held]), y[held]
        self.state = scaler.transform(X[rest[:30]])
        pool = rest[30:130]
        self.pool, self.labels = scaler.transform(X[pool]), y[pool]
        self.distances = cosine_distances(self.pool)
        self.rng = np.random.default_rng(1)

    def episode(self) -> tuple[float, int]:
        """Label `LABELS` samples; returns the CPU seconds of the steps and their number."""
        order = self.rng.permutation(len(self.pool))
        both = [order[np.argmax(self.labels[order] == c)] for c in (0, 1)]
        order = np.array([*both, *(i for i in order if i not in both)])
        began = time.thread_time()
        for n in range(3, 3 + LABELS):
            self.step(order[:n], order[n:])
        return time.thread_time() - began, LABELS

    def step(self, bought: Any, open_: Any) -> tuple[Any, Any, float]:
        """Refit and return features, state and accuracy."""
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression().fit(self.pool[bought], self.labels[bought])
        features = np.stack(
            [
                model.predict_proba(self.pool[open_])[:, 0],
                self.distances[np.ix_(open_, open_)].mean(axis=1),
                self.distances[np.ix_(open_, bought)].mean(axis=1),
            ],
            axis=1,
        )
        state = np.sort(model.predict_proba(self.state)[:, 0])
        accuracy = float(np.mean(model.predict(self.reward_X) == self.reward_y))
        return features, state, accuracy


def _engine(config: Config, E: int, first_env: int = 0) -> Any:
    from envs.simulator.lal_rl import LalRlSimulator

    engine = LalRlSimulator([lal_rl_data(config)], E, first_env=first_env)
    engine.reset()
    return engine


def _episodes(engine: Any, n_rounds: int) -> tuple[float, int]:
    """Run episodes of `LABELS` random labels each; returns the CPU seconds and the steps."""
    anything = np.full(engine.n_episodes, -1)

    def episode() -> None:
        for _ in range(LABELS):
            engine.step(anything, False)

    spent = 0.0
    for _ in range(n_rounds):
        engine.reset()
        spent += clocked(episode, 1)[0]
    return spent, n_rounds * LABELS * engine.n_episodes


def _lal_rl(config: Config, E: int, aim: float) -> Comparison:
    plain, engine = ScikitLearnSteps(*lal_rl_data(config)), _engine(config, E)
    return Comparison(
        plain.episode,
        lambda: _episodes(engine, max(1, 400 // E)),
        aim,
        step_operations(engine),
        engine.bytes_per_episode,
    )


def _gymnasium(config: Config) -> Comparison:
    import gymnasium

    plain = ScikitLearnSteps(*lal_rl_data(config))
    env = gymnasium.make("lal/LalRl-v0", data=lal_rl_data(config), seed=0).unwrapped

    def episode() -> None:
        for _ in range(LABELS):
            if env.step(0)[2]:
                env.reset()

    def episodes() -> tuple[float, int]:
        spent = 0.0
        for _ in range(40):
            env.reset()
            spent += clocked(episode, 1)[0]
        return spent, 40 * LABELS

    return Comparison(plain.episode, episodes)


def step_operations(engine: Any) -> float:
    """Return the float32 operations of a step that no method avoids; runs one episode."""
    from envs.simulator.kernels.lal_rl import layout as lal_rl

    D = int(engine.data_info[0, lal_rl.D_COLUMNS])
    d, L, N, T = D + 1, 2 + LABELS / 2, engine.pool_size, int(engine.data_info[0, lal_rl.D_REWARD])
    engine.reset()
    start = engine.ints[:, lal_rl.E_ITERATIONS].sum()
    for _ in range(LABELS):
        engine.step(np.full(engine.n_episodes, -1), False)
    n = (engine.ints[:, lal_rl.E_ITERATIONS].sum() - start) / (LABELS * engine.n_episodes)
    fit = n * (4 * L * d + 8 * d * d + 20 * L) + 2 * L * d + 4 * d * d
    return float(fit + 4 * (N + 30) * d + 2 * T * d + 20 * (N + 30))


def get_rows(config: Config) -> Registry[Callable[[], Comparison]]:
    """Return the rows of the table by name."""
    rows: Registry[Callable[[], Comparison]] = Registry("benchmark row")
    for E, aim in ((1, 250), (64, 400), (256, 300)):
        rows.add(f"lal_rl E={E}", partial(_lal_rl, config, E, aim))
    rows.add("lal_rl gymnasium.make", partial(_gymnasium, config))
    return rows


def _steps_of_worker(task: tuple[Config, int, float]) -> tuple[int, float]:
    """Step 64 episodes for some seconds; returns the steps and the CPU seconds they took."""
    config, number, seconds = task
    engine = _engine(config, 64, first_env=64 * number)
    anything = np.full(64, -1)
    for _ in range(200):
        engine.step(anything)
    until, began, n = time.monotonic() + seconds, time.process_time(), 0
    while time.monotonic() < until:
        for _ in range(20):
            engine.step(anything)
        n += 20 * 64
    return n, time.process_time() - began


def processes(config: Config, seconds: float = 2.0) -> Row:
    """Return how much more K processes do than one, taking turns."""
    K = config.workers
    wall, cpu = [], []
    with multiprocessing.get_context("spawn").Pool(K) as pool:
        for turn in range(4):
            alone = pool.map(_steps_of_worker, [(config, 0, seconds)], chunksize=1)
            jobs = [(config, k, seconds) for k in range(K)]
            together = pool.map(_steps_of_worker, jobs, chunksize=1)
            if turn:
                wall.append(sum(n for n, _ in together) / alone[0][0])
                speed = sum(n / s for n, s in together)
                cpu.append(speed / (alone[0][0] / alone[0][1]))
    return {
        "processes": K,
        "steps in the same time": f"{np.median(wall):.2f}x",
        "by CPU time, were every core free": f"{np.median(cpu):.2f}x",
    }


main = Benchmark("simulator", Config, run)
