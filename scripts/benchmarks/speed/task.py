"""A user's own data: the compiled simulator beside scikit-learn, on the same task.

``python -m scripts.benchmark task MY.csv --target COLUMN`` prints steps a second of `lal/Pool-v0`
on either backend, their ratio by CPU time of one thread, and how far their probabilities differ.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from lal.data.datasets import load_dataset
from lal.errors import UsageError
from lal.learners import make_learner
from lal.task import Task
from lal.tasks.splits import make_task
from scripts.benchmarks.base import Benchmark, Results


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which data, which learner, how many steps."""

    file: Annotated[str, tyro.conf.Positional] = ""
    """A .csv, .npz or .parquet file."""

    target: str | None = None
    """Column of the labels; the usual names are found without."""

    learner: str = "logistic_regression"
    """The task's learner."""

    budget: int = 50
    """Labels of an episode after its start."""

    slate: int = 100
    """Rows offered at a step."""

    episodes: int = 64
    """Compiled episodes side by side."""

    max_pool: int = 500
    """Largest pool."""


def task_of_file(config: Config) -> Task:
    """Return the task: half of the rows for rewards, at most `max_pool` to ask."""
    if not Path(config.file).is_file():
        raise UsageError(f"no file {config.file!r}; expected a .csv, .npz or .parquet file")
    suffix = "" if config.target is None else f"?target={config.target}"
    dataset = load_dataset(f"file:{config.file}{suffix}")
    task = make_task(
        dataset, make_learner(config.learner), seed=0, budget=1, reward_share=0.5,
        test_share=0.0, max_pool=config.max_pool,
    )  # fmt: skip
    if len(task.pool) <= config.budget + 10:
        raise UsageError(
            f"the pool of {config.file!r} has {len(task.pool)} rows; a budget of {config.budget} "
            f"needs more than {config.budget + 10}, so lower --budget or give more rows"
        )
    return replace(task, budget=config.budget, classes_known=True)


def slow_seconds(task: Task, config: Config) -> float:
    """Return CPU seconds a step of `envs.pool_env`, over one episode."""
    from envs.pool_env import PoolEnv

    env = PoolEnv(task, slate_size=config.slate)
    env.reset(seed=0)
    began, steps, over = time.thread_time(), 0, False
    while not over:
        *_, ended, cut, _ = env.step(0)
        steps, over = steps + 1, ended or cut
    return (time.thread_time() - began) / steps


def fast_seconds(task: Task, config: Config) -> float:
    """Return CPU seconds a step of the compiled simulator, after compiling."""
    from envs.simulator.pool import PoolSimulator

    simulator = PoolSimulator([task], config.episodes, slate_size=config.slate)
    simulator.reset()
    action = np.zeros(config.episodes, dtype=np.int64)
    simulator.step(action)
    began = time.thread_time()
    for _ in range(config.budget):
        simulator.step(action)
    return (time.thread_time() - began) / (config.budget * config.episodes)


def run(config: Config, results: Results) -> None:
    """Compare the backends on one task."""
    task = task_of_file(config)
    fast, slow = fast_seconds(task, config), slow_seconds(task, config)
    reward = len(task.reward_part())
    results.note(f"{task.name}: pool {len(task.pool)}, reward {reward}, classes {task.n_classes}")
    for backend, seconds in (("scikit-learn", slow), ("compiled", fast)):
        speed = {"steps per second": f"{1 / seconds:.0f}", "ratio": f"{slow / seconds:.0f}x"}
        results.add("speed", {"backend": backend, **speed})
    if "forest" in config.learner:
        results.note("forests agree in distribution, not row by row; see: benchmark parity")
        return
    from envs.agreement import compare_backends

    played = compare_backends(task, seed=0, termination="both", reward="step_cost")
    same = "the same" if played.same_end else "another"
    results.note(f"probabilities differ by {played.probabilities:.1e} at most; {same} ending")


main = Benchmark("task", Config, run)
