"""LAL-RL by two backends: stable-baselines3's DQN with our parts, and the compiled trainer.

``python -m scripts.benchmark lal_rl_backends`` trains both on the same sets for the same number of
steps and counts labels on the sets left out, over several training seeds. The same command goes on
after an interruption.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agents.lal_rl.config import FOLDER, PRESETS, SETS, named_files
from agents.lal_rl.control_test import saving
from agents.lal_rl.datasets import get_pairs, training_datasets
from agents.lal_rl.dqn import episode_lengths, train
from agents.lal_rl.network import QNetwork
from lal.arrays import Floats
from scripts.benchmarks.base import Benchmark, Results
from scripts.benchmarks.reproduction.lal_rl import judge_seed, save_arrays

BACKENDS = ("stable-baselines3", "compiled")


@dataclass(frozen=True, kw_only=True)
class Config:
    """How long, on what, how often."""

    folder: str = FOLDER
    """Where the data sets lie, as NAME.npz."""

    left_out: tuple[str, ...] = ("australian", "mushrooms", "wdbc")
    """Sets that are not trained on; the others of the ten are."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Training seeds of the slow backend, stable-baselines3."""

    compiled_seeds: tuple[int, ...] = tuple(range(20))
    """Training seeds of the compiled backend."""

    n_steps: int = 100_000
    """Environment steps of a run."""

    n_judged: int = 512
    """Episodes on each set."""

    out: Path = Path("runs/lal-rl-backends")
    """Where trained networks are kept."""


def run(config: Config, results: Results) -> None:
    """Add percent saved of both backends for every seed, and their difference."""
    random = {name: get_lengths(config, None, name) for name in SETS}
    results.note(
        f"% fewer labels than random, {config.n_steps} steps; {', '.join(config.left_out)}"
    )
    seeds = dict(zip(BACKENDS, (config.seeds, config.compiled_seeds), strict=True))
    saved = {
        backend: [one_run(config, backend, s, random) for s in seeds[backend]]
        for backend in BACKENDS
    }
    for column, sets in enumerate((f"{len(config.left_out)} sets left out", "all ten sets")):
        found = [np.array(saved[backend])[:, column] for backend in BACKENDS]
        means = {
            r: f"{f.mean():.1f} ({len(f)} seeds)" for r, f in zip(BACKENDS, found, strict=True)
        }
        results.add("saved", {"data sets": sets, **means, "difference": welch(*found)})


def one_run(
    config: Config, backend: str, seed: int, random: dict[str, Floats]
) -> tuple[float, float]:
    """Return percent saved on the sets left out and on all ten; prints them."""
    network, seconds = kept(config, backend, seed)
    ours = {name: get_lengths(config, network, name) for name in SETS}
    each = [saving([ours[name]], [random[name]])[0] for name in config.left_out]
    left_out = saving([ours[n] for n in config.left_out], [random[n] for n in config.left_out])[0]
    everywhere = saving([ours[n] for n in SETS], [random[n] for n in SETS])[0]
    shown = ", ".join(f"{value:.1f}" for value in each)
    print(
        f"seed {seed}, {backend}: {left_out:.1f} ({shown}), all ten {everywhere:.1f}, "
        f"{seconds:.0f} s CPU",
        flush=True,
    )
    return left_out, everywhere


def welch(ours: Floats, theirs: Floats) -> str:
    """Return the difference of two means with half of its 95 % interval, variances not equal."""
    from scipy.stats import ttest_ind

    if min(len(ours), len(theirs)) < 2:
        return f"{ours.mean() - theirs.mean():+.1f}"
    low, high = ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    return f"{ours.mean() - theirs.mean():+.1f} +- {(high - low) / 2:.1f}"


def kept(config: Config, backend: str, seed: int) -> tuple[QNetwork, float]:
    """Return the network of a training run and its CPU seconds, from disk or made."""
    path = config.out / f"{backend}-{seed}-{config.n_steps}-{'-'.join(config.left_out)}.npz"
    if not path.exists():
        began = time.process_time()
        network = trained(config, backend, seed)
        seconds = np.array(time.process_time() - began)
        save_arrays(path, {"network": network.pack(), "seconds": seconds})
    with np.load(path) as held:
        return QNetwork.unpack(held["network"]), float(held["seconds"])


def trained(config: Config, backend: str, seed: int) -> QNetwork:
    """Return the network of a training run."""
    settings = replace(
        PRESETS["published"],
        datasets=named_files(config.folder, SETS),
        hold_out=config.left_out,
        eval_datasets=(),
        n_episodes=0,
        total_timesteps=config.n_steps,
        n_envs=64,
        seed=seed,
    )
    data = get_pairs(training_datasets(settings))
    if backend == "compiled":
        return train(settings, data=data).network
    import torch

    from agents.lal_rl.sb3 import StableConfig, train_stable

    torch.set_num_threads(1)
    return train_stable(StableConfig(seed=seed, total_timesteps=config.n_steps), data).network


def get_lengths(config: Config, network: QNetwork | None, name: str) -> Floats:
    """Return the labels needed in every episode on a set."""
    return episode_lengths(
        network, f"file:{config.folder}/{name}.npz", n_episodes=config.n_judged,
        seed=judge_seed(name),
    ).astype(np.float64)  # fmt: skip


main = Benchmark("lal_rl_backends", Config, run)
