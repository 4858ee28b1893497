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

from agents.lal_rl.config import FOLDER, PRESETS, SETS, LalRlConfig, named_files
from agents.lal_rl.control_test import saving, uncertainty_network
from agents.lal_rl.datasets import get_pairs, training_datasets
from agents.lal_rl.dqn import episode_lengths, get_view, train
from agents.lal_rl.kernels import UNCERTAINTY_ONLY
from agents.lal_rl.network import QNetwork
from lal.arrays import Floats
from lal.serialization import write_atomic
from scripts.benchmarks.base import Benchmark, Results, slug

Variant = Literal["published", "symmetric"]

PUBLISHED_UPDATES = 6.0
"""Gradient steps for every training episode."""

INNER = 500_000
"""Added to a set's seed for the episodes on which settings are chosen."""

AUTHORS_SECONDS = 78 * 60.0
"""What a million steps take in the authors' code."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which sets and variants, how many training seeds, how many episodes."""

    folder: str = FOLDER
    """Where the data sets lie, as NAME.npz."""

    sets: tuple[str, ...] = SETS
    """What is trained on, but for the set left out."""

    left_out: tuple[str, ...] = ()
    """Sets that are left out, each once; none given: all."""

    variants: tuple[Variant, ...] = ("published", "symmetric")
    """What the network sees."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Training seeds."""

    n_episodes: int = 10_000
    """Training episodes of a run."""

    updates: tuple[float, ...] = (6.0,)
    """Gradient steps for every training episode; the published number is 6. Of several, each seed
    takes the network that needs the fewest labels on fresh episodes of the sets trained on; the set
    left out has no part in it."""

    n_inner: int = 256
    """Fresh episodes on each set trained on, for that choice."""

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


def run(config: Config, results: Results) -> None:
    """Make what is missing and add the tables."""
    rules = {name: rule_lengths(config, name) for name in left_out(config)}
    runs: dict[tuple[str, str], list[Run]] = {}
    for seed in config.seeds:
        for name in left_out(config):
            for variant in config.variants:
                runs.setdefault((variant, name), []).append(one_run(config, variant, name, seed))
    for variant in config.variants:
        mine = {n: runs[variant, n] for n in left_out(config)}
        add_variant(config, variant, rules, mine, results)
        if len(config.seeds) > 1:
            together = {n: [together_run(config, variant, n)] for n in left_out(config)}
            title = f"{variant}, its networks' mean value"
            add_variant(config, title, rules, together, results)
    every = [r for found in runs.values() for r in found]
    per_million = 1e6 * sum(r.seconds for r in every) / sum(r.n_steps for r in every)
    results.note(
        f"\ntraining: {len(every)} runs, {np.mean([r.seconds for r in every]):.1f} s CPU each, "
        f"{per_million:.1f} s CPU per million steps; the authors' code {AUTHORS_SECONDS:.0f} s"
    )


def left_out(config: Config) -> tuple[str, ...]:
    """Return the sets that are left out, each once."""
    return config.left_out or config.sets


def rule_lengths(config: Config, name: str) -> dict[str, Floats]:
    """Return the labels that random and uncertainty sampling need on a set, from disk or run."""
    path = config.out / f"rules-{name}-{config.n_judged}.npz"
    if not path.exists():
        data = f"file:{config.folder}/{name}.npz"
        options = {"n_episodes": config.n_judged, "seed": judge_seed(name)}
        found = {
            "random": episode_lengths(None, data, **options),
            "uncertainty": episode_lengths(
                uncertainty_network(), data, view=UNCERTAINTY_ONLY, **options
            ),
        }
        save_arrays(path, found)
    with np.load(path) as held:
        return {rule: held[rule].astype(np.float64) for rule in held.files}


def judge_seed(name: str) -> int:
    """Return the seed of a set's episodes; no training uses it."""
    return 9_000_000 + SETS.index(name) if name in SETS else 9_000_000


def one_run(config: Config, variant: Variant, name: str, seed: int) -> Run:
    """Return a seed's run with the number of gradient steps that its training sets speak for."""
    chosen = chosen_updates(config, variant, name, seed)
    return trained_run(config, variant, name, seed, chosen)


def chosen_updates(config: Config, variant: Variant, name: str, seed: int) -> float:
    """Return the number of gradient steps an episode that a seed takes."""
    if len(config.updates) == 1:
        return config.updates[0]
    saved = [inner_saving(config, variant, name, seed, updates) for updates in config.updates]
    shown = ", ".join(f"{u:g}: {s:.1f} %" for u, s in zip(config.updates, saved, strict=True))
    chosen = config.updates[int(np.argmax(saved))]
    sys.stderr.write(
        f"{variant} {name} {seed}, on the sets trained on, {shown}; {chosen:g} taken\n"
    )
    return chosen


def inner_saving(config: Config, variant: Variant, name: str, seed: int, updates: float) -> float:
    """Return percent fewer labels than random on fresh episodes of the sets trained on."""
    trained_run(config, variant, name, seed, updates)
    held = get_path(config, variant, name, seed, updates)
    path = held.with_name(f"inner-{config.n_inner}-{held.name}")
    if not path.exists():
        network = get_network(held)
        view = get_view(get_settings(config, variant, name, seed, updates))
        others = [other for other in config.sets if other != name]
        found = {other: _inner_lengths(config, other, network, view) for other in others}
        save_arrays(path, found)
    with np.load(path) as lengths:
        ours = {other: lengths[other].astype(np.float64) for other in lengths.files}
    return saving(list(ours.values()), [_inner_random(config, other) for other in ours])[0]


def _inner_random(config: Config, name: str) -> Floats:
    path = config.out / f"inner-random-{name}-{config.n_inner}.npz"
    if not path.exists():
        save_arrays(path, {"lengths": _inner_lengths(config, name, None, 0)})
    with np.load(path) as held:
        lengths: Floats = held["lengths"].astype(np.float64)
    return lengths


def _inner_lengths(config: Config, name: str, network: QNetwork | None, view: int) -> np.ndarray:
    seed = judge_seed(name) + INNER
    options = {"n_episodes": config.n_inner, "seed": seed, "view": view}
    return episode_lengths(network, f"file:{config.folder}/{name}.npz", **options)


def trained_run(config: Config, variant: Variant, name: str, seed: int, updates: float) -> Run:
    """Return a training run and its labels on the set left out, from disk or made."""
    path = get_path(config, variant, name, seed, updates)
    if not path.exists():
        settings = get_settings(config, variant, name, seed, updates)
        began = time.process_time()
        result = train(settings, data=get_pairs(training_datasets(settings)))
        seconds = time.process_time() - began
        lengths = episode_lengths(
            result.network, f"file:{config.folder}/{name}.npz", view=get_view(settings),
            n_episodes=config.n_judged, seed=judge_seed(name),
        )  # fmt: skip
        flat = result.network.pack()
        save_arrays(path, {"lengths": lengths, "seconds": np.array(seconds),
                     "n_steps": np.array(result.n_steps), "network": flat})  # fmt: skip
        sys.stderr.write(f"{path.stem}: {lengths.mean():.2f} labels, {seconds:.1f} s CPU\n")
    with np.load(path) as held:
        lengths = held["lengths"].astype(np.float64)
        return Run(lengths, float(held["seconds"]), int(held["n_steps"]))


def together_run(config: Config, variant: Variant, name: str) -> Run:
    """Return the labels that the networks of all seeds need together, from disk or run."""
    seeds = "-".join(str(seed) for seed in config.seeds)
    chosen = [chosen_updates(config, variant, name, seed) for seed in config.seeds]
    kind = "" if set(chosen) == {PUBLISHED_UPDATES} else "-u" + "-".join(f"{u:g}" for u in chosen)
    path = config.out / f"{variant}-{name}-together-{seeds}-{config.n_judged}{kind}.npz"
    if not path.exists():
        settings = get_settings(config, variant, name, config.seeds[0], chosen[0])
        networks = [
            get_network(get_path(config, variant, name, seed, updates))
            for seed, updates in zip(config.seeds, chosen, strict=True)
        ]
        lengths = episode_lengths(
            networks, f"file:{config.folder}/{name}.npz", view=get_view(settings),
            n_episodes=config.n_judged, seed=judge_seed(name),
        )  # fmt: skip
        save_arrays(path, {"lengths": lengths})
    with np.load(path) as held:
        return Run(held["lengths"].astype(np.float64), 0.0, 0)


def get_path(config: Config, variant: Variant, name: str, seed: int, updates: float) -> Path:
    """Return where a training run is kept."""
    kind = "" if updates == PUBLISHED_UPDATES else f"-u{updates:g}"
    return config.out / f"{variant}-{name}-{seed}-{config.n_episodes}-{config.n_judged}{kind}.npz"


def get_settings(
    config: Config, variant: Variant, name: str, seed: int, updates: float
) -> LalRlConfig:
    """Return the training settings with one set left out."""
    return replace(
        PRESETS[variant],
        datasets=named_files(config.folder, config.sets),
        hold_out=(name,),
        eval_datasets=(),
        n_episodes=config.n_episodes,
        gradient_steps_per_episode=updates,
        seed=seed,
    )


def get_network(path: Path) -> QNetwork:
    """Return the network of a run's file."""
    with np.load(path) as held:
        return QNetwork.unpack(held["network"])


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays to an npz file, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(part: Path) -> None:
        with part.open("wb") as handle:
            np.savez_compressed(handle, **arrays)  # type: ignore[arg-type]

    write_atomic(path, write)


def add_variant(
    config: Config,
    variant: str,
    rules: dict[str, dict[str, Floats]],
    runs: dict[str, list[Run]],
    results: Results,
) -> None:
    """Add a variant's table: labels, and percent fewer than random and than uncertainty."""
    results.note(f"{variant}: labels to 98 % of full quality, {config.n_judged} episodes a set, "
                 f"mean of {len(runs[left_out(config)[0]])} training runs")  # fmt: skip
    ours = {name: np.mean([r.lengths for r in found], axis=0) for name, found in runs.items()}
    for name in left_out(config):
        random, uncertainty = rules[name]["random"], rules[name]["uncertainty"]
        seeds = [saving([r.lengths], [random])[0] for r in runs[name]]
        row = {
            "left out": name,
            "random": f"{random.mean():.1f}",
            "uncertainty": f"{uncertainty.mean():.1f}",
            "policy": f"{ours[name].mean():.1f}",
            "% fewer than random": _percent(saving([ours[name]], [random])),
            "each seed": ", ".join(f"{s:.0f}" for s in seeds),
            "% fewer than uncertainty": _percent(saving([ours[name]], [uncertainty])),
        }
        results.add(slug(variant), row)
    columns = {
        rule: [rules[n][rule] for n in left_out(config)] for rule in ("random", "uncertainty")
    }
    mine = [ours[n] for n in left_out(config)]
    each = [
        saving([runs[n][i].lengths for n in left_out(config)], columns["random"])[0]
        for i in range(len(runs[left_out(config)[0]]))
    ]
    results.note(f"geometric mean: {_percent(saving(mine, columns['random']))} % fewer than random "
          f"(each seed {', '.join(f'{s:.1f}' for s in each)}); uncertainty "
          f"{_percent(saving(columns['uncertainty'], columns['random']))} %; policy against "
          f"uncertainty {_percent(saving(mine, columns['uncertainty']))} %")  # fmt: skip


def _percent(found: Sequence[float]) -> str:
    return f"{found[0]:.1f} [{found[1]:.1f}, {found[2]:.1f}]"


main = Benchmark("lal_rl", Config, run)
