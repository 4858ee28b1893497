"""Costs: how long the missing cells should take, from short probes."""

from collections import defaultdict
from dataclasses import replace

from lal.evaluation.runs.backends import play_limited
from lal.evaluation.runs.cells import DONE, FULL, Cell
from lal.evaluation.runs.runner import Plan


def predict_seconds(
    work: Plan, *, probe_labels: int = 3, cell_seconds: float = 0.0, give_up: int = 0
) -> dict[str, float]:
    """Return the predicted seconds of the missing cells, by strategy, on one process.

    One short episode of every data set, learner and strategy is played (nothing is stored) and
    its time a label is scaled up; fits on few labels are cheap, so the figure is a lower bound.
    A cell costs at most its limit, and hopeless groups are given up as in `run_cells`.
    """
    groups: dict[tuple[str, str, str], list[Cell]] = defaultdict(list)
    for cell in work.missing:
        groups[cell.dataset.name, cell.learner, cell.entrant.label].append(cell)
    total: dict[str, float] = defaultdict(float)
    for cells in groups.values():
        each = _probe(cells[0], probe_labels, cell_seconds)
        stopped = cell_seconds > 0 and each >= cell_seconds
        n = min(give_up, len(cells)) if stopped and give_up else len(cells)
        total[cells[0].entrant.label] += (cell_seconds if stopped else each) * n
    return dict(total)


def _probe(cell: Cell, labels: int, limit: float) -> float:
    """Return the expected seconds of one cell; what fails or is stopped costs what it took."""
    if cell.entrant == FULL:
        return play_limited(cell, limit).seconds
    whole = cell.task().budget
    one = play_limited(_shortened(cell, 1), limit)
    if one.status != DONE:
        return one.seconds
    n = min(labels, whole)
    short = play_limited(_shortened(cell, n), limit)
    if short.status != DONE:
        return short.seconds
    each = max(short.seconds - one.seconds, 0.0) / max(n - 1, 1)
    return one.seconds + each * (whole - 1)


def _shortened(cell: Cell, budget: int) -> Cell:
    return replace(cell, protocol=replace(cell.protocol, budget=budget))
