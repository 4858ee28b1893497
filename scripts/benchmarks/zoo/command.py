"""Every agent in its environments over training seeds, with controls and learning curves.

``python -m scripts.benchmark zoo --json zoo.json --picture zoo.png`` trains with the settings of
``agents/hyperparams``. What is finished is kept under ``--out``, one folder an agent, environment
and seed; the same command goes on where it stopped. ``--preset smoke`` runs everything in small: it
shows that all parts work, and learns nothing.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.evaluation.analysis.bootstrap import Interval
from lal.evaluation.analysis.control_tests import REQUIRED, passes_controls
from lal.evaluation.analysis.run_aggregates import interquartile_interval
from scripts.benchmarks.base import Benchmark, Results, half_width
from scripts.benchmarks.zoo.cells import SMOKE, Cell, run_cell
from scripts.benchmarks.zoo.picture import draw_curves
from scripts.benchmarks.zoo.scores import ENVIRONMENTS, POOL


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is trained, how often, and on how much it is evaluated."""

    preset: Literal["tuned", "smoke"] = "tuned"
    """tuned: the settings of agents/hyperparams. smoke: two short runs of each, four episodes."""

    agents: tuple[str, ...] = ()
    """Names of agents; all of the zoo when empty."""

    environments: tuple[str, ...] = ()
    """Environments, such as lal/Design-v0 or lal/Pool-v0/random_forest; all when empty."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of training."""

    length: float = 1.0
    """What the length of every training is multiplied by."""

    episodes: int = 100
    """Episodes of an evaluation, the same for all policies of an environment."""

    n_untrained: int = 5
    """Copies with random weights; their mean is a control."""

    out: Path = Path("runs/zoo")
    """Folder of the cells."""

    picture: Path | None = None
    """PNG file of the learning curves."""

    jobs: int = 2
    """Cells that are worked on at a time."""


def run(config: Config, results: Results) -> None:
    """Train and evaluate what is missing; add a row for each agent and environment."""
    cells = list(_run_all(config))
    for name, environment in ENVIRONMENTS.items():
        for agent in environment.agents:
            rows = [c for c in cells if (c["agent"], c["environment"]) == (agent, name)]
            if rows:
                results.add("zoo", _row(name, agent, rows))
                _add_curve(results, name, agent, rows)
    for agent in ENVIRONMENTS[f"{POOL}/logistic_regression"].agents:
        _add_pool(results, agent, cells)
    if config.picture is not None:
        draw_curves(results.tables["curves"], config.picture)


def _run_all(config: Config) -> Iterator[dict[str, Any]]:
    """Yield the figures of all cells, in their order; several are worked on at a time."""
    cells = get_cells(config)
    # spawned, because torch's threads do not survive a fork
    pool = ProcessPoolExecutor(config.jobs, mp_context=get_context("spawn"))
    try:
        found = pool.map(run_cell, cells, [config.out] * len(cells))
        for i, (cell, one) in enumerate(zip(cells, found, strict=True), start=1):
            place = f"{cell.agent} in {cell.environment}, seed {cell.seed}"
            print(f"{i} of {len(cells)}: {place}", file=sys.stderr, flush=True)
            yield one
    finally:  # who stops the command does not wait for the cells that have not begun
        pool.shutdown(cancel_futures=True)


def get_cells(config: Config) -> list[Cell]:
    """Return what is trained, seed by seed.

    Raises:
        UsageError: Names that leave nothing.
    """
    small = config.preset == SMOKE
    used = replace(config, seeds=(0, 1), episodes=4, n_untrained=2) if small else config
    cells = [
        Cell(agent, name, seed, used.preset, used.length, used.episodes, used.n_untrained)
        for seed in used.seeds
        for name, environment in ENVIRONMENTS.items()
        for agent in environment.agents
        if name in (used.environments or ENVIRONMENTS) and agent in (used.agents or (agent,))
    ]
    if not cells:
        pairs = [f"{a} in {e.name}" for e in ENVIRONMENTS.values() for a in e.agents]
        raise UsageError(
            f"no agent and environment of the zoo fits {(*config.agents, *config.environments)}; "
            f"it has {', '.join(pairs)}"
        )
    return cells


def _row(environment: str, agent: str, cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    gaps = [control_gaps(cell["scores"]) for cell in cells]
    row: dict[str, Any] = {
        "environment": environment, "agent": agent, "unit": ENVIRONMENTS[environment].unit,
        "seeds": len(cells),
    }  # fmt: skip
    for name in REQUIRED:
        means = np.array([[gap[name].mean()] for gap in gaps if name in gap])
        row[f"minus {name}"] = _show(_interval(means)) if len(means) else None
    learned = sum(is_ahead(gap) for gap in gaps)
    limits = "" if set(REQUIRED) <= set(gaps[0]) else ", no shuffled copy"
    row["learned"] = f"{learned} of {len(cells)}{limits}"
    return row


def control_gaps(scores: Mapping[str, Sequence[float]]) -> dict[str, Floats]:
    """Return the policy's scores minus those of every control, paired by episode."""
    policy = np.array(scores["policy"])
    return {name: policy - np.array(scores[name]) for name in REQUIRED if name in scores}


def is_ahead(gaps: Mapping[str, Floats]) -> bool:
    """Return whether a policy learned, or, without a shuffled copy, is ahead of the other two."""
    lows = {name: float(gap.mean()) - half_width(gap) for name, gap in gaps.items()}
    if set(REQUIRED) <= set(lows):
        return passes_controls(lows)
    return all(low > 0 for low in lows.values())


def _interval(scores: Floats) -> Interval:
    return interquartile_interval(scores, np.random.default_rng(0))


def _show(found: Interval) -> str:
    return f"{found.mean:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"


def _add_curve(
    results: Results, environment: str, agent: str, cells: Sequence[dict[str, Any]]
) -> None:
    """Add the points of a learning curve: interquartile means over the seeds."""
    curves = [cell["curve"] for cell in cells]
    for points in zip(*curves, strict=True):
        found = _interval(np.array([[point["gain"]] for point in points]))
        widths = [point["half_width"] for point in points]
        results.add("curves", {
            "environment": environment, "agent": agent, "share": points[0]["share"],
            "gain": round(found.mean, 4), "low": round(found.low, 4),
            "high": round(found.high, 4), "half width over episodes": round(max(widths), 4),
        })  # fmt: skip


def _add_pool(results: Results, agent: str, cells: Sequence[dict[str, Any]]) -> None:
    """Add an agent's gain over random on all learners of the pool together."""
    gains: dict[str, list[float]] = {}
    for cell in cells:
        if cell["agent"] == agent and cell["environment"].startswith(POOL):
            gain = control_gaps(cell["scores"])["random"].mean()
            gains.setdefault(cell["environment"], []).append(float(gain))
    if len(gains) > 1:
        found = _interval(np.array(list(gains.values())).T)
        row: dict[str, Any] = {"agent": agent, "learners": len(gains), "minus random": _show(found)}
        results.add("pool", row)


main = Benchmark("zoo", Config, run)
