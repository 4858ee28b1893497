"""What a simulator is asked for, looked up: rules, rewards, features, and its buffers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.simulator.arguments import checked_starts
from envs.simulator.kernels.arguments import rows_open
from envs.simulator.kernels.features.names import CANDIDATE_KERNELS, CONTEXT_KERNELS
from envs.simulator.kernels.layout import Episodes
from envs.simulator.tables import USE_REFERENCE, TaskTables
from lal.arrays import Bools, Floats, Ints
from lal.episode import METRICS
from lal.errors import UsageError
from lal.features import DEFAULT_CANDIDATE_FEATURES, DEFAULT_CONTEXT_FEATURES
from lal.features.base import FEATURES, check_scopes
from lal.tasks.rewards import REWARDS
from lal.tasks.slates import SLATES
from lal.tasks.termination import TERMINATIONS

UNCERTAIN_SHARE = {"random": 0.0, "half_uncertain": 0.5}
"""Compiled slate rules: share of the slate that goes to the smallest margins."""

EPISODES_PER_TASK = 16
"""Episodes that run a task drawn from a source, on average, unless `refresh` says otherwise."""

METRIC_NAMES = tuple(METRICS)
"""What the metric columns are, in this order."""


@dataclass(frozen=True, eq=False)
class Acquisitions:
    """What happened between two refits, over all episodes; see `lal.tasks.rewards.Acquisition`."""

    before: Floats
    after: Floats
    n_acquired: Ints
    n_budget: Ints
    n_start: Ints
    n_labelled: Ints
    reached_before: Bools
    baseline: Floats


_REWARDS: dict[str, Callable[[Acquisitions], Floats]] = {
    "step_cost": lambda b: np.where(b.reached_before, 0.0, -b.n_acquired.astype(np.float64)),
    "accuracy_gain": lambda b: b.after[:, 0] - b.before[:, 0],
    "balanced_accuracy_gain": lambda b: b.after[:, 1] - b.before[:, 1],
    "mean_accuracy_gain": lambda b: (b.after[:, :2] - b.before[:, :2]).mean(axis=1),
    "log_loss_gain": lambda b: b.after[:, 2] - b.before[:, 2],
    "area": lambda b: 0.5 * (b.before[:, 0] + b.after[:, 0]) * b.n_acquired / b.n_budget,
    "log_budget": lambda b: (
        0.5
        * (b.before[:, 0] + b.after[:, 0])
        * np.log((b.n_labelled + b.n_acquired) / b.n_labelled)
        / np.log((b.n_start + b.n_budget) / b.n_start)
    ),
    "advantage_over_margin": lambda b: b.after[:, 0] - b.baseline[:, 0],
}
"""The rewards of `lal.tasks.rewards`, over arrays; a test compares them."""


@dataclass(frozen=True)
class Rules:
    """The named rules, looked up."""

    uncertain_share: float
    reward: str
    needs_target: bool
    needs_baseline: bool
    at_budget: bool
    at_target: bool

    def pay(self, acquisitions: Acquisitions) -> Floats:
        """Return the reward of every episode, shape (E,)."""
        return _REWARDS[self.reward](acquisitions)


def find_rules(
    slate_rule: str, reward: str, termination: str, batch_size: int, slate_size: int
) -> Rules:
    """Return what the names mean to the compiled engine; refuse what has no kernel by name."""
    SLATES[slate_rule], REWARDS[reward]  # unknown names are refused with the nearest ones
    if slate_rule not in UNCERTAIN_SHARE:
        raise UsageError(f"slate rule {slate_rule!r} has no kernel; {USE_REFERENCE}")
    if reward not in _REWARDS:
        raise UsageError(f"reward {reward!r} has no kernel; {USE_REFERENCE}")
    if not 1 <= batch_size <= slate_size:
        raise UsageError(f"batch_size must be from 1 to slate_size, got {batch_size}")
    end = TERMINATIONS[termination]
    if REWARDS[reward].needs_whole_budget and end.at_target:
        raise UsageError(f"reward {reward!r} needs the termination 'budget'")
    if reward == "advantage_over_margin" and batch_size > 1:
        raise UsageError(f"reward {reward!r} has a kernel for single labels only; {USE_REFERENCE}")
    return Rules(
        uncertain_share=UNCERTAIN_SHARE[slate_rule],
        reward=reward,
        needs_target=end.at_target or reward == "step_cost",
        needs_baseline=reward == "advantage_over_margin",
        at_budget=end.at_budget,
        at_target=end.at_target,
    )


def feature_lists(
    candidate: Sequence[str] | None, context: Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return candidate and context ids, the defaults for None; refuse ids without a kernel."""
    candidates = tuple(DEFAULT_CANDIDATE_FEATURES if candidate is None else candidate)
    contexts = tuple(DEFAULT_CONTEXT_FEATURES if context is None else context)
    check_scopes(candidates, "candidate")
    check_scopes(contexts, "context")
    without = [f for f in candidates if f not in CANDIDATE_KERNELS]
    without += [f for f in contexts if f not in CONTEXT_KERNELS]
    if without:
        raise UsageError(f"no kernel for the features {', '.join(without)}; {USE_REFERENCE}")
    return candidates, contexts


def value_limits(names: Sequence[str], numbers: dict[str, int]) -> tuple[Ints, Floats]:
    """Return kernel numbers, and (lowest, highest, undefined) values, shape (3, F)."""
    features = [FEATURES[name] for name in names]
    limits = [[f.low for f in features], [f.high for f in features]]
    limits.append([f.undefined for f in features])
    return (
        np.array([numbers[name] for name in names], dtype=np.int64),
        np.array(limits, dtype=np.float64).reshape(3, len(features)),
    )


def allocate_episodes(
    a: TaskTables, E: int, *, leverage: bool, committee: bool, variance: bool
) -> Any:
    """Return the state of E episodes, large enough for every task of the tables."""
    ints = np.int64
    return Episodes(
        task=np.zeros(E, ints),
        n_labelled=np.zeros(E, ints),
        n_start=np.zeros(E, ints),
        rows=np.zeros((E, a.most), ints),
        labels=np.zeros((E, a.most), ints),
        count=np.zeros((E, a.classes), ints),
        rng_state=np.zeros((E, 4, 1), np.uint64),
        open=np.zeros((E, a.pool), ints),
        n_open=np.zeros(E, ints),
        place=np.zeros((E, a.pool), ints),
        proba=np.zeros((E, a.proba), np.float32),
        entropy=np.zeros((E, a.points if committee else 0)),
        variance=np.zeros((E, a.points if variance else 0), np.float32),
        near=np.zeros((E, a.near), np.float32),
        total=np.zeros((E, a.pool), np.float32),
        leverage=np.zeros((E, a.pool if leverage else 0)),
        inverse=np.zeros((E, (a.width + 1) ** 2 if leverage else 0)),
        squares=np.zeros((E, a.most * a.most + 16), np.float32),
        metrics=np.zeros((E, len(METRIC_NAMES))),
    )


def start_rows(ids: Ints, starts: Sequence[Sequence[int] | Ints] | None, records: Any) -> Ints:
    """Return the rows that some episodes label first, filled up with -1.

    Args:
        ids: Which episodes.
        starts: Pool rows, one list for each of all E episodes; None: drawn by the kernel.
        records: The record of each episode's task (`kernels.layout.TASK`), shape (E,).
    """
    if starts is None:
        return np.full((len(ids), 0), -1, dtype=np.int64)
    lists = checked_starts(starts, len(records))
    rows = np.full((len(ids), max(len(s) for s in lists)), -1, dtype=np.int64)
    for i, e in enumerate(ids):
        start, most = lists[e], int(records.most[e] - records.budget[e])
        rows[i, : len(start)] = start
        inside = (start >= 0) & (start < records.pool[e])
        if not inside.all() or len(np.unique(start)) < len(start) or len(start) > most:
            raise UsageError(
                f"the start of episode {e} must be at most {most} different pool rows below "
                f"{records.pool[e]}, got {start.tolist()}"
            )
    return rows


def check_open(rows: Ints, episodes: Any, sizes: Ints, least: int = -1) -> None:
    """Refuse rows (E, k) that are not open; -1 stands for none where `least` allows it.

    Args:
        rows: Pool rows.
        episodes: Their episodes.
        sizes: Pool rows of every task.
        least: 0 or -1.
    """
    if rows_open(rows, least, sizes, episodes.task, episodes.place, episodes.n_open):
        return
    pool = sizes[episodes.task]
    outside = (rows < least) | (rows >= pool[:, None])
    safe = np.where(outside, 0, np.maximum(rows, 0))
    place = np.take_along_axis(episodes.place, safe, axis=1)
    taken = outside | ((rows >= 0) & (place >= episodes.n_open[:, None]))
    if taken.any():
        e, k = np.argwhere(taken)[0]
        raise UsageError(f"row {rows[e, k]} of episode {e} is not open; expected an open row")


def grow(old: Any, new: Any) -> Any:
    """Return the contents of `old` in arrays at least as wide as those of `new`.

    Both are named tuples of arrays with one row an episode; narrow ones are copied into wide ones.
    """
    return type(old)(*(widen(a, b) for a, b in zip(old, new, strict=True)))


def widen(old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    """Return `old`, or `new` with what `old` holds in its first columns when that is wider."""
    if old.shape == new.shape or old.shape[-1] >= new.shape[-1]:
        return old
    new[..., : old.shape[-1]] = old
    return new
