"""What the LAL policies are worth on fresh tasks, in compiled forests; all comparisons are paired.

``python -m scripts.benchmark lal`` judges the shipped policies. Controls (untrained and shuffled
copies) need the rows of a training run: ``--run runs/FOLDER`` once for each policy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.lal_regression.config import LalConfig
from agents.lal_regression.control_test import areas, predictions
from agents.lal_regression.controls import controls
from agents.lal_regression.rows import load_rows, make_rows
from agents.lal_regression.tasks import GainTask, board_task, gaussian_task, make_sampler
from agents.lal_regression.validation import advantages, mean_interval, uncertainty
from lal.arrays import Floats
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator
from lal.serialization import from_mapping, read_json
from scripts.entry import run_main

N_LABELS = 52
"""Labels at the end of a curve."""


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

    seed: int = 7_000_000
    """Of the fresh tasks; no training uses it."""

    real: tuple[str, ...] = ()
    """Binary data sets to play on as well: names, for example ``file:PATH.npz``. Half of a set is
    the pool, at most 400 rows; the policies were trained on no real set."""

    real_tasks: int = 20
    """Splits of each of them."""

    simulated: bool = True
    """Play the simulated tasks."""


def run(config: Config) -> None:
    """Print the pick advantage and the areas under the curves."""
    policies = {name: load_as(PoolPolicy, name) for name in config.policies}
    judged = {name: [policy] for name, policy in policies.items()}
    for folder in config.run:
        judged |= run_controls(folder)
    if config.simulated:
        print_advantages(config, policies)
        print_areas(config, "two Gaussians", judged)
        print_areas(config, "checkerboard 2x2", judged)
    if config.real:
        print_real(config, judged)


def print_advantages(config: Config, policies: dict[str, PoolPolicy]) -> None:
    """Print what the arg-max candidate gains more than its set, in points of accuracy."""
    base = LalConfig(seed=config.seed, n_tasks=config.tasks_per_size)
    sizes = range(base.first_size, base.last_size + 1)
    parts = [make_rows(base, size) for size in sizes]
    table = {
        "uncertainty": np.array([advantages(uncertainty(p), p) for p in parts]),
        "oracle": np.array([advantages(p.gains, p) for p in parts]),
    }
    for name, policy in policies.items():
        table[name] = np.array([advantages(predictions(policy, p.features), p) for p in parts])
    print(f"\npick advantage, points of accuracy, {len(sizes)} x {config.tasks_per_size} tasks")
    print("| rule | all sizes | 2-8 labels | 9-49 labels |\n|---|---|---|---|")
    for name, found in table.items():
        cells = [points(found), points(found[:7]), points(found[7:])]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def points(values: Floats) -> str:
    """Return mean and half-width of the 95 % interval in points."""
    return str(mean_interval(values.ravel())).removesuffix(" points")


def run_controls(folder: Path) -> dict[str, list[PoolPolicy]]:
    """Return the shuffled and the untrained copies of a run's policy, by name."""
    config = from_mapping(LalConfig, read_json(folder / "config.json")["options"])
    rows = load_rows(sorted((folder / "rows").glob("*.npz")), config.n_candidates)
    name = f"lal-{config.growth}"
    return {f"{name} {kind}": copies for kind, copies in controls(config, rows).items()}


def draw(config: Config, kind: str, number: int) -> GainTask:
    """Return a fresh task of a kind."""
    rng = generator(config.seed, "lal_benchmark", kind, number)
    if kind == "two Gaussians":
        return gaussian_task(rng, 400, 4000)
    return board_task(rng, 1000, 1000)


def print_areas(config: Config, kind: str, judged: dict[str, list[PoolPolicy]]) -> None:
    """Print mean accuracies over 50 labels and paired differences, in points."""
    tasks = [draw(config, kind, i) for i in range(config.tasks)]
    found = {rule: areas(tasks, rule, N_LABELS) for rule in ("random", "uncertainty")}
    found |= {name: areas(tasks, "ranker", N_LABELS, copies) for name, copies in judged.items()}
    print(f"\n{kind}: mean accuracy of 2 to 52 labels, {config.tasks} tasks, points")
    print("| rule | area | minus random | minus uncertainty |\n|---|---|---|---|")
    for name, area in found.items():
        against = [points(area - found[other]) for other in ("random", "uncertainty")]
        print(f"| {name} | {points(area)} | {' | '.join(against)} |", flush=True)
    for name in config.policies:
        for control in ("shuffled", "shuffled_within_tasks", "uncertainty_only", "untrained"):
            other = found.get(f"{name} {control}")
            if other is not None:
                print(f"{name} minus {control}: {points(found[name] - other)}", flush=True)


def print_real(config: Config, judged: dict[str, list[PoolPolicy]]) -> None:
    """Print what every policy gains on real sets, each set counting once, in points."""
    gained: dict[str, list[list[float]]] = {name: [] for name in judged}
    print(f"\nreal sets: area minus random / minus uncertainty, {config.real_tasks} splits, points")
    print(f"| data set | {' | '.join(judged)} |\n|{'---|' * (len(judged) + 1)}", flush=True)
    for source in config.real:
        base = LalConfig(source=source, n_test=1000)
        sampler = make_sampler(base)
        tasks = [
            sampler(generator(config.seed, "lal_real", source.rsplit("/", 1)[-1], i))
            for i in range(config.real_tasks)
        ]
        rules = [areas(tasks, rule, N_LABELS) for rule in ("random", "uncertainty")]
        cells = []
        for name, copies in judged.items():
            area = areas(tasks, "ranker", N_LABELS, copies)
            found = [100 * float((area - rule).mean()) for rule in rules]
            gained[name].append(found)
            cells.append(f"{found[0]:+.2f} / {found[1]:+.2f}")
        print(f"| {source.rsplit('/', 1)[-1]} | {' | '.join(cells)} |", flush=True)
    for name, pairs in gained.items():
        table = np.array(pairs) / 100
        print(
            f"{name}: over {len(table)} sets minus random {points(table[:, 0])}, minus "
            f"uncertainty {points(table[:, 1])}; wins against random {(table[:, 0] > 0).sum()}, "
            f"against uncertainty {(table[:, 1] > 0).sum()}"
        )


def main(arguments: Sequence[str]) -> int:
    """Run the sub-command; returns the exit code."""
    return run_main(run, Config, arguments)
