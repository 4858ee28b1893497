"""Reference levels: from random to what the labels would allow."""

from dataclasses import dataclass

import numpy as np

from lal.evaluation.analysis.tables import Table, get_roles, set_areas
from lal.evaluation.runs.methods import FULL_LABEL, ORACLE_LABELS

BEST = "best in hindsight"
"""The best strategy of every data set, chosen with hindsight: no strategy reaches it by design."""

NAMES = {FULL_LABEL: "fully labelled pool"}

NOTES = {
    ORACLE_LABELS["other"]: "selects with true labels of one half of the test rows, scored on the "
    "other half: the honest ceiling; no strategy may read those labels",
    ORACLE_LABELS["seen"]: "selects with true test labels and is scored on the same: not reachable",
    FULL_LABEL: "the learner fitted to the whole labelled pool",
    BEST: "chosen with hindsight, so biased upwards",
}


@dataclass(frozen=True)
class ReferenceLevel:
    """A level that a strategy is compared with.

    Attributes:
        name: What reaches it.
        area: Mean area over the data sets.
        note: What it may look at that a strategy may not; empty for strategies.
    """

    name: str
    area: float
    note: str = ""


def reference_levels(table: Table, focus: str, column: str = "area") -> list[ReferenceLevel]:
    """Return random, margin, the focus, hindsight, oracles and all labels, lowest first.

    Only data sets on which each of them has finished runs are averaged, so levels compare. Oracles
    are measured on halves of the test rows, all others on the whole.
    """
    means = set_areas(table, column)
    roles = get_roles(table)
    oracles = [s for s in means if roles[s] == "oracle"]
    strategies = [s for s in means if roles[s] not in ("oracle", "full_labels")]
    asked = ["random", "margin", focus, *oracles, FULL_LABEL]
    wanted = list(dict.fromkeys(s for s in asked if s in means))
    kept = means[means[wanted].notna().all(axis=1)]
    if len(kept) == 0:
        return []
    areas = {s: float(kept[s].mean()) for s in wanted}
    best = np.nanmax(kept[strategies].to_numpy(dtype=np.float64), axis=1)
    areas[BEST] = float(best.mean())
    levels = [ReferenceLevel(NAMES.get(s, s), a, NOTES.get(s, "")) for s, a in areas.items()]
    return sorted(levels, key=lambda level: level.area)
