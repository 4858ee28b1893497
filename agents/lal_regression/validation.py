"""Pick advantage: what the candidate chosen gains more than its task's candidates on average.

R2 measures how well a model tells early tasks from late ones; the choice within a task matters.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from agents.lal_regression.rows import GainRows
from lal.arrays import Floats


@dataclass(frozen=True)
class Advantage:
    """Mean over tasks with the half-width of its 95 % interval."""

    mean: float
    half_width: float

    @classmethod
    def from_values(cls, values: Floats) -> Self:
        """Return the mean of one value per task; tasks are independent draws."""
        half = (
            1.96 * float(values.std(ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else np.inf
        )
        return cls(float(values.mean()), float(half))

    def __str__(self) -> str:
        """Return both in points of accuracy."""
        return f"{100 * self.mean:+.3f} +- {100 * self.half_width:.3f} points"


def advantages(predictions: Floats, rows: GainRows) -> Floats:
    """Return the pick advantage of every task, shape (tasks,).

    Equal predictions share the pick, since ties break at random.
    """
    task = np.unique(rows.task, return_inverse=True)[1]
    best = np.full(task.max() + 1, -np.inf)
    np.maximum.at(best, task, predictions)
    picked = predictions == best[task]
    chosen = np.bincount(task, rows.gains * picked) / np.bincount(task, picked)
    found: Floats = chosen - np.bincount(task, rows.gains) / np.bincount(task)
    return found


def uncertainty(rows: GainRows) -> Floats:
    """Return the utilities of uncertainty sampling from the features."""
    utilities: Floats = -np.abs(rows.features[:, 0] - 0.5)
    return utilities


def oracle(rows: GainRows) -> Floats:
    """Return the gains themselves: the most that any choice can earn."""
    return rows.gains
