"""What the LAL policies are worth on fresh tasks, in compiled forests; all comparisons are paired.

``python -m scripts.benchmark lal`` judges the shipped policies. Controls (untrained and shuffled
copies) need the rows of a training run: ``--run runs/FOLDER`` once for each policy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agents.lal.config import LalConfig
from agents.lal.rankers import Ranker, stacked
from agents.lal.rows import load_rows, make_rows, play
from agents.lal.tasks import GainTask, board_task, gaussian_task
from agents.lal.train import export_untrained, fit_boosted, make_policy, shuffled_targets
from agents.lal.validation import advantages, mean_interval, uncertainty
from lal.arrays import Floats
from lal.policies.pool_policy import PoolPolicy
from lal.policies.store import load_policy
from lal.records import from_mapping, read_json
from lal.rng import generator
from scripts.entry import run_main


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which policies, on how many fresh tasks."""

    policies: tuple[str, ...] = ("lal-independent", "lal-iterative")
    """Names of shipped policies, or files."""

    run: tuple[Path, ...] = ()
    """Folders of training runs, for their untrained and shuffled controls."""

    tasks_per_size: int = 100
    """Fresh tasks for every number of labels, for the pick advantage."""

    tasks: int = 200
    """Fresh tasks of each kind, for the learning curves."""

    untrained: int = 5
    """Untrained copies of each run's policy."""

    seed: int = 7_000_000
    """Of the fresh tasks; no training uses it."""


def run(config: Config) -> None:
    """Print the pick advantage and the areas under the curves."""
    policies = {name: load_policy(name) for name in config.policies}
    print_advantages(config, policies)
    rankers = {name: [ranker_of(policy)] for name, policy in policies.items()}
    for folder in config.run:
        rankers |= controls(folder, config.untrained)
    print_areas(config, "two Gaussians", rankers)
    print_areas(config, "checkerboard 2x2", rankers)


def print_advantages(config: Config, policies: dict[str, PoolPolicy]) -> None:
    """Print what the arg-max candidate gains more than its set, in points of accuracy."""
    base = LalConfig(seed=config.seed, n_tasks=config.tasks_per_size)
    sizes = range(base.first_size, base.last_size + 1)
    parts = [make_rows(base, size) for size in sizes]
    rules = {name: policy.scorer for name, policy in policies.items()}
    none = np.zeros(0)
    table = {
        "uncertainty": np.array([advantages(uncertainty(p), p) for p in parts]),
        "oracle": np.array([advantages(p.gains, p) for p in parts]),
    }
    for name, scorer in rules.items():
        table[name] = np.array(
            [advantages(scorer.run({"candidates": p.features, "context": none}), p) for p in parts]
        )
    print(f"\npick advantage, points of accuracy, {len(sizes)} x {config.tasks_per_size} tasks")
    print("| rule | all sizes | 2-8 labels | 9-49 labels |\n|---|---|---|---|")
    for name, found in table.items():
        cells = [points(found), points(found[:7]), points(found[7:])]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def points(values: Floats) -> str:
    """Return mean and half-width of the 95 % interval in points."""
    return str(mean_interval(values.ravel())).removesuffix(" points")


def ranker_of(policy: PoolPolicy) -> Ranker:
    """Return a policy's trees as the kernels walk them."""
    trees = {name.removeprefix("trees."): tensor for name, tensor in policy.tensors.items()}
    return stacked([trees])


def controls(folder: Path, n_untrained: int) -> dict[str, list[Ranker]]:
    """Return the shuffled and the untrained copies of a run's policy, by name."""
    saved = read_json(folder / "config.json")["options"]
    config = from_mapping(LalConfig, saved)
    rows = load_rows(sorted((folder / "rows").glob("*.npz")), config.n_candidates)
    shuffled = fit_boosted(config, rows.features, shuffled_targets(config, rows))
    name = make_policy(config, shuffled, {}).name
    untrained = export_untrained(replace(config, n_tasks=100), n_untrained)
    return {
        f"{name} shuffled": [ranker_of(make_policy(config, shuffled, {}))],
        f"{name} untrained": [ranker_of(policy) for policy in untrained],
    }


def draw(config: Config, kind: str, number: int) -> GainTask:
    """Return a fresh task of a kind."""
    rng = generator(config.seed, "lal_benchmark", kind, number)
    if kind == "two Gaussians":
        return gaussian_task(rng, 400, 4000)
    return board_task(rng, 1000, 1000)


def print_areas(config: Config, kind: str, rankers: dict[str, list[Ranker]]) -> None:
    """Print mean accuracies over 50 labels and paired differences, in points."""
    tasks = [draw(config, kind, i) for i in range(config.tasks)]
    areas = {rule: curve_means(tasks, rule, [None]) for rule in ("random", "uncertainty")}
    areas |= {name: curve_means(tasks, "ranker", list(copies)) for name, copies in rankers.items()}
    print(f"\n{kind}: mean accuracy of 2 to 52 labels, {config.tasks} tasks, points")
    print("| rule | area | minus random | minus uncertainty |\n|---|---|---|---|")
    for name, found in areas.items():
        against = [points(found - areas[other]) for other in ("random", "uncertainty")]
        print(f"| {name} | {points(found)} | {' | '.join(against)} |", flush=True)
    for name in config.policies:
        for control in ("shuffled", "untrained"):
            other = areas.get(f"{name} {control}")
            if other is not None:
                print(f"{name} minus {control}: {points(areas[name] - other)}", flush=True)


def curve_means(tasks: Sequence[GainTask], rule: str, copies: Sequence[Ranker | None]) -> Floats:
    """Return the mean accuracy of every task, averaged over the copies, shape (tasks,)."""
    found = [
        np.mean([play(task, rule, 52, ranker=ranker).mean() for ranker in copies]) for task in tasks
    ]
    return np.array(found)


def main(arguments: Sequence[str]) -> int:
    """Run the sub-command; returns the exit code."""
    return run_main(run, Config, arguments)
