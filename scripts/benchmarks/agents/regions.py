"""Regions to segment: rules and RALIS at equal clicks, on textures that no training saw.

``python -m scripts.benchmark regions --kept runs/regions --seeds 0 1 2 3 4`` trains RALIS and a
copy on shuffled rewards for every seed. What is finished stays in the folder, so that the same
command goes on there; without seeds, the rules are measured alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import lal
from lal.arrays import Floats
from lal.data.scenes import count_clicks
from lal.episode import Episode
from lal.metrics import REGION_METRICS
from lal.rng import generator
from lal.serialization import to_mapping
from lal.state import Strategy
from lal.strategies.base import select
from lal.task import Task
from lal.tasks.regions import RegionSampler
from scripts.benchmarks.base import Benchmark, Results, interval
from scripts.benchmarks.kept import kept

RULES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "random": ("random", {}),
    "entropy of the region's classes": ("entropy", {}),
    "region_entropy": ("region_entropy", {}),
    "region_entropy, per click": ("region_entropy", {"per_click": True}),
    "region_margin": ("region_margin", {}),
    "region_bald": ("region_bald", {}),
    "region_impurity": ("region_impurity", {}),
}
"""Rules by the name that the tables show: strategy and options."""

MEASURED = ("area", "mean_iou", "rare_iou", "clicks")


@dataclass(frozen=True, kw_only=True)
class Config:
    """On what is measured, and what is trained."""

    runs: int = 20
    """Tasks, each of its own textures, the same for everybody."""

    clicks: int = 60
    """Clicks of a run after its initial regions."""

    batch_size: int = 4
    """Regions that are labelled between two refits."""

    seeds: tuple[int, ...] = ()
    """Training seeds of RALIS; none: the rules alone."""

    preset: str = "demo"
    """Settings of RALIS."""

    timesteps: int | None = None
    """Regions labelled in a training; the preset's when not given."""

    n_untrained: int = 5
    """Untrained copies; their mean is a control."""

    kept: Path | None = None
    """Folder of finished runs and trainings."""


Found = dict[str, Floats]
"""What was measured by name, each of shape (runs,)."""


def run(config: Config, results: Results) -> None:
    """Print what rules and policies reach, and their paired differences to random."""
    found = {
        label: _measure(config, label, lal.make_strategy(name, **options))
        for label, (name, options) in RULES.items()
    }
    policies = _policies(config)
    for group in ("untrained", "shuffled", "RALIS"):
        members = [found_of for label, found_of in policies.items() if label.startswith(group)]
        if members:
            found[group] = {name: np.mean([m[name] for m in members], axis=0) for name in MEASURED}
    random = found["random"]
    for label, here in found.items():
        row = {"method": label}
        for name, title in (("area", "area"), ("mean_iou", "final mIoU"), ("rare_iou", "rare IoU")):
            row[title] = interval(100 * here[name], 1, sign="")
            row[f"{title}, minus random"] = (
                "" if label == "random" else interval(100 * (here[name] - random[name]), 1)
            )
        row["clicks a region"] = f"{here['clicks'].mean():.2f}"
        results.add("methods", row)
    for seed in config.seeds:
        _add_seed(results, seed, found, policies)
    results.note(f"{config.runs} tasks, {config.clicks} clicks, points of mIoU, mean and 95 %")


def _add_seed(
    results: Results, seed: int, found: Mapping[str, Found], policies: Mapping[str, Found]
) -> None:
    ours = policies[f"RALIS {seed}"]["area"]
    others = {
        "random": found["random"],
        "region_entropy": found["region_entropy"],
        "untrained": found["untrained"],
        "shuffled": policies[f"shuffled {seed}"],
    }
    row: dict[str, Any] = {"seed": seed}
    for name, theirs in others.items():
        row[f"area, minus {name}"] = interval(100 * (ours - theirs["area"]), 1)
    results.add("seeds", row)


def _policies(config: Config) -> dict[str, Found]:
    """Return what trained policies and their controls reach."""
    if not config.seeds:
        return {}
    from agents import AGENTS

    agent, found = AGENTS["ralis"], {}
    settings = agent.preset(config.preset)
    if config.timesteps is not None:
        settings = replace(settings, total_timesteps=config.timesteps)
    folder = config.kept or Path("runs/regions")
    for seed in config.seeds:
        for label, control in (("RALIS", "none"), ("shuffled", "shuffled_reward")):
            wanted = replace(settings, seed=seed, control=control)
            path = agent.train(wanted, folder / f"{label}-{seed}")
            policy: Any = lal.load_policy(path)
            found[f"{label} {seed}"] = _measure(config, f"{label} {seed}", policy, wanted)
    for i, copy in enumerate(agent.export_untrained(settings, config.n_untrained)):
        found[f"untrained {i}"] = _measure(config, f"untrained {i}", copy, settings)
    return found


def _measure(config: Config, label: str, strategy: Strategy, trained: Any = None) -> Found:
    """Return what a method reaches on every task."""
    about = (config.runs, config.clicks, config.batch_size)
    depends = [label, *about, to_mapping(trained)]

    def make() -> dict[str, Any]:
        rows = [_one_run(config, strategy, i) for i in range(config.runs)]
        return dict(zip(MEASURED, np.transpose(rows).tolist(), strict=True))

    name = "".join(c if c.isalnum() else "-" for c in label)
    return {key: np.array(v) for key, v in kept(config.kept, name, depends, make).items()}


def _one_run(config: Config, strategy: Strategy, number: int) -> tuple[float, ...]:
    """Return area, last mean IoU, last rare IoU and clicks a region of one run."""
    sampler = RegionSampler(budget=config.clicks, n_reward=0, n_test=16)
    task = sampler(generator(0, "regions", number))
    episode = Episode(task, number)
    points = [_point(episode, task)]
    while points[-1][0] - points[0][0] < config.clicks and not episode.finished:
        streams = episode.streams
        rows = select(
            strategy, episode.state(), streams["strategy"], streams["ties"], config.batch_size
        )
        for row in rows.tolist():
            episode.label(row)
        points.append(_point(episode, task))
    clicks, mean_iou, rare = np.array(points).T
    at = clicks[0] + np.arange(config.clicks + 1)
    heights = np.interp(at, clicks, mean_iou)
    a_region = (clicks[-1] - clicks[0]) / (episode.spent - episode.n_start)
    area = float(np.trapezoid(heights) / config.clicks)
    return area, float(heights[-1]), float(np.interp(at[-1], clicks, rare)), float(a_region)


def _point(episode: Episode, task: Task) -> tuple[float, float, float]:
    """Return the clicks so far, and mean and rare IoU on the test images."""
    pixels = task.pool.targets[episode.pool.order]
    found = episode.measure(task.test_part(), REGION_METRICS)
    return float(count_clicks(pixels).sum()), found["mean_iou"], found["rare_iou"]


main = Benchmark("regions", Config, run)
