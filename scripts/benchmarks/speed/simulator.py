"""The compiled simulator beside the same work done by hand with scikit-learn.

Both run in one process on one thread and take turns; CPU time, medians over the rounds. The ratio
is what counts: other work on the machine moves both.
"""

import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lal.registry import Registry
from scripts.entry import run_main


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

    train_steps: int = 0
    """Also train the LAL-RL agent for so many environment steps; 0 does not."""

    backends: tuple[Literal["compiled", "stable-baselines3"], ...] = ("compiled",)
    """Trainers of that run."""

    suites: tuple[str, ...] = ()
    """What they train on, but for the family of the set held out: names or folders. None: the nine
    other sets of the LAL-RL paper where they are at hand, else tables of the synthetic prior."""

    stable_batch: int = 32
    """Transitions of a gradient step of stable-baselines3; larger batches are fewer."""

    first_compile: bool = False
    """Also time the first compilation, with an empty cache, in another process."""

    out: str = ""
    """File to write the table to, as JSON."""


@dataclass(frozen=True)
class Comparison:
    """Two ways to do the same work.

    Attributes:
        reference: Does some units of work the plain way and returns the seconds they took.
        fast: The same in the simulator.
        reference_units: Units of one call of `reference`.
        fast_units: Units of one call of `fast`.
        unit: What a unit is.
        reach: The ratio that the project holds itself to.
        notes: Called after the measurement with the seconds of a fast unit; text for the row.
    """

    reference: Callable[[], float]
    fast: Callable[[], float]
    reference_units: int
    fast_units: int
    unit: str = "step"
    reach: float | None = None
    notes: Callable[[float], str] | None = None


ROWS: Registry[Callable[[Config], Comparison]] = Registry("benchmark row")
"""Rows of the table by name; a member makes the comparison."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    return run_main(run, Config, arguments)


def run(config: Config) -> list[dict[str, Any]]:
    """Measure the rows one after the other and print each as it is done."""
    from threadpoolctl import threadpool_limits

    names = config.rows or tuple(ROWS.names())
    print(f"{'row':28} {'scikit-learn':>14} {'simulator':>12} {'ratio':>8} {'reach':>7}  notes")
    table = []
    with threadpool_limits(1):
        for name in names:
            table.append(_row(name, ROWS[name](config), config.rounds))
    extra = _extra(config)
    if config.out:
        Path(config.out).write_text(json.dumps({"rows": table, **extra}, indent=1))
    return table


def _row(name: str, comparison: Comparison, rounds: int) -> dict[str, Any]:
    slow, fast = measure(comparison, rounds)
    note = comparison.notes(fast) if comparison.notes else ""
    reach = f">={comparison.reach:.0f}" if comparison.reach else ""
    ratio = slow / fast
    left, right = f"{slow * 1e6:.1f} us", f"{fast * 1e6:.2f} us"
    print(f"{name:28} {left:>14} {right:>12} {ratio:7.0f}x {reach:>7}  {note}", flush=True)
    return {"row": name, "unit": comparison.unit, "reference": slow, "fast": fast, "ratio": ratio}


def measure(comparison: Comparison, rounds: int) -> tuple[float, float]:
    """Return the median seconds of a unit, plain and fast, taking turns after one to warm up."""
    slow, fast = [], []
    for turn in range(rounds + 1):
        a, b = comparison.reference(), comparison.fast()
        if turn:
            slow.append(a / comparison.reference_units)
            fast.append(b / comparison.fast_units)
    return float(np.median(slow)), float(np.median(fast))


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

    def episode(self) -> float:
        """Label `LABELS` samples; returns the CPU seconds of the steps."""
        order = self.rng.permutation(len(self.pool))
        both = [order[np.argmax(self.labels[order] == c)] for c in (0, 1)]
        order = np.array([*both, *(i for i in order if i not in both)])
        began = time.process_time()
        for n in range(3, 3 + LABELS):
            self.step(order[:n], order[n:])
        return time.process_time() - began

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


def _episodes(engine: Any, n_rounds: int) -> float:
    """Run episodes of `LABELS` random labels each; returns the CPU seconds of the steps."""
    anything = np.full(engine.n_episodes, -1)
    spent = 0.0
    for _ in range(n_rounds):
        engine.reset()
        began = time.process_time()
        for _ in range(LABELS):
            engine.step(anything, False)
        spent += time.process_time() - began
    return spent


def _lal_rl(config: Config, E: int, reach: float) -> Comparison:
    plain = ScikitLearnSteps(*lal_rl_data(config))
    engine = _engine(config, E)
    n_rounds = max(1, 400 // E)

    def notes(seconds: float) -> str:
        share = floor_seconds(engine) / seconds
        kilobytes = engine.bytes_per_episode / 1024
        per_split = engine.bank.nbytes / len(engine.bank_info) / 1024
        return (
            f"{1 / seconds:,.0f} steps/s; {share:.0%} of the arithmetic floor; "
            f"{kilobytes:.0f} kB an episode, {per_split:.0f} kB a split"
        )

    return Comparison(
        reference=plain.episode,
        fast=lambda: _episodes(engine, n_rounds),
        reference_units=LABELS,
        fast_units=n_rounds * LABELS * E,
        reach=reach,
        notes=notes,
    )


def _single(config: Config) -> Comparison:
    import gymnasium

    import envs

    envs.register_envs()
    plain = ScikitLearnSteps(*lal_rl_data(config))
    env = gymnasium.make("lal/LalRl-v0", data=lal_rl_data(config), seed=0).unwrapped

    def play() -> float:
        spent = 0.0
        for _ in range(40):
            env.reset()
            began = time.process_time()
            for _ in range(LABELS):
                if env.step(0)[2]:
                    env.reset()
            spent += time.process_time() - began
        return spent

    return Comparison(plain.episode, play, LABELS, 40 * LABELS, notes=lambda _: "resets included")


def floor_seconds(engine: Any) -> float:
    """Return the seconds that the arithmetic of one step would take at the speed of sgemm."""
    from envs.simulator.kernels.lal_rl import layout as lal_rl

    D = int(engine.data_info[0, lal_rl.D_COLUMNS])
    d, L, N, T = D + 1, 2 + LABELS / 2, engine.pool_size, int(engine.data_info[0, lal_rl.D_REWARD])
    engine.reset()
    start = engine.ints[:, lal_rl.E_ITERATIONS].sum()
    for _ in range(LABELS):
        engine.step(np.full(engine.n_episodes, -1), False)
    n = (engine.ints[:, lal_rl.E_ITERATIONS].sum() - start) / (LABELS * engine.n_episodes)
    fit = n * (4 * L * d + 8 * d * d + 20 * L) + 2 * L * d + 4 * d * d
    scores = 4 * (N + 30) * d + 2 * T * d + 20 * (N + 30)
    return float((fit + scores) / sgemm_speed())


def sgemm_speed() -> float:
    """Return the float32 operations a second of this machine's matrix product, one thread."""
    A = np.random.default_rng(0).normal(size=(512, 512)).astype(np.float32)
    spent = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(4):
            A @ A
        spent.append((time.process_time() - began) / 4)
    return float(2 * 512**3 / np.median(spent))


ROWS.add("lal_rl E=64", lambda config: _lal_rl(config, 64, 400))
ROWS.add("lal_rl E=1", lambda config: _lal_rl(config, 1, 250))
ROWS.add("lal_rl gymnasium.make", _single)
ROWS.add("lal_rl E=256", lambda config: _lal_rl(config, 256, 300))


def _extra(config: Config) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if config.workers > 1 and not config.rows:
        extra["processes"] = processes(config)
    if config.train_steps:
        from scripts.benchmarks.reproduction.lal_rl_training import compare_backends

        extra["training"] = compare_backends(
            config.train_steps, config.backends, config.suites, config.stable_batch
        )
    if config.first_compile:
        from scripts.benchmarks.speed.compile import first_compile

        extra["first_compile_seconds"] = first_compile()
    return extra


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


def processes(config: Config, seconds: float = 2.0) -> dict[str, float]:
    """Print and return how much more K processes do than one, taking turns."""
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
    ratios = {"wall": float(np.median(wall)), "cpu": float(np.median(cpu))}
    print(
        f"{K} processes do {ratios['wall']:.2f}x the steps of one in the same time "
        f"({ratios['cpu']:.2f}x by CPU time, were every core free)",
        flush=True,
    )
    return ratios


if __name__ == "__main__":
    sys.exit(main())
