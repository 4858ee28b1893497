"""Several rankers on the same synthetic tasks, all episodes side by side in the compiled simulator.

Rankers are compared on the same tasks, from the same first labels (common random numbers), so their
differences carry little of the noise of tasks and starts.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lal.arrays import Floats
from lal.curve import aubc
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy
from lal.policies.scoring.scorer import Scorer
from lal.task import Task

Singles = NDArray[np.float32]

Ranker = Callable[[Singles, Singles, NDArray[np.bool_]], NDArray[Any]]
"""Candidates (E, K, F), context (E, G) and mask (E, K) to utilities (E, K)."""

ROWS = 8_192
"""Rows scored at once, so that the registers stay in the cache."""


def margin_ranker(candidate_features: Sequence[str]) -> Ranker:
    """Return what ranks by the margin of the two most probable classes, the smallest first."""
    if "margin@1" not in candidate_features:
        raise UsageError("the comparison with margin needs the candidate feature margin@1")
    column = list(candidate_features).index("margin@1")
    return lambda candidates, context, mask: -candidates[:, :, column]


def policy_ranker(policy: PoolPolicy) -> Ranker:
    """Return what ranks by a policy's program, in float32.

    A program that reads the reference set is given the open rows of the slate in its place: with
    slates of whole pools they differ from a reference set by the labelled rows alone.
    """
    return scorer_ranker(policy.scorer)


def scorer_ranker(scorer: Scorer) -> Ranker:
    """Return what ranks by a checked program; see `policy_ranker`."""
    single = replace(scorer, steps=tuple(replace(s, tensors=_single(s)) for s in scorer.steps))
    if "reference" in scorer.reads or scorer.mixes_candidates:
        return lambda *seen: _one_by_one(single, *seen)
    return lambda *seen: _flat(single, *seen)


def _single(step: Any) -> dict[str, NDArray[Any]]:
    """Return a step's tensors in float32; integers stay."""
    return {
        name: t.astype(np.float32) if t.dtype.kind == "f" else t for name, t in step.tensors.items()
    }


def _flat(
    scorer: Scorer, candidates: Singles, context: Singles, mask: NDArray[np.bool_]
) -> NDArray[Any]:
    """Score the open rows of all episodes as one matrix, each beside its own context."""
    episode, _ = np.nonzero(mask)
    rows = candidates[mask]
    values = np.zeros(mask.shape, np.float32)
    parts = []
    for first in range(0, len(rows), ROWS):
        part = slice(first, first + ROWS)
        given: dict[str, Any] = {"candidates": rows[part], "context": context[episode[part]]}
        parts.append(scorer.registers(given)[scorer.output].reshape(-1))
    values[mask] = np.concatenate(parts) if parts else []
    return values


def _one_by_one(
    scorer: Scorer, candidates: Singles, context: Singles, mask: NDArray[np.bool_]
) -> NDArray[Any]:
    values = np.zeros(mask.shape, np.float32)
    for e in range(len(mask)):
        rows: Any = candidates[e, mask[e]]
        if len(rows):
            given: dict[str, Any] = {"candidates": rows, "reference": rows, "context": context[e]}
            values[e, mask[e]] = scorer.registers(given)[scorer.output].reshape(-1)
    return values


def play_side_by_side(
    tasks: Sequence[Task],
    rankers: Sequence[Ranker],
    *,
    features: tuple[Sequence[str], Sequence[str]],
    slate_size: int,
    seed: int,
) -> Floats:
    """Return every ranker's areas under accuracy and balanced accuracy, shape (P, T, 2).

    Args:
        tasks: T tasks with a reward part and one budget.
        rankers: P rankers; all play every task from the same first labels.
        features: Ids of the candidate and the context features.
        slate_size: Rows offered, drawn at random; at least the pool's size offers all of it.
        seed: Names the starts.
    """
    from envs.simulator.pool import PoolSimulator

    budgets = {task.budget for task in tasks}
    if len(budgets) != 1:
        raise UsageError(f"tasks played side by side need one budget, got {sorted(budgets)}")
    P, T = len(rankers), len(tasks)
    simulator = PoolSimulator(
        tasks, P * T, candidate_features=features[0], context_features=features[1],
        slate_size=slate_size, slate_rule="random", seed=seed,
    )  # fmt: skip
    numbers = np.tile(np.arange(T), P)
    simulator.reset(tasks=numbers)
    starts = [simulator.labelled_rows(t).tolist() for t in range(T)]
    seen = simulator.reset(tasks=numbers, starts=starts * P)
    curves = [simulator.metrics[:, :2].copy()]
    for _ in range(budgets.pop()):
        mask = seen.mask > 0
        actions = np.empty(P * T, np.int64)
        for p, ranker in enumerate(rankers):
            own = slice(p * T, (p + 1) * T)
            values = ranker(seen.candidates[own], seen.context[own], mask[own])
            actions[own] = np.where(mask[own], values, -np.inf).argmax(axis=1)
        seen, steps = simulator.step(actions)
        curves.append(steps.metrics[:, :2].copy())
    return _areas(np.stack(curves)).reshape(P, T, 2)


def _areas(curves: Floats) -> Floats:
    """Return the areas of curves of shape (n, E, 2), shape (E, 2)."""
    n = np.arange(len(curves))
    return np.array([[aubc(n, column) for column in one.T] for one in curves.transpose(1, 0, 2)])


def mean_interval(
    differences: Floats, *, seed: int = 0, draws: int = 4_000
) -> tuple[float, float, float]:
    """Return the mean of paired differences and its 95 % bootstrap interval over tasks."""
    rng = np.random.default_rng(seed)
    n = len(differences)
    means = np.array([differences[rng.integers(n, size=n)].mean() for _ in range(draws)])
    low, high = np.quantile(means, [0.025, 0.975])
    return float(differences.mean()), float(low), float(high)
