"""Gains after several labels: a candidate's, then random ones, the same for all candidates.

What a single label gains may be paid back or grow once others join it. Measured on the reward part
of copies of the episode; random labels are shared within a state, so that candidates are compared
with each other and not with the luck of what follows.
"""

from dataclasses import replace

import numpy as np

from agents.imitation.config import ImitationConfig
from agents.imitation.states import Gains
from envs.simulator.pool import PoolSimulator
from envs.simulator.pool_rules import METRIC_NAMES
from lal.arrays import Floats, Ints

COLUMNS = [METRIC_NAMES.index(name) for name in ("accuracy", "balanced_accuracy")]
"""The metrics of a gain."""


def multi_step_gains(config: ImitationConfig, steps: int, rng: np.random.Generator) -> Gains:
    """Return what measures gains after `steps` labels in place of one.

    Args:
        config: Bounds the labels of a state.
        steps: Labels acquired after which the gain is measured, the candidate's among them.
        rng: Draws the labels that follow.
    """
    longest = max(config.sizes) + 1

    def gains(simulator: PoolSimulator, episodes: Ints) -> Floats:
        tasks = [replace(t, start=longest, budget=steps) for t in simulator.tasks]
        copies = PoolSimulator(
            tasks, simulator.slate_size, candidate_features=simulator.candidate_features,
            context_features=simulator.context_features, slate_size=1, seed=simulator.seed,
        )  # fmt: skip
        after = [_after(simulator, copies, int(e), steps, rng) for e in episodes]
        before = simulator.metrics[episodes][:, None, COLUMNS]
        found: Floats = np.nan_to_num(np.array(after) - before)
        return found

    return gains


def _after(
    simulator: PoolSimulator,
    copies: PoolSimulator,
    episode: int,
    steps: int,
    rng: np.random.Generator,
) -> Floats:
    """Return the metrics of an episode after each offered row and the random ones, shape (K, 2).

    A random row that is the candidate itself is replaced by one more, so all add equally many.
    """
    offered = simulator.slates[episode]
    rows = np.where(offered >= 0, offered, offered[offered >= 0][0])
    have = simulator.labelled_rows(episode).tolist()
    numbers = np.full(len(rows), simulator.task_numbers[episode])
    copies.reset(tasks=numbers, starts=[[*have, int(row)] for row in rows])
    later = rng.permutation(simulator.open_rows(episode))[:steps]
    metrics = copies.metrics.copy()
    own = np.stack([later[later != row][: steps - 1] for row in rows])
    for further in own.T:
        metrics = copies.relabel(further).copy()
    return metrics[:, COLUMNS]
