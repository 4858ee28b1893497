"""baal's heuristics as strategies: ``make_strategy("baal:BALD")``."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from lal.arrays import Floats
from lal.integrations.baal import EXTRA
from lal.integrations.named import pick
from lal.registry import require
from lal.state import QueryState
from lal.strategies.committee import committee_proba

OFFERED: dict[str, dict[str, Any]] = {
    "BALD": {"reduction": "none"},
    "Entropy": {"reduction": "none"},
    "Margin": {"reduction": "none"},
    "Certainty": {"reduction": "none"},
    "Variance": {"reduction": "mean"},
}
"""Heuristic to the arguments it needs for one score a row."""

_NOISY = "it draws from numpy's global generator; use a policy with gumbel selection"
REFUSED = {
    "BatchBALD": "it draws from numpy's global generator; use 'skactiveml:BatchBALD'",
    "EPIG": "it compares with predictions on target samples, which a pool does not name",
    "Random": "it draws from numpy's global generator; 'random' does the same",
    "Precomputed": "it ranks scores that somebody else made; our strategies are such scores",
    "CombineHeuristics": "it is made of other heuristics, so it has no name of its own",
    "PowerSampling": _NOISY,
    "GibbsSampling": _NOISY,
    "RankBasedSampling": _NOISY,
}


def from_name(name: str) -> Callable[..., "BaalStrategy"]:
    """Return the constructor of the strategy that wraps baal's heuristic.

    Raises:
        UnknownNameError: baal has no such heuristic, or it is not offered; says why.
        MissingDependencyError: baal is not installed.
    """
    pick("baal", name, OFFERED, REFUSED)
    return partial(BaalStrategy, name)


class BaalStrategy:
    """A heuristic of baal over the members of the task's model as Monte-Carlo iterations.

    Members are the model's own (the trees of a forest) or bagged refits.

    Args:
        name: Class name in ``baal.active.heuristics``.
        n_members: Bagged refits, when the model has no members.
    """

    def __init__(self, name: str, n_members: int = 8) -> None:
        pick("baal", name, OFFERED, REFUSED)
        require("baal", EXTRA)
        self.name, self.n_members = name, n_members

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return baal's score, higher is asked first, shape (N,); zeros without a model."""
        if state.proba is None:
            return np.zeros(state.N)
        members = committee_proba(state, rng, self.n_members)
        # Made anew for every query: baal's heuristics hold lambdas and cannot be pickled.
        make = getattr(require("baal.active.heuristics", EXTRA), self.name)
        heuristic = make(**OFFERED[self.name])
        scores = heuristic.get_uncertainties(np.moveaxis(members, 0, -1))
        values: Floats = np.asarray(scores, dtype=np.float64)
        return values if heuristic.reversed else -values
