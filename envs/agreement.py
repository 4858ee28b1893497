"""The two backends of `lal/Pool-v0` side by side: one task, one start, the same rows acquired."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.observations import Observation
from envs.pool_env import PoolEnv
from envs.pool_vector_env import PoolVectorEnv
from lal.arrays import Floats
from lal.features.base import FEATURES
from lal.rng import generator
from lal.task import Task

RANKED = ("_rank@", "_z@")
"""Parts of the ids of features that are relative to the pool: a value that differs in the seventh
digit may change places with a neighbour, or be divided by a spread of nearly nothing."""


@dataclass(frozen=True)
class Agreement:
    """How far the backends were apart over one episode.

    Attributes:
        steps: Steps of the episode.
        probabilities: Largest difference of a probability of a pool row.
        features: Largest difference of a feature, over candidates and context.
        ranked: The same for features relative to the pool (see `RANKED`).
        reward: Largest difference of a reward.
        metrics: Largest difference of accuracy, balanced accuracy and log-likelihood.
        same_masks: Whether the same rows were offered at every step.
        same_end: Whether the episode ended at the same step in the same way.
    """

    steps: int
    probabilities: float
    features: float
    ranked: float
    reward: float
    metrics: float
    same_masks: bool
    same_end: bool


class _Gaps:
    """Largest differences so far."""

    def __init__(self, ids: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
        self.ranked = [_is_ranked(names) for names in ids]
        self.largest = dict.fromkeys(
            ("probabilities", "features", "ranked", "reward", "metrics"), 0.0
        )
        self.same_masks = True

    def note(self, name: str, gap: Any) -> None:
        self.largest[name] = max(self.largest[name], float(np.max(gap, initial=0.0)))

    def observe(self, one: Observation, other: Observation) -> None:
        """Compare two observations with all rows in the order of the pool."""
        self.same_masks &= np.array_equal(one["mask"], other["mask"])
        for key, ranked in zip(("candidates", "context"), self.ranked, strict=True):
            gap = np.abs(one[key].astype(np.float64) - other[key])
            self.note("features", gap[..., ~ranked])
            self.note("ranked", gap[..., ranked])


def compare_backends(task: Task, *, seed: int, **options: Any) -> Agreement:
    """Run one episode of a task in both backends; all rows are offered, random ones acquired.

    Args:
        task: A task with a kernel.
        seed: Names the episode of the reference and the rows.
        **options: Arguments of both environments.
    """
    options = {**options, "slate_size": len(task.pool)}
    env, vector = PoolEnv(task, **options), PoolVectorEnv(1, tasks=task, **options)
    gaps = _Gaps((env.candidate_features, env.context_features))
    seen, info = env.reset(seed=seed)
    start = env.state.labelled.tolist()
    others, infos = vector.reset(seed=seed, options={"starts": [start]})
    rng, steps = generator(seed, "rows"), 0
    while True:
        gaps.observe(_by_row(seen, info["pool_indices"]), _by_row(_first(others), _at(infos)))
        gaps.note("probabilities", _probability_gap(env, vector))
        row = rng.choice(info["pool_indices"][info["pool_indices"] >= 0])
        mine, theirs = (
            int(np.flatnonzero(r == row)[0]) for r in (info["pool_indices"], _at(infos))
        )
        seen, reward, terminated, truncated, info = env.step(mine)
        others, rewards, ended, cut, infos = vector.step(np.array([theirs]))
        steps += 1
        gaps.note("reward", abs(reward - rewards[0]))
        over = bool(ended[0] or cut[0])
        gaps.note("metrics", np.abs(_metrics(info) - _metrics(_last(infos, over))))
        if terminated or truncated or over:
            same_end = (terminated, truncated) == (bool(ended[0]), bool(cut[0]))
            if same_end:
                last = _by_row(infos["final_obs"][0], _at(infos["final_info"]))
                gaps.observe(_by_row(seen, info["pool_indices"]), last)
            return Agreement(steps, **gaps.largest, same_masks=gaps.same_masks, same_end=same_end)


def _probability_gap(env: PoolEnv, vector: PoolVectorEnv) -> Floats:
    """Return the differences of the probabilities of the pool; none before there is a model."""
    state = env.state
    if state.proba is None:
        return np.zeros(0)
    proba = vector.simulator.proba(0)[: state.N]
    if state.proba.shape[1] < proba.shape[1]:  # columns of the classes seen alone
        proba = proba[:, np.unique(env.task.pool.y[state.labelled])]
    gap: Floats = np.abs(proba - state.proba)
    return gap


def _is_ranked(names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return which values belong to features that are relative to the pool."""
    marks = [
        any(part in name for part in RANKED) for name in names for _ in range(FEATURES[name].dim)
    ]
    return np.array(marks, dtype=np.bool_)


def _by_row(seen: Observation, rows: NDArray[np.int64]) -> Observation:
    """Return an observation with the offered rows in the order of the pool, closed slots last."""
    order = np.argsort(np.where(rows >= 0, rows, len(rows) + 1), kind="stable")
    return {
        "candidates": seen["candidates"][order],
        "context": seen["context"],
        "mask": seen["mask"][order],
    }


def _first(seen: Observation) -> Observation:
    return {key: values[0] for key, values in seen.items()}


def _at(infos: dict[str, Any]) -> NDArray[np.int64]:
    rows: NDArray[np.int64] = infos["pool_indices"][0]
    return rows


def _last(infos: dict[str, Any], over: bool) -> dict[str, Any]:
    entries = infos["final_info"] if over else infos
    return {name: values[0] for name, values in entries.items() if not name.startswith("_")}


def _metrics(info: dict[str, Any]) -> Floats:
    return np.array([info[m] for m in ("accuracy", "balanced_accuracy", "log_likelihood")])
