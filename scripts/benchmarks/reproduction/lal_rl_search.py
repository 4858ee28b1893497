"""LAL-RL by search, leave one data set out: search on nine of the ten UCI sets, count on the tenth.

``python -m scripts.benchmark lal_rl_search`` makes what is missing in its folder and prints the
tables; the same command goes on after an interruption. Episodes and opponents are those of
``python -m scripts.benchmark lal_rl``.
"""

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agents.lal_rl.config import FOLDER, SETS, named_files
from agents.lal_rl.datasets import get_pairs, training_datasets
from agents.lal_rl.search.config import FULL, SearchConfig
from agents.lal_rl.search.game import episode_lengths
from agents.lal_rl.search.search import train
from lal.arrays import Floats
from lal.serialization import config_hash
from scripts.benchmarks.base import Benchmark, Results
from scripts.benchmarks.reproduction.lal_rl import (
    Config as Table,
)
from scripts.benchmarks.reproduction.lal_rl import (
    Run,
    add_variant,
    judge_seed,
    left_out,
    rule_lengths,
    save_arrays,
)

OWN = "search"
"""How the table calls the policy."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which sets, how many training seeds, how many episodes."""

    folder: str = FOLDER
    """Where the data sets lie, as NAME.npz."""

    sets: tuple[str, ...] = SETS
    """What is trained on, but for the set left out."""

    left_out: tuple[str, ...] = ()
    """Sets that are left out, each once; none given: all."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Training seeds: one search each."""

    generations: int = FULL.generations
    """Steps of a search."""

    n_judged: int = 1024
    """Episodes on the set left out, the same for every policy."""

    out: Path = Path("runs/lal-rl-search")
    """Where results are kept."""

    @property
    def table(self) -> Table:
        """What `benchmark_lal_rl` makes its tables from."""
        return Table(
            folder=self.folder, sets=self.sets, left_out=self.left_out, seeds=self.seeds,
            n_judged=self.n_judged, out=self.out,
        )  # fmt: skip


def run(config: Config, results: Results) -> None:
    """Make what is missing and add the tables."""
    table = config.table
    rules = {name: rule_lengths(table, name) for name in left_out(table)}
    runs: dict[str, list[Run]] = {name: [] for name in left_out(table)}
    for seed in table.seeds:
        for name in left_out(table):
            runs[name].append(trained_run(config, name, seed))
    add_variant(table, OWN, rules, runs, results)
    if len(table.seeds) > 1:
        together = {name: [together_run(config, name)] for name in left_out(table)}
        add_variant(table, f"{OWN}, the mean of its weights", rules, together, results)
    seconds = [r.seconds for found in runs.values() for r in found]
    results.note(f"training: {len(seconds)} searches, {np.mean(seconds):.1f} s CPU each")


def get_settings(config: Config, name: str, seed: int) -> SearchConfig:
    """Return the settings of one search with one set left out."""
    return replace(
        FULL,
        datasets=named_files(config.folder, config.sets),
        hold_out=(name,),
        eval_datasets=(),
        searches=1,
        generations=config.generations,
        seed=seed,
    )


def get_path(config: Config, name: str, seed: int) -> Path:
    """Return where a search is kept."""
    settings = config_hash(get_settings(config, name, seed))
    return config.out / f"{name}-{seed}-{config.n_judged}-{settings[:8]}.npz"


def trained_run(config: Config, name: str, seed: int) -> Run:
    """Return a search and its labels on the set left out, from disk or made."""
    path = get_path(config, name, seed)
    if not path.exists():
        settings = get_settings(config, name, seed)
        began = time.process_time()
        result = train(settings, get_pairs(training_datasets(settings)))
        seconds = time.process_time() - began
        lengths = played(config, name, result.weights)
        found = {"lengths": lengths, "weights": result.weights}
        found |= {"seconds": np.array(seconds), "n_steps": np.array(result.n_steps)}
        save_arrays(path, found)
        sys.stderr.write(f"{path.stem}: {lengths.mean():.2f} labels, {seconds:.1f} s CPU\n")
    with np.load(path) as held:
        return Run(held["lengths"].astype(np.float64), float(held["seconds"]), int(held["n_steps"]))


def together_run(config: Config, name: str) -> Run:
    """Return the labels that the mean of all seeds' weights needs, from disk or run."""
    seeds = "-".join(str(seed) for seed in config.seeds)
    first = get_path(config, name, config.seeds[0])
    path = first.with_name(f"together-{seeds}-{first.name}")
    if not path.exists():
        weights = [_weights(get_path(config, name, seed)) for seed in config.seeds]
        save_arrays(path, {"lengths": played(config, name, np.mean(weights, axis=0))})
    with np.load(path) as held:
        return Run(held["lengths"].astype(np.float64), 0.0, 0)


def _weights(path: Path) -> Floats:
    with np.load(path) as held:
        weights: Floats = held["weights"]
    return weights


def played(config: Config, name: str, weights: Floats) -> Floats:
    """Return the labels that weights need on a set left out, shape (n,)."""
    data = f"file:{config.folder}/{name}.npz"
    lengths = episode_lengths(weights, data, n_episodes=config.n_judged, seed=judge_seed(name))
    return lengths.astype(np.float64)


main = Benchmark("lal_rl_search", Config, run)
