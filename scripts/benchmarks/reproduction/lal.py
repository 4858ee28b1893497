"""What the LAL policies are worth on fresh tasks, in compiled forests; all comparisons are paired.

``python -m scripts.benchmark lal`` evaluates the shipped policies. Controls (untrained and shuffled
copies) need the rows of a training run: ``--run runs/FOLDER`` once for each policy.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.lal_regression.config import LalConfig
from agents.lal_regression.control_test import areas, predictions
from agents.lal_regression.controls import controls
from agents.lal_regression.rows import load_rows, make_rows
from agents.lal_regression.tasks import GainTask, board_task, gaussian_task, make_sampler
from agents.lal_regression.validation import Advantage, advantages, uncertainty
from lal.arrays import Floats
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator
from lal.serialization import from_mapping, read_json
from scripts.benchmarks.base import Benchmark, Results, slug

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
    """Binary data sets to run on as well: names, for example ``file:PATH.npz``. Half of a set is
    the pool, at most 400 rows; the policies were trained on no real set."""

    real_tasks: int = 20
    """Splits of each of them."""

    simulated: bool = True
    """Run the simulated tasks."""


def run(config: Config, results: Results) -> None:
    """Add the pick advantage and the areas under the curves."""
    policies = {name: load_as(PoolPolicy, name) for name in config.policies}
    judged = {name: [policy] for name, policy in policies.items()}
    for folder in config.run:
        judged |= run_controls(folder)
    if config.simulated:
        add_advantages(config, policies, results)
        for kind in ("two Gaussians", "checkerboard 2x2"):
            add_areas(config, kind, judged, results)
    if config.real:
        add_real(config, judged, results)


def add_advantages(config: Config, policies: dict[str, PoolPolicy], results: Results) -> None:
    """Add what the arg-max candidate gains more than its set, in points of accuracy."""
    base = LalConfig(seed=config.seed, n_tasks=config.tasks_per_size)
    sizes = range(base.first_size, base.last_size + 1)
    parts = [make_rows(base, size) for size in sizes]
    table = {
        "uncertainty": np.array([advantages(uncertainty(p), p) for p in parts]),
        "oracle": np.array([advantages(p.gains, p) for p in parts]),
    }
    for name, policy in policies.items():
        table[name] = np.array([advantages(predictions(policy, p.features), p) for p in parts])
    results.note(
        f"pick advantage, points of accuracy, {len(sizes)} x {config.tasks_per_size} tasks"
    )
    for name, found in table.items():
        parts_of = {"all sizes": found, "2-8 labels": found[:7], "9-49 labels": found[7:]}
        cells = {title: points(values) for title, values in parts_of.items()}
        results.add("pick-advantage", {"rule": name, **cells})


def points(values: Floats) -> str:
    """Return mean and half-width of the 95 % interval in points."""
    return str(Advantage.from_values(values.ravel())).removesuffix(" points")


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


def add_areas(
    config: Config, kind: str, judged: dict[str, list[PoolPolicy]], results: Results
) -> None:
    """Add mean accuracies over 50 labels and paired differences, in points."""
    tasks = [draw(config, kind, i) for i in range(config.tasks)]
    found = {rule: areas(tasks, rule, N_LABELS) for rule in ("random", "uncertainty")}
    found |= {name: areas(tasks, "ranker", N_LABELS, copies) for name, copies in judged.items()}
    results.note(f"{kind}: mean accuracy of 2 to 52 labels, {config.tasks} tasks, points")
    for name, area in found.items():
        against = {f"minus {o}": points(area - found[o]) for o in ("random", "uncertainty")}
        results.add(slug(kind), {"rule": name, "area": points(area), **against})
    for name in config.policies:
        for control in ("shuffled", "shuffled_within_tasks", "uncertainty_only", "untrained"):
            other = found.get(f"{name} {control}")
            if other is not None:
                results.note(f"{name} minus {control}: {points(found[name] - other)}")


def add_real(config: Config, judged: dict[str, list[PoolPolicy]], results: Results) -> None:
    """Add what every policy gains on real sets, each set counting once, in points."""
    gained: dict[str, list[list[float]]] = {name: [] for name in judged}
    results.note(
        f"real sets: area minus random / minus uncertainty, {config.real_tasks} splits, points"
    )
    for source in config.real:
        base = LalConfig(source=source, n_test=1000)
        sampler = make_sampler(base)
        tasks = [
            sampler(generator(config.seed, "lal_real", source.rsplit("/", 1)[-1], i))
            for i in range(config.real_tasks)
        ]
        rules = [areas(tasks, rule, N_LABELS) for rule in ("random", "uncertainty")]
        cells = {"data set": source.rsplit("/", 1)[-1]}
        for name, copies in judged.items():
            area = areas(tasks, "ranker", N_LABELS, copies)
            found = [100 * float((area - rule).mean()) for rule in rules]
            gained[name].append(found)
            cells[name] = f"{found[0]:+.2f} / {found[1]:+.2f}"
        results.add("real", cells)
    for name, pairs in gained.items():
        table = np.array(pairs) / 100
        results.note(
            f"{name}: over {len(table)} sets minus random {points(table[:, 0])}, minus "
            f"uncertainty {points(table[:, 1])}; wins against random {(table[:, 0] > 0).sum()}, "
            f"against uncertainty {(table[:, 1] > 0).sum()}"
        )


main = Benchmark("lal", Config, run)
