"""Versions of a look-ahead policy side by side on synthetic tasks that none of them was fitted to.

``python -m scripts.benchmark picks --states runs/full --policies a=FILE b=FILE`` prints what their
picks gain above the mean candidate on the last blocks of a run, by labels acquired, and the paired
difference to the first one; ``--tasks N`` also runs whole episodes beside margin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.registry import require
from scripts.entry import run_main


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is compared."""

    policies: tuple[str, ...] = ("default",)
    """Shipped names, files, or LABEL=NAME_OR_FILE; others are compared with the first."""

    states: Path = Path("runs/full")
    """Folder of a look-ahead run with its blocks."""

    blocks: int = 12
    """Last blocks, which the policies must not have been fitted to."""

    tasks: int = 0
    """Tasks run to the end; 0: none."""

    budget: int = 60
    """Labels acquired in those."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both tables."""
    return run_main(run, Config, arguments)


def run(config: Config) -> dict[str, Floats]:
    """Print both tables; return every version's gains, shape (S,), by label."""
    require("numba", "fast")
    policies = {spec.partition("=")[0]: load_as(PoolPolicy, spec.rpartition("=")[2])
                for spec in config.policies}  # fmt: skip
    gains = _picks(config, policies)
    if config.tasks:
        _episodes(config, policies)
    return gains


def _picks(config: Config, policies: dict[str, PoolPolicy]) -> dict[str, Floats]:
    from agents.imitation.evaluation import PHASES, block_means, score_states
    from agents.imitation.states import load_states, pick_gains

    paths = sorted((config.states / "blocks").glob("*.npz"))[-config.blocks :]
    if not paths:
        raise UsageError(f"{str(config.states)!r} has no blocks; give the folder of a run")
    blocks = [load_states([path]) for path in paths]
    states = load_states(paths)
    number = np.repeat(np.arange(len(blocks)), [len(b.mask) for b in blocks])
    gains = {k: pick_gains(states, score_states(p, states), 0.5) for k, p in policies.items()}
    first = next(iter(policies.values()))
    column = list(first.candidate_features).index("margin@1")
    gains["margin"] = pick_gains(states, -states.candidates[:, :, column].astype(float), 0.5)
    print(f"points above the mean candidate, {len(states.mask)} states, {len(blocks)} blocks")
    reference = gains[next(iter(gains))]
    for label, own in gains.items():
        cells = []
        for phase, (low, high) in PHASES.items():
            there = (states.n_labelled >= low) & (states.n_labelled <= high)
            if there.any():
                cells.append(f"{phase}: {_text(block_means(own[there], number[there]))}")
        paired = _text(block_means(own - reference, number))
        print(f"{label}: {'; '.join(cells)}; minus the first: {paired}")
    return gains


def _episodes(config: Config, policies: dict[str, PoolPolicy]) -> None:
    from agents.imitation.config import ImitationConfig
    from agents.imitation.evaluation import check_areas

    settings = ImitationConfig(check_tasks=config.tasks, check_budget=config.budget)
    margin, *areas = check_areas(list(policies.values()), settings)
    print(f"points of area on {config.tasks} tasks, {config.budget} labels")
    for label, own in zip(policies, areas, strict=True):
        print(f"{label}: over margin {_text(own - margin)}; minus the first: "
              f"{_text(own - areas[0])}")  # fmt: skip


def _text(values: Floats) -> str:
    from agents.training.intervals import mean_interval

    mean, low, high = mean_interval(100 * values)
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
