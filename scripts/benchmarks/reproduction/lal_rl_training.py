"""A million steps of LAL-RL with both backends, evaluated on a data set of a family left out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from agents.lal_rl.config import FOLDER, SETS, LalRlConfig, named_files
from agents.lal_rl.control_test import saving
from agents.lal_rl.dqn import episode_lengths, train
from agents.lal_rl.network import QNetwork
from envs.simulator.lal_rl_data import Pair, binary_pairs
from lal.data.dataset import Dataset
from lal.data.datasets import load_dataset
from lal.data.prior import sample_dataset
from lal.data.suites import load_suite
from lal.errors import UsageError
from lal.rng import generator
from scripts.benchmarks.base import Benchmark, Results

if TYPE_CHECKING:
    from agents.lal_rl.sb3 import StableConfig

HELD_OUT = "sklearn:breast_cancer"
"""Wisconsin's diagnostic breast cancer data, wdbc; nothing of its family is trained on."""

EVALUATION_SEED = 9_000_000
"""Names the episodes of the evaluation; no training uses it."""

N_SYNTHETIC, LEAST_ROWS = 9, 300
"""Tables drawn where no data sets are at hand, and the rows they have at least."""

PUBLISHED_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is trained, by what, on what."""

    total_timesteps: int = 1_000_000
    """Environment steps."""

    backends: tuple[Literal["compiled", "stable-baselines3"], ...] = ("compiled",)
    """Trainers."""

    suites: tuple[str, ...] = ()
    """What they train on, but for the family of the set held out: names or folders. None: the nine
    other sets of the LAL-RL paper where they are at hand, else tables of the synthetic prior."""

    stable_batch: int = 32
    """Transitions of a gradient step of stable-baselines3; larger batches are fewer."""


def run(config: Config, results: Results) -> None:
    """Train by each backend; add what it took and how good the policy is."""
    data, where = training_pairs(config.suites)
    results.note(f"training on {len(data)} tables: {where}; held out: {HELD_OUT}")
    random = episode_lengths(None, HELD_OUT, n_episodes=1024, seed=EVALUATION_SEED)
    for backend in config.backends:
        network, (cpu, wall, n_steps, n_replayed) = _one_backend(backend, config, data)
        ours = episode_lengths(network, HELD_OUT, n_episodes=1024, seed=EVALUATION_SEED)
        percent, low, high = saving([ours], [random])
        results.add("training", {
            "backend": backend,
            "steps": f"{n_steps:,}",
            "transitions replayed": f"{n_replayed:,}",
            "CPU s": f"{cpu:.1f}",
            "wall s": f"{wall:.1f}",
            "labels, random": f"{random.mean():.1f}",
            "labels, learned": f"{ours.mean():.1f}",
            "% fewer": f"{percent:.1f} [{low:.1f}, {high:.1f}]",
        })  # fmt: skip


def training_pairs(suites: Sequence[str]) -> tuple[list[Pair], str]:
    """Return the tables to train on, none of the held-out family, and what they are.

    Args:
        suites: Names or folders, of which all binary data sets of plain numbers are taken. None
            given: the other nine sets of the LAL-RL paper where they are at hand, else binary
            tables drawn from the synthetic prior.
    """
    family = load_dataset(HELD_OUT).family
    if suites:
        every = [data for name in suites for data in load_suite(name)]
        kept = [d for d in every if d.n_classes == 2 and _is_plain(d) and d.family != family]
        if not kept:
            raise UsageError(
                f"{', '.join(suites)}: no binary data set of plain numbers besides the family of "
                f"{HELD_OUT}; name another suite"
            )
    elif all(Path(FOLDER, f"{name}.npz").exists() for name in SETS):
        kept = [d for name in named_files(FOLDER) if (d := load_dataset(name)).family != family]
    else:
        kept = synthetic_tables()
    return [pair for d in kept for pair in binary_pairs(d)], ", ".join(d.name for d in kept)


def synthetic_tables() -> list[Dataset]:
    """Return the first binary tables of the prior that have rows enough."""
    rng = generator(0, "benchmark", "training tables")
    found: list[Dataset] = []
    while len(found) < N_SYNTHETIC:
        data = sample_dataset(rng)
        if data.n_classes == 2 and len(data.y) >= LEAST_ROWS and _is_plain(data):
            found.append(data)
    return found


def _is_plain(data: Dataset) -> bool:
    values = np.asarray(data.X)
    return values.dtype.kind in "fiub" and bool(np.isfinite(values.astype(np.float64)).all())


def _one_backend(
    backend: str, config: Config, data: list[Pair]
) -> tuple[QNetwork, tuple[float, float, int, int]]:
    if backend == "compiled":
        train(LalRlConfig(total_timesteps=2000), data=data)  # compiles
        began = time.process_time(), time.perf_counter()
        result = train(LalRlConfig(total_timesteps=config.total_timesteps), data=data)
        return result.network, (*_since(began), result.n_steps, result.n_replayed)
    import torch

    from agents.lal_rl.sb3 import train_stable

    torch.set_num_threads(1)
    train_stable(stable_schedule(3000, config.stable_batch), data)
    began = time.process_time(), time.perf_counter()
    stable = train_stable(stable_schedule(config.total_timesteps, config.stable_batch), data)
    return stable.network, (*_since(began), stable.n_steps, stable.n_replayed)


def _since(began: tuple[float, float]) -> tuple[float, float]:
    return time.process_time() - began[0], time.perf_counter() - began[1]


def stable_schedule(n_steps: int, batch_size: int) -> "StableConfig":
    """Return the run through stable-baselines3.

    Of larger batches there are fewer, so that as many transitions are replayed; the learning rate
    grows with the root of their size, the target network's share with the size.
    """
    from agents.lal_rl.sb3 import StableConfig

    times = batch_size / PUBLISHED_BATCH
    base = StableConfig()
    return StableConfig(
        total_timesteps=n_steps,
        batch_size=batch_size,
        gradient_steps=base.gradient_steps / times,
        initial_gradient_steps=round(base.initial_gradient_steps / times),
        learning_rate=base.learning_rate * times**0.5,
        tau=min(base.tau * times, 1.0),
    )


main = Benchmark("lal_rl_training", Config, run)
