"""Is the arg-max over the whole pool as good as over the slates that the policy was trained on?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.training.tasks import aubc
from lal.arrays import Floats
from lal.state import QueryState, Strategy
from lal.task import Task
from lal.tasks.slates import SLATES


class OnSlates:
    """A strategy that may only choose from a slate drawn anew at every query.

    Args:
        strategy: Ranks the rows.
        slate_size: Rows offered, K.
        slate_rule: Name of `lal.tasks.slates.SLATES`.
    """

    def __init__(self, strategy: Strategy, slate_size: int, slate_rule: str) -> None:
        self.strategy, self.slate_size, self.rule = strategy, slate_size, SLATES[slate_rule]

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the strategy's utilities; rows off the slate come after all others."""
        slate = self.rule(state, min(self.slate_size, len(state.open)), rng)
        values = self.strategy.utilities(state, rng)
        limited = np.full(len(values), values.min() - 1.0)
        limited[slate] = values[slate]
        return limited


def compare_with_slate(
    policy: Strategy, tasks: Sequence[Task], slate_size: int, slate_rule: str, *, seed: int
) -> dict[str, Any]:
    """Return the mean AUBC on dev tasks over whole pools and over slates, paired.

    An arg-max over many more rows than in training may pick what the network never learned to
    tell apart. ``passed`` is False when whole pools are worse by more than two standard errors.
    """
    whole = aubc(policy, tasks, seed=seed)
    slates = aubc(OnSlates(policy, slate_size, slate_rule), tasks, seed=seed)
    difference = whole - slates
    error = float(difference.std(ddof=1) / np.sqrt(len(tasks))) if len(tasks) > 1 else 0.0
    return {
        "whole_pool": float(whole.mean()),
        "slate": float(slates.mean()),
        "difference": float(difference.mean()),
        "standard_error": error,
        "passed": bool(difference.mean() >= -2.0 * error),
    }
