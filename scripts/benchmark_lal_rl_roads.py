"""LAL-RL by two roads: stable-baselines3's DQN with our parts, and the compiled trainer.

``python -m scripts.benchmark lal_rl_roads`` trains both on the same sets for the same number of
steps and counts labels on the sets left out, over several training seeds.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agents.fast_dqn.agent import pairs_of, training_datasets
from agents.fast_dqn.config import FOLDER, PRESETS, SETS, named_files
from agents.fast_dqn.network import QNetwork
from agents.fast_dqn.train import episode_lengths, train
from agents.fast_dqn.verdict import saving
from lal.arrays import Floats
from scripts.benchmark_lal_rl import judge_seed
from scripts.entry import run_main

ROADS = ("stable-baselines3", "compiled")

T_975 = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}
"""97.5 % quantile of Student's t for so many values."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How long, on what, how often."""

    folder: str = FOLDER
    """Where the data sets lie, as NAME.npz."""

    left_out: tuple[str, ...] = ("australian", "mushrooms", "wdbc")
    """Sets that are judged on; the others of the ten are trained on."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Training seeds."""

    n_steps: int = 100_000
    """Environment steps of a run."""

    large_batches: bool = False
    """stable-baselines3 replays as many transitions in few large batches, which is fast, and not in
    the published gradient steps of 32."""

    n_judged: int = 512
    """Episodes on each set left out."""


def run(config: Config) -> None:
    """Print percent saved of both roads for every seed, and their difference."""
    random = [lengths_of(config, None, name) for name in config.left_out]
    saved: dict[str, list[float]] = {road: [] for road in ROADS}
    print(f"% fewer labels than random, {config.n_steps} steps; {', '.join(config.left_out)}")
    for seed in config.seeds:
        for road in ROADS:
            began = time.process_time()
            network = trained(config, road, seed)
            seconds = time.process_time() - began
            ours = [lengths_of(config, network, name) for name in config.left_out]
            saved[road].append(saving(ours, random)[0])
            each = ", ".join(
                f"{saving([o], [r])[0]:.1f}" for o, r in zip(ours, random, strict=True)
            )
            print(f"seed {seed}, {road}: {saved[road][-1]:.1f} ({each}), {seconds:.0f} s CPU",
                  flush=True)  # fmt: skip
    difference = np.subtract(*(np.array(saved[road]) for road in ROADS))
    for road in ROADS:
        print(f"{road}: mean {np.mean(saved[road]):.1f}")
    if len(difference) > 1:
        half = T_975.get(len(difference), 1.96) * difference.std(ddof=1) / np.sqrt(len(difference))
        print(f"{ROADS[0]} minus {ROADS[1]}: {difference.mean():+.1f} +- {half:.1f}")


def trained(config: Config, road: str, seed: int) -> QNetwork:
    """Return the network of a training run."""
    settings = replace(
        PRESETS["published"],
        datasets=named_files(config.folder, SETS),
        hold_out=config.left_out,
        judge_on=(),
        n_episodes=0,
        n_steps=config.n_steps,
        n_envs=64,
        seed=seed,
    )
    data = pairs_of(training_datasets(settings))
    if road == "compiled":
        return train(settings, data=data).network
    import torch

    from agents.fast_dqn.sb3 import StableConfig, train_stable

    torch.set_num_threads(1)
    stable = StableConfig(seed=seed, n_steps=config.n_steps)
    if not config.large_batches:
        stable = replace(
            stable, n_envs=4, batch_size=32, steps_per_update=1, learning_rate=1e-3, tau=0.01,
            buffer_size=10_000, learning_starts=2500,
        )  # fmt: skip
    return train_stable(stable, data).network


def lengths_of(config: Config, network: QNetwork | None, name: str) -> Floats:
    """Return the labels needed in every episode on a set."""
    return episode_lengths(
        network, f"file:{config.folder}/{name}.npz", n_episodes=config.n_judged,
        seed=judge_seed(name),
    ).astype(np.float64)  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Run the sub-command; returns the exit code."""
    return run_main(run, Config, arguments)
