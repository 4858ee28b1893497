"""Leaderboard of a store, as markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lal.evaluation.analysis.statistics import ROPE
from lal.evaluation.analysis.summary import (
    Row,
    comparison_cells,
    speed_cell,
    summarise,
    tail_cell,
    worst_cell,
)
from lal.evaluation.analysis.tables import Table, read_table, run_rows
from lal.evaluation.runs.methods import FULL_LABEL
from lal.evaluation.runs.run import DONE
from lal.evaluation.runs.store import RunStore
from lal.serialization import write_bytes


def write_leaderboard(store: RunStore, path: Path, *, command: str, n_samples: int) -> None:
    """Write the leaderboard of a store as markdown."""
    text = leaderboard(store, command=command, n_samples=n_samples)
    write_bytes(path, text.encode())


def leaderboard(store: RunStore, *, command: str, n_samples: int = 10_000) -> str:
    """Return all strategies, best against margin first, with what did not finish."""
    found = complete_repetitions(store)
    table = found.table
    rows = summarise(table, seen=found.seen, n_samples=n_samples)
    done = _done_counts(table)
    head = ("strategy", "area", "minus margin [95 %]", "W/T/L", "minus random [95 %]", "W/T/L",
            "below random", "ms a query: mean / p95", "finished runs",
            "10 %", "worst set")  # fmt: skip
    body = [_leaderboard_row(r, done) for r in rows if r.role != "oracle"]
    seen = [f"- `{r.strategy}`: {', '.join(r.seen_sets)}" for r in rows if r.seen_sets]
    parts = [
        "# Leaderboard",
        *found.caution,
        provenance(found, command),
        "Differences are in AUBC points (hundredths of the mean area under the budget "
        "curve), paired over data set, learner, split and start; intervals are over new data sets "
        "(families, sets, splits and starts resampled). "
        "The 10 % quantile and the worst set are of the difference to margin over data sets. "
        f"A data set counts as won or lost beyond ±{100 * ROPE:.1f} points. Sorted by the "
        "difference to margin. Runs that timed out are not a result and enter no average: a "
        "strategy that finished fewer runs was compared on fewer.",
        markdown(head, body),
    ]
    if seen:
        parts += ["Seen in training, therefore not averaged:", "\n".join(seen)]
    return "\n\n".join(parts) + "\n"


@dataclass(frozen=True, eq=False)
class Evidence:
    """Runs that may be compared, and where they come from.

    Attributes:
        table: Tidy table.
        manifest: What the evaluation was: command, protocol, commit, families seen.
        caution: What a reader must know first; empty for a finished evaluation.
    """

    table: Table
    manifest: Mapping[str, Any]
    caution: tuple[str, ...] = ()

    @property
    def seen(self) -> Mapping[str, Sequence[str]]:
        """Families seen in training, by strategy."""
        found: Mapping[str, Sequence[str]] = self.manifest.get("seen", {})
        return found

    @property
    def batch(self) -> str:
        """Labels acquired between refits, as text."""
        return str(self.manifest.get("protocol", {}).get("batch_size", "?"))


def complete_repetitions(store: RunStore) -> Evidence:
    """Return the runs of a store that may be compared, with a warning where some are missing.

    Of an evaluation that is not finished only those repetitions count that every method has
    finished on every data set and learner; all runs where there is no such repetition yet.
    """
    table, manifest = read_table(store), store.manifest()
    planned, there = len(store.listed()), table["run_key"].nunique()
    rules = manifest.get("protocol", {})
    n_runs = int(rules.get("n_splits", 1)) * int(rules.get("n_starts", 1))
    if there >= planned:
        return Evidence(table, manifest)
    played = table.groupby(["split", "start"])["run_key"].nunique()
    whole = played[played * n_runs >= planned].index
    if len(whole) == 0:
        text = (
            f"**Preliminary.** Only {there} of {planned} planned runs were there and no repetition "
            "was complete; most of what follows is noise, and the order will change. The command "
            "below goes on where it stopped."
        )
        return Evidence(table, manifest, (text,))
    kept = table.set_index(["split", "start"]).index.isin(whole)
    text = (
        f"**{len(whole)} of {n_runs} repetitions.** {there} of {planned} planned runs were there. "
        "Only those that every method has finished on every data set and learner are shown. The "
        "command below goes on where it stopped."
    )
    return Evidence(table[kept].reset_index(drop=True), manifest, (text,))


def provenance(found: Evidence, command: str = "") -> str:
    """Return what stands behind a page made from these runs, with the commands."""
    manifest = found.manifest
    rows = run_rows(found.table)
    rows = rows[rows["strategy"] != FULL_LABEL]
    done = int((rows["status"] == DONE).sum())
    commit = str((manifest.get("git") or {}).get("commit", "unknown"))
    protocol = manifest.get("protocol", {})
    names = manifest.get("policies", {}).items()
    renamed = "".join(f" `{label}` is {name}." for label, name in names if label != name)
    start = str(protocol.get("start", "two_classes")).replace("_", " ")
    learners = ", ".join(sorted(rows["learner"].unique()))
    return (
        f"{rows['strategy'].nunique()} strategies, {rows['dataset'].nunique()} data sets of "
        f"{rows['family'].nunique()} families, learners {learners}; "
        f"paired runs of each: {len(rows.drop_duplicates(['split', 'start']))}; {done} runs "
        f"finished and {len(rows) - done} failed or timed out. "
        f"Metric: {protocol.get('metric', '?').replace('_', ' ')}; "
        f"{protocol.get('budget', '?')} labels after the start ({start}), "
        f"{protocol.get('batch_size', '?')} at a time; commit {commit[:12]}.{renamed}\n\n"
        f"    {manifest.get('command', 'unknown')}" + (f"\n    {command}" if command else "")
    )


def _done_counts(table: Table) -> dict[str, str]:
    rows = run_rows(table)
    by = rows.groupby("strategy")["status"]
    return {s: f"{int((status == DONE).sum())} of {len(status)}" for s, status in by}


def _leaderboard_row(row: Row, done: Mapping[str, str]) -> list[str]:
    area = "-" if np.isnan(row.area) else f"{100 * row.area:.2f}"
    harm = "-" if np.isnan(row.harm_rate) else f"{100 * row.harm_rate:.0f} %"
    margin = comparison_cells(row.against.get("margin"))
    random = comparison_cells(row.against.get("random"))
    cells = [area, *margin, *random, harm, speed_cell(row), done.get(row.strategy, "0")]
    return [f"`{row.strategy}`", *cells, tail_cell(row), worst_cell(row)]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a markdown table."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)
