"""The ladder from random to what the labels would allow."""

from dataclasses import dataclass

import numpy as np

from lal.evaluation.analysis.tables import Table, set_areas
from lal.evaluation.runs.methods import FULL_LABEL

BEST = "best of all, afterwards"
"""The best strategy of every data set, chosen with hindsight: no strategy reaches it by design."""


@dataclass(frozen=True)
class Rung:
    """A level of the ladder.

    Attributes:
        name: What stands there.
        area: Mean area over the data sets.
        note: What it may look at that a strategy may not; empty for strategies.
    """

    name: str
    area: float
    note: str = ""


NOTES = {
    "other": "picks with true labels of one half of the test rows, scored on the other half: the "
    "honest ceiling; no strategy may read those labels",
    "seen": "picks with true test labels and is scored on the same: not reachable",
}


def oracle_kind(strategy: str) -> str:
    """Return ``"other"`` or ``"seen"`` for the curves of a greedy oracle, else nothing."""
    if not strategy.startswith(("@", "oracle")):
        return ""
    return next((kind for kind in NOTES if kind in strategy), "")


def ladder(table: Table, focus: str, column: str = "area") -> list[Rung]:
    """Return the rungs from the lowest: random, margin, the focus, hindsight, oracles, all labels.

    Only data sets on which every rung has finished cells are averaged, so rungs compare. Oracles
    are measured on halves of the test rows, all others on the whole.
    """
    means = set_areas(table, column)
    oracles = [s for s in means if oracle_kind(s)]
    players = [s for s in means if s != FULL_LABEL and s not in oracles]
    asked = ["random", "margin", focus, *oracles, FULL_LABEL]
    wanted = list(dict.fromkeys(s for s in asked if s in means))
    kept = means[means[wanted].notna().all(axis=1)]
    if len(kept) == 0:
        return []
    rungs = [Rung(_name(s), float(kept[s].mean()), _note(s)) for s in wanted]
    best = np.nanmax(kept[players].to_numpy(dtype=np.float64), axis=1)
    rungs.append(Rung(BEST, float(best.mean()), "chosen with hindsight, so biased upwards"))
    return sorted(rungs, key=lambda r: r.area)


def _name(strategy: str) -> str:
    return "every label of the pool" if strategy == FULL_LABEL else strategy


def _note(strategy: str) -> str:
    if strategy == FULL_LABEL:
        return "the learner fitted to the whole labelled pool"
    return NOTES.get(oracle_kind(strategy), "")
