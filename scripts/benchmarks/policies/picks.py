"""Versions of a look-ahead policy side by side on synthetic tasks that none of them was fitted to.

``python -m scripts.benchmark picks --states runs/full --policies a=FILE b=FILE`` shows what their
picks gain above the mean candidate on the last blocks of a run, by labels acquired, and the paired
difference to the first one; ``--tasks N`` also runs whole episodes beside margin.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.registry import require
from scripts.benchmarks.base import Benchmark, Cell, Results


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is compared."""

    policies: tuple[str, ...] = ("default",)
    """Shipped names, files, or LABEL=NAME_OR_FILE; others are compared with the first, whose
    features the states hold."""

    states: Path = Path("runs/full")
    """Folder of a look-ahead run with its blocks."""

    blocks: int = 12
    """Last blocks, which the policies must not have been fitted to."""

    tasks: int = 0
    """Tasks run to the end; 0: none."""

    budget: int = 60
    """Labels acquired in those."""


def run(config: Config, results: Results) -> None:
    """Add both tables."""
    require("numba", "fast")
    policies = {spec.partition("=")[0]: load_as(PoolPolicy, spec.rpartition("=")[2])
                for spec in config.policies}  # fmt: skip
    _picks(config, policies, results)
    if config.tasks:
        _episodes(config, policies, results)


def _picks(config: Config, policies: dict[str, PoolPolicy], results: Results) -> None:
    from agents.imitation.evaluation import PHASES, block_means, score_states
    from agents.imitation.states import load_states, pick_gains

    paths = sorted((config.states / "blocks").glob("*.npz"))[-config.blocks :]
    if not paths:
        raise UsageError(f"{str(config.states)!r} has no blocks; give the folder of a run")
    blocks = [load_states([path]) for path in paths]
    states = load_states(paths)
    number = np.repeat(np.arange(len(blocks)), [len(b.mask) for b in blocks])
    held = list(next(iter(policies.values())).candidate_features)
    gains = {k: pick_gains(states, score_states(p, states, held), 0.5) for k, p in policies.items()}
    column = held.index("margin@1")
    gains["margin"] = pick_gains(states, -states.candidates[:, :, column].astype(float), 0.5)
    results.note(
        f"AUBC points above the mean candidate, {len(states.mask)} states, {len(blocks)} blocks"
    )
    reference = gains[next(iter(gains))]
    for label, own in gains.items():
        row: dict[str, Cell] = {"policy": label}
        for phase, (low, high) in PHASES.items():
            there = (states.n_labelled >= low) & (states.n_labelled <= high)
            row[phase] = _text(block_means(own[there], number[there])) if there.any() else None
        row["minus the first"] = _text(block_means(own - reference, number))
        results.add("picks", row)


def _episodes(config: Config, policies: dict[str, PoolPolicy], results: Results) -> None:
    from agents.imitation.config import ImitationConfig
    from agents.imitation.evaluation import check_areas

    settings = ImitationConfig(check_tasks=config.tasks, check_budget=config.budget)
    margin, *areas = check_areas(list(policies.values()), settings)
    results.note(f"AUBC points on {config.tasks} tasks, {config.budget} labels")
    for label, own in zip(policies, areas, strict=True):
        row = {"over margin": _text(own - margin), "minus the first": _text(own - areas[0])}
        results.add("episodes", {"policy": label, **row})


def _text(values: Floats) -> str:
    from agents.training.intervals import mean_interval

    mean, low, high = mean_interval(100 * values)
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"


main = Benchmark("picks", Config, run)
