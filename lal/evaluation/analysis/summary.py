"""Summary: one row per strategy, seen data sets left out, and the table as plain text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lal.evaluation.analysis.control_tests import Comparison, compare
from lal.evaluation.analysis.metrics import harm_rate, tail_quantile
from lal.evaluation.analysis.tables import (
    PAIRED_BY,
    Table,
    drop_seen,
    failures,
    get_roles,
    list_strategies,
    paired,
    run_rows,
    set_areas,
)
from lal.evaluation.runs.methods import FULL_LABEL, Role
from lal.evaluation.runs.run import DONE

BASELINES = ("margin", "random")
"""What every strategy is compared with, where listed."""

Seen = Mapping[str, Iterable[str]]
"""Families seen in training, by method."""


@dataclass(frozen=True)
class Row:
    """A method over the data sets it has not seen.

    Attributes:
        strategy: Label.
        role: What it is for.
        area: Mean over data sets of the headline area; nan without finished cells.
        n_sets: Data sets averaged.
        seen_sets: Data sets left out because their family was seen in training.
        against: Comparisons by baseline; a baseline without common runs is absent.
        harm_rate: Share of data sets below random; nan without random.
        worst: Data set of the lowest difference to margin (or random), and that difference.
        tail: 10 % quantile over data sets of that difference; nan without a baseline.
        query_ms: Milliseconds of a query: median over cells of their mean, and of the time that
            95 % of a cell's queries stayed under (nan where cells did not keep it).
        failed: Failures and time-outs.
    """

    strategy: str
    role: Role
    area: float
    n_sets: int
    seen_sets: tuple[str, ...]
    against: Mapping[str, Comparison]
    harm_rate: float
    worst: tuple[str, float] | None
    tail: float
    query_ms: tuple[float, float]
    failed: int


def summarise(
    table: Table, *, seen: Seen | None = None, column: str = "area", n_samples: int = 10_000
) -> list[Row]:
    """Return one row per strategy, best against margin first.

    Args:
        table: A tidy table.
        seen: Families that a strategy seen in training: marked, never averaged in.
        column: Area to compare.
        n_samples: Bootstrap samples of each interval.
    """
    rows = run_rows(table)
    families = {name: set(kin) for name, kin in (seen or {}).items()}
    found = [
        _row(rows, s, families.get(s, set()), column, n_samples) for s in list_strategies(rows)
    ]
    return sorted(found, key=_order)


def _order(row: Row) -> tuple[float, float]:
    for baseline in BASELINES:
        if baseline in row.against:
            return -row.against[baseline].interval.mean, -row.area
    return (0.0, -row.area)


def _row(rows: Table, strategy: str, seen: set[str], column: str, n_samples: int) -> Row:
    fair = drop_seen(rows, seen)
    mine = fair[(fair["strategy"] == strategy) & (fair["status"] == DONE)]
    left_out = rows[rows["family"].isin(list(seen))]["dataset"].unique()
    means = set_areas(mine, column)[strategy] if len(mine) else np.array([np.nan])
    against = {
        b: compare(fair, strategy, b, control=b, column=column, n_samples=n_samples)
        for b in BASELINES
        if b != strategy and common_runs(fair, strategy, b)
    }
    bad = failures(rows)
    return Row(
        strategy=strategy,
        role=get_roles(rows)[strategy],
        area=float(np.mean(means)),
        n_sets=int(mine["dataset"].nunique()),
        seen_sets=tuple(sorted(left_out)),
        against=against,
        harm_rate=_harm(fair, strategy, column) if "random" in against else float("nan"),
        **_downside(fair, strategy, list(against), column),
        query_ms=_query_ms(mine),
        failed=int((bad["strategy"] == strategy).sum()),
    )


def _query_ms(cells: Table) -> tuple[float, float]:
    if len(cells) == 0:
        return float("nan"), float("nan")
    taken = cells[cells["query_p95"] > 0] if "query_p95" in cells else cells.iloc[:0]
    tail = float(taken["query_p95"].median()) if len(taken) else float("nan")
    return 1000 * float(cells["query_seconds"].median()), 1000 * tail


def common_runs(rows: Table, first: str, second: str) -> bool:
    """Return whether two strategies finished a run in common."""
    if first == second:
        return bool(((rows["status"] == DONE) & (rows["strategy"] == first)).any())
    done = rows[(rows["status"] == DONE) & rows["strategy"].isin([first, second])]
    return bool(done.drop_duplicates(["strategy", *PAIRED_BY]).duplicated(PAIRED_BY).any())


def _harm(rows: Table, strategy: str, column: str) -> float:
    return harm_rate(paired(rows, strategy, "random", column).set_means())


def _downside(rows: Table, strategy: str, baselines: Sequence[str], column: str) -> dict[str, Any]:
    if not baselines:
        return {"worst": None, "tail": float("nan")}
    sample = paired(rows, strategy, baselines[0], column)
    means = sample.set_means()
    at = int(np.argmin(means))
    return {"worst": (sample.names[at], float(means[at])), "tail": tail_quantile(means)}


def format_summary(rows: Sequence[Row]) -> str:
    """Return the rows as a plain text table; differences are in points (hundredths)."""
    head = ["strategy", "area", "sets", "vs margin", "W/T/L", "vs random", "W/T/L", "10 %", "worst",
            "ms", "failed"]  # fmt: skip
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    text.insert(1, "-" * len(text[0]))
    notes = [
        f"{row.strategy}: {', '.join(row.seen_sets)} seen in training, left out"
        for row in rows
        if row.seen_sets
    ]
    return "\n".join([*text, *notes])


def _cells(row: Row) -> list[str]:
    versus = []
    for baseline in BASELINES:
        versus += comparison_cells(row.against.get(baseline))
    area = "-" if np.isnan(row.area) else f"{100 * row.area:.2f}"
    return [
        row.strategy, area, str(row.n_sets), *versus, tail_cell(row), worst_cell(row),
        speed_cell(row, 1), str(row.failed),
    ]  # fmt: skip


def tail_cell(row: Row) -> str:
    """Return the 10 % quantile over data sets, in points; - without a baseline."""
    return "-" if np.isnan(row.tail) else f"{100 * row.tail:+.2f}"


def worst_cell(row: Row) -> str:
    """Return the data set of the lowest difference with that difference; - without a baseline."""
    return "-" if row.worst is None else f"{row.worst[0]} {100 * row.worst[1]:+.2f}"


def speed_cell(row: Row, digits: int = 2) -> str:
    """Return mean and 95 % quantile of the query time in milliseconds; - where not known."""
    return " / ".join("-" if np.isnan(ms) else f"{ms:.{digits}f}" for ms in row.query_ms)


def comparison_cells(found: Comparison | None) -> list[str]:
    """Return difference with interval, and wins/ties/losses, as texts."""
    if found is None:
        return ["-", "-"]
    i = found.interval
    difference = f"{100 * i.mean:+.2f} [{100 * i.low:+.2f}, {100 * i.high:+.2f}]"
    return [difference, f"{found.wins}/{found.ties}/{found.losses}"]


def full_label_area(table: Table, column: str = "area") -> float:
    """Return the mean level of the learner on the whole labelled pool; nan where not measured."""
    rows = run_rows(table)
    rows = rows[(rows["strategy"] == FULL_LABEL) & (rows["status"] == DONE)]
    return float(set_areas(rows, column)[FULL_LABEL].mean()) if len(rows) else float("nan")
