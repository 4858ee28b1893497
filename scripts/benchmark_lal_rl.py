"""LAL-RL, leave one data set out: train on nine of the ten UCI sets, count labels on the tenth.

``python -m scripts.benchmark lal_rl`` makes what is missing in its folder and prints the tables;
the same command goes on after an interruption.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from agents.fast_dqn.agent import pairs_of, training_datasets
from agents.fast_dqn.config import FOLDER, PRESETS, SETS, FastDQNConfig, named_files
from agents.fast_dqn.kernels import DOUBT_ONLY
from agents.fast_dqn.network import QNetwork
from agents.fast_dqn.train import episode_lengths, train, view_of
from agents.fast_dqn.verdict import doubt_network, saving
from lal.arrays import Floats
from lal.records import write_atomic
from scripts.entry import run_main

Variant = Literal["published", "symmetric"]

AUTHORS_SECONDS = 78 * 60.0
"""What a million steps take in the authors' code."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which sets and variants, how many training seeds, how many episodes."""

    folder: str = FOLDER
    """Where the data sets lie, as NAME.npz."""

    sets: tuple[str, ...] = SETS
    """Each is left out once."""

    variants: tuple[Variant, ...] = ("published", "symmetric")
    """What the network sees."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Training seeds."""

    n_episodes: int = 10_000
    """Training episodes of a run."""

    n_judged: int = 1024
    """Episodes on the set left out, the same for every policy."""

    out: Path = Path("runs/lal-rl")
    """Where results are kept."""


@dataclass(frozen=True, eq=False)
class Run:
    """One training run: labels on the set left out (n,), CPU seconds and environment steps."""

    lengths: Floats
    seconds: float
    n_steps: int


def run(config: Config) -> None:
    """Make what is missing and print the tables."""
    rules = {name: rule_lengths(config, name) for name in config.sets}
    runs: dict[tuple[str, str], list[Run]] = {}
    for seed in config.seeds:
        for name in config.sets:
            for variant in config.variants:
                runs.setdefault((variant, name), []).append(one_run(config, variant, name, seed))
    for variant in config.variants:
        print_variant(config, variant, rules, {n: runs[variant, n] for n in config.sets})
        if len(config.seeds) > 1:
            together = {n: [together_run(config, variant, n)] for n in config.sets}
            print_variant(config, f"{variant}, its networks' mean value", rules, together)
    every = [r for found in runs.values() for r in found]
    per_million = 1e6 * sum(r.seconds for r in every) / sum(r.n_steps for r in every)
    print(
        f"\ntraining: {len(every)} runs, {np.mean([r.seconds for r in every]):.1f} s CPU each, "
        f"{per_million:.1f} s CPU per million steps; the authors' code {AUTHORS_SECONDS:.0f} s"
    )


def rule_lengths(config: Config, name: str) -> dict[str, Floats]:
    """Return the labels that random and uncertainty sampling need on a set, from disk or played."""
    path = config.out / f"rules-{name}-{config.n_judged}.npz"
    if not path.exists():
        data = f"file:{config.folder}/{name}.npz"
        options = {"n_episodes": config.n_judged, "seed": judge_seed(name)}
        found = {
            "random": episode_lengths(None, data, **options),
            "uncertainty": episode_lengths(doubt_network(), data, view=DOUBT_ONLY, **options),
        }
        _save(path, found)
    with np.load(path) as held:
        return {rule: held[rule].astype(np.float64) for rule in held.files}


def judge_seed(name: str) -> int:
    """Return the seed of a set's episodes; no training uses it."""
    return 9_000_000 + SETS.index(name) if name in SETS else 9_000_000


def one_run(config: Config, variant: Variant, name: str, seed: int) -> Run:
    """Return a training run and its labels on the set left out, from disk or made."""
    path = path_of(config, variant, name, seed)
    if not path.exists():
        settings = settings_of(config, variant, name, seed)
        began = time.process_time()
        result = train(settings, data=pairs_of(training_datasets(settings)))
        seconds = time.process_time() - began
        lengths = episode_lengths(
            result.network, f"file:{config.folder}/{name}.npz", view=view_of(settings),
            n_episodes=config.n_judged, seed=judge_seed(name),
        )  # fmt: skip
        flat = result.network.pack()
        _save(path, {"lengths": lengths, "seconds": np.array(seconds),
                     "n_steps": np.array(result.n_steps), "network": flat})  # fmt: skip
        sys.stderr.write(f"{path.stem}: {lengths.mean():.2f} labels, {seconds:.1f} s CPU\n")
    with np.load(path) as held:
        lengths = held["lengths"].astype(np.float64)
        return Run(lengths, float(held["seconds"]), int(held["n_steps"]))


def together_run(config: Config, variant: Variant, name: str) -> Run:
    """Return the labels that the networks of all seeds need together, from disk or played."""
    seeds = "-".join(str(seed) for seed in config.seeds)
    path = config.out / f"{variant}-{name}-together-{seeds}-{config.n_judged}.npz"
    if not path.exists():
        settings = settings_of(config, variant, name, config.seeds[0])
        networks = [network_of(path_of(config, variant, name, seed)) for seed in config.seeds]
        lengths = episode_lengths(
            networks, f"file:{config.folder}/{name}.npz", view=view_of(settings),
            n_episodes=config.n_judged, seed=judge_seed(name),
        )  # fmt: skip
        _save(path, {"lengths": lengths})
    with np.load(path) as held:
        return Run(held["lengths"].astype(np.float64), 0.0, 0)


def path_of(config: Config, variant: Variant, name: str, seed: int) -> Path:
    """Return where a training run is kept."""
    return config.out / f"{variant}-{name}-{seed}-{config.n_episodes}-{config.n_judged}.npz"


def settings_of(config: Config, variant: Variant, name: str, seed: int) -> FastDQNConfig:
    """Return the training settings with one set left out."""
    return replace(
        PRESETS[variant],
        datasets=named_files(config.folder, config.sets),
        hold_out=(name,),
        judge_on=(),
        n_episodes=config.n_episodes,
        seed=seed,
    )


def network_of(path: Path) -> QNetwork:
    """Return the network of a run's file."""
    with np.load(path) as held:
        return QNetwork.unpack(held["network"])


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(part: Path) -> None:
        with part.open("wb") as handle:
            np.savez_compressed(handle, **arrays)  # type: ignore[arg-type]

    write_atomic(path, write)


def print_variant(
    config: Config,
    variant: str,
    rules: dict[str, dict[str, Floats]],
    runs: dict[str, list[Run]],
) -> None:
    """Print a variant's table: labels, and percent fewer than random and than uncertainty."""
    print(f"\n{variant}: labels to 98 % of full quality, {config.n_judged} episodes a set, mean of "
          f"{len(runs[config.sets[0]])} training runs")  # fmt: skip
    print("| left out | random | uncertainty | policy | % fewer than random | each seed "
          "| % fewer than uncertainty |\n|---|---|---|---|---|---|---|")  # fmt: skip
    ours = {name: np.mean([r.lengths for r in found], axis=0) for name, found in runs.items()}
    for name in config.sets:
        random, doubt = rules[name]["random"], rules[name]["uncertainty"]
        seeds = [saving([r.lengths], [random])[0] for r in runs[name]]
        cells = [f"{v.mean():.1f}" for v in (random, doubt, ours[name])]
        cells += [_percent(saving([ours[name]], [random])), ", ".join(f"{s:.0f}" for s in seeds)]
        cells.append(_percent(saving([ours[name]], [doubt])))
        print(f"| {name} | {' | '.join(cells)} |")
    columns = {rule: [rules[n][rule] for n in config.sets] for rule in ("random", "uncertainty")}
    mine = [ours[n] for n in config.sets]
    each = [
        saving([runs[n][i].lengths for n in config.sets], columns["random"])[0]
        for i in range(len(runs[config.sets[0]]))
    ]
    print(f"geometric mean: {_percent(saving(mine, columns['random']))} % fewer than random "
          f"(each seed {', '.join(f'{s:.1f}' for s in each)}); uncertainty "
          f"{_percent(saving(columns['uncertainty'], columns['random']))} %; policy against "
          f"uncertainty {_percent(saving(mine, columns['uncertainty']))} %")  # fmt: skip


def _percent(found: Sequence[float]) -> str:
    return f"{found[0]:.1f} [{found[1]:.1f}, {found[2]:.1f}]"


def main(arguments: Sequence[str]) -> int:
    """Run the sub-command; returns the exit code."""
    return run_main(run, Config, arguments)
