"""Mean ranks over data sets and the groups that Wilcoxon tests with Holm's rule leave together."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from lal.arrays import Floats
from lal.evaluation.analysis.statistics import holm
from lal.evaluation.analysis.tables import PAIRED_BY, Table, run_rows

ALPHA = 0.05
"""Two-sided level of the pairwise tests after Holm's rule."""

SAME = 0.99
"""Share of equal runs from which on two strategies count as one."""


@dataclass(frozen=True, eq=False)
class Ranks:
    """Mean ranks, best first.

    Attributes:
        names: Strategies, shape (S,).
        ranks: Mean rank over data sets, ascending, ties sharing the mean rank, (S,).
        cliques: First and last position of every largest group without a significant pair; groups
            of one are left out.
        p_values: Adjusted p-value of every pair.
        n_sets: Data sets.
    """

    names: tuple[str, ...]
    ranks: Floats
    cliques: tuple[tuple[int, int], ...]
    p_values: dict[tuple[str, str], float]
    n_sets: int


def rank_strategies(areas: Floats, names: Sequence[str], *, alpha: float = ALPHA) -> Ranks:
    """Return mean ranks with the groups of the critical-difference diagram.

    Pairs are tested by the two-sided signed-rank test over data sets (Pratt zeros), all pairs
    together under Holm's rule; mean-rank tests depend on who else is listed (Benavoli et al. 2016).

    Args:
        areas: One row per data set, one column per strategy, no gaps, shape (D, S).
        names: Names of the columns.
        alpha: Level after adjustment.
    """
    from scipy.stats import rankdata

    areas = np.asarray(areas, dtype=np.float64)
    mean = rankdata(-areas, axis=1).mean(axis=0)
    order = np.argsort(mean, kind="stable")
    sorted_names = tuple(names[i] for i in order)
    raw = {
        (sorted_names[i], sorted_names[j]): _two_sided(areas[:, order[i]] - areas[:, order[j]])
        for i, j in combinations(range(len(order)), 2)
    }
    keys = {f"{i}": pair for i, pair in enumerate(raw)}
    adjusted = holm({k: raw[pair] for k, pair in keys.items()})
    p_values = {keys[k]: p for k, p in adjusted.items()}
    cliques = _cliques(sorted_names, p_values, alpha)
    return Ranks(sorted_names, mean[order], cliques, p_values, len(areas))


def _two_sided(gains: Floats) -> float:
    from scipy.stats import wilcoxon

    if not gains.any():
        return 1.0
    return float(wilcoxon(gains, zero_method="pratt").pvalue)


def _cliques(
    names: Sequence[str], p_values: dict[tuple[str, str], float], alpha: float
) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for first in range(len(names)):
        last = first
        while last + 1 < len(names) and all(
            p_values[names[i], names[last + 1]] > alpha for i in range(first, last + 1)
        ):
            last += 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return tuple(found)


def duplicates(table: Table, column: str = "area") -> dict[str, str]:
    """Return strategies that repeat another one listed before them, by name.

    Two count as one when at least `SAME` of their common runs have the same area to the last digit:
    at batch size 1 and two classes margin, entropy and least confident are one rule, and a second
    entry would only move everybody's mean rank.
    """
    rows = run_rows(table)
    wide = rows.pivot_table(index=PAIRED_BY, columns="strategy", values=column, aggfunc="first")
    names, areas = list(wide.columns), wide.to_numpy(dtype=np.float64)
    found: dict[str, str] = {}
    for i, name in enumerate(names):
        for j, other in enumerate(names[:i]):
            both = np.isfinite(areas[:, i]) & np.isfinite(areas[:, j])
            same = areas[both, i] == areas[both, j]
            if other not in found and len(same) and same.mean() >= SAME:
                found[name] = other
                break
    return found


def complete_block(means: Table, strategies: Sequence[str]) -> tuple[Table, list[str]]:
    """Return the means of strategies that finished every data set, and who did not.

    Args:
        means: Mean areas, data sets by strategies, of `tables.set_areas`.
        strategies: Strategies to keep.
    """
    present = [s for s in strategies if s in means]
    whole = [s for s in present if means[s].notna().all()]
    return means[whole], [s for s in strategies if s not in whole]
