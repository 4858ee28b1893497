"""What-if features: a second stage with and without them, on fresh synthetic tasks, paired.

``python -m scripts.benchmark what-if`` runs blocks of tasks, keeps the shortlists of a policy on
the way with what each of their labels gains, and fits the same networks with and without what-if
features, in turn on all blocks but a fifth, where their picks are compared. Nothing is shipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lal.arrays import Floats, Ints
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.registry import require
from scripts.benchmarks.base import Benchmark, Results, interval

if TYPE_CHECKING:
    from agents.imitation.config import ImitationConfig
    from agents.imitation.states import States

FOLDS = 5

PHASES: Mapping[str, tuple[int, int]] = {
    "all": (0, 10_000), "to 8 labels": (0, 8), "9 to 32": (9, 32), "from 33": (33, 10_000),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    """How many tasks of which kind, and what is fitted."""

    policy: str = "default"
    """First stage: shipped name or file."""

    blocks: int = 20
    """Blocks of tasks; intervals are over blocks."""

    block_tasks: int = 8
    """Tasks of a block."""

    learners: tuple[str, ...] = ("logistic_regression",)
    """Learners of the tasks, drawn uniformly."""

    rows: tuple[int, int] = (8_000, 9_000)
    """Rows of a task; half of them measure what a label gains."""

    columns: tuple[int, int] = (2, 30)
    """Columns of a task."""

    shortlist: int = 32
    """Rows that are looked at again."""

    offered: int = 200
    """Rows, half of them the most uncertain, that the shortlist comes from."""

    sizes: tuple[int, ...] = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
    """Numbers of labels at which states are kept."""

    n_members: int = 2
    """Networks whose mean ranks."""

    n_epochs: int = 15
    """Passes over the states of a fit."""

    seed: int = 20_261_128
    """Names all tasks; other seeds than those of training."""


def run(config: Config, results: Results) -> None:
    """Add the picks' gains and their paired differences, by labels acquired."""
    require("numba", "fast")
    from agents.imitation.refine import untrained
    from agents.imitation.states import pick_gains

    policy = untrained(load_as(PoolPolicy, config.policy), config.shortlist)
    settings = _settings(config)
    states, block = _states(config, settings, policy)
    results.note(f"{len(block)} states of {config.blocks * config.block_tasks} tasks")
    names = policy.columns.tolist()
    utilities = {
        "margin": -states.candidates[:, :, names.index("margin@1")].astype(np.float64),
        config.policy: states.candidates[:, :, -1].astype(np.float64),
        "second stage without what-if features": np.zeros(states.mask.shape),
        "second stage": np.zeros(states.mask.shape),
    }
    for fold in range(FOLDS):
        there = block % FOLDS == fold
        for name, without in (
            ("second stage without what-if features", policy.refine_features),
            ("second stage", ()),
        ):
            found = _fit(_some(states, ~there), settings, policy, without)
            utilities[name][there] = found(_some(states, there))
    gains = {k: 100.0 * pick_gains(states, v, 0.5) for k, v in utilities.items()}
    for name, own in gains.items():
        results.add("gains", {"picks of": name, **_row(own, states, block)})
    for name in list(gains)[:-1]:
        row = _row(gains["second stage"] - gains[name], states, block)
        results.add("differences", {"second stage minus": name, **row})


def _settings(config: Config) -> "ImitationConfig":
    from agents.imitation.config import ImitationConfig

    shared = {f.name for f in fields(Config)} & {f.name for f in fields(ImitationConfig)}
    given: dict[str, Any] = {name: getattr(config, name) for name in shared}
    return ImitationConfig(**given, budget=max(config.sizes) + 2, share_tried=1.0)


def _states(config: Config, settings: Any, policy: Any) -> tuple["States", Ints]:
    """Return the states of all blocks, and the block of each."""
    from agents.imitation.refine import shortlist_states
    from agents.imitation.states import States

    parts = [
        shortlist_states(settings, number, policy, config.offered)
        for number in range(config.blocks)
    ]
    columns = [[getattr(part, f.name) for part in parts] for f in fields(States)]
    block = np.repeat(np.arange(len(parts)), [len(part.mask) for part in parts])
    return States(*(np.concatenate(column) for column in columns)), block


def _fit(states: "States", settings: Any, policy: Any, without: tuple[str, ...]) -> Any:
    """Return what scores states: a second stage fitted to others."""
    from agents.imitation.refine import fit_second, score_shortlists, two_stages

    found = fit_second(states, settings, policy, without)
    fitted = two_stages(policy, found, name="second stage", card={})
    return lambda others: score_shortlists(fitted, others)


def _some(states: "States", kept: np.ndarray) -> "States":
    return replace(states, **{f.name: getattr(states, f.name)[kept] for f in fields(states)})


def _row(values: Floats, states: "States", block: Ints) -> dict[str, str]:
    """Return the means with their intervals over blocks, by labels acquired."""
    row = {}
    for phase, (low, high) in PHASES.items():
        there = (states.n_labelled >= low) & (states.n_labelled <= high)
        means = [values[there & (block == b)].mean() for b in np.unique(block[there])]
        row[phase] = interval(np.array(means), digits=2) if len(means) > 1 else "too few states"
    return row


main = Benchmark("what-if", Config, run)
