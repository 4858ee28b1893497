"""Overviews of a store for readers who want to choose: a leaderboard, and advice by situation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lal.evaluation.bootstrap import bootstrap_interval
from lal.evaluation.cells import DONE
from lal.evaluation.entrants import FULL_LABEL
from lal.evaluation.ladder import oracle_kind
from lal.evaluation.statistics import ROPE
from lal.evaluation.store import RunStore
from lal.evaluation.summary import Row, comparison_cells, speed_cell, summarise
from lal.evaluation.tables import RUN, Table, cell_rows, paired, strategies_of
from lal.records import write_atomic
from lal.rng import generator

SMALL_POOL = 300
"""Pools below count as small in the advice."""

SHOWN = 5
"""Strategies listed for each situation."""

ENOUGH = 0.9
"""Share of a situation's cells that a strategy must have finished to be recommended in it."""


def write_leaderboard(store: RunStore, path: Path, *, command: str, n_samples: int) -> None:
    """Write the leaderboard of a store as markdown."""
    _write(path, leaderboard(store, command=command, n_samples=n_samples))


def write_which(store: RunStore, path: Path, *, command: str, n_samples: int) -> None:
    """Write the advice from a store as markdown."""
    _write(path, which_strategy(store, command=command, n_samples=n_samples))


def _write(path: Path, text: str) -> None:
    write_atomic(path, lambda part: _write_text(part, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def leaderboard(store: RunStore, *, command: str, n_samples: int = 10_000) -> str:
    """Return all strategies, best against margin first, with what did not finish."""
    table, manifest = store.to_table(), store.manifest()
    rows = summarise(table, seen=manifest.get("seen", {}), n_samples=n_samples)
    done = _done_counts(table)
    head = ("strategy", "area", "minus margin [95 %]", "W/T/L", "minus random [95 %]", "W/T/L",
            "below random", "ms a query: mean / p95", "finished cells")  # fmt: skip
    body = [_leaderboard_row(r, done) for r in rows if not oracle_kind(r.strategy)]
    seen = [f"- `{r.strategy}`: {', '.join(r.seen_sets)}" for r in rows if r.seen_sets]
    parts = [
        "# Leaderboard",
        *_caution(store, table),
        _provenance(store, table, command),
        "Differences are in points of the mean area, paired over data set, learner, split and "
        "start; intervals are over new data sets (families, sets, splits and starts resampled). "
        f"A data set counts as won or lost beyond ±{100 * ROPE:.1f} points. Sorted by the "
        "difference to margin. Cells that timed out are no result and enter no average: a "
        "strategy that finished fewer cells was compared on fewer.",
        _markdown(head, body),
    ]
    if seen:
        parts += ["Seen in training, therefore not averaged:", "\n".join(seen)]
    return "\n\n".join(parts) + "\n"


def _caution(store: RunStore, table: Table) -> list[str]:
    planned, there = len(store.listed()), table["cell"].nunique()
    if there >= ENOUGH * planned:
        return []
    return [
        f"**Preliminary.** Only {there} of {planned} planned cells were there; with so few runs "
        "most of what follows is noise, and the order will change. The command below goes on "
        "where it stopped."
    ]


def _provenance(store: RunStore, table: Table, command: str) -> str:
    manifest = store.manifest()
    planned, there = len(store.listed()), table["cell"].nunique()
    rows = cell_rows(table)
    rows = rows[rows["strategy"] != FULL_LABEL]
    done = int((rows["status"] == DONE).sum())
    protocol = manifest.get("protocol", {})
    git = manifest.get("git") or {}
    return (
        f"{rows['strategy'].nunique()} strategies, {rows['dataset'].nunique()} data sets, "
        f"{rows['learner'].nunique()} learners ({', '.join(sorted(rows['learner'].unique()))}); "
        f"{there} of the {planned} cells of the evaluation below were there when this was written; "
        f"of those of strategies {done} finished and {len(rows) - done} failed or timed out. "
        f"Metric: "
        f"{rows['metric'].iloc[0].replace('_', ' ')}; {protocol.get('budget', '?')} labels after "
        f"the start, {protocol.get('batch_size', '?')} at a time; commit "
        f"{str(git.get('commit', 'unknown'))[:12]}.\n\n"
        f"    {manifest.get('command', 'unknown')}\n    {command}"
    )


def _done_counts(table: Table) -> dict[str, str]:
    rows = cell_rows(table)
    by = rows.groupby("strategy")["status"]
    return {s: f"{int((status == DONE).sum())} of {len(status)}" for s, status in by}


def _leaderboard_row(row: Row, done: Mapping[str, str]) -> list[str]:
    area = "-" if np.isnan(row.area) else f"{100 * row.area:.2f}"
    harm = "-" if np.isnan(row.harm_rate) else f"{100 * row.harm_rate:.0f} %"
    margin = comparison_cells(row.against.get("margin"))
    random = comparison_cells(row.against.get("random"))
    cells = [area, *margin, *random, harm, speed_cell(row)]
    return [f"`{row.strategy}`", *cells, done.get(row.strategy, "0")]


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Situation:
    """A kind of task that readers recognise.

    Attributes:
        kind: Heading it stands under.
        name: What it is.
        table: Its cells.
        column: Area that counts in it.
    """

    kind: str
    name: str
    table: Table
    column: str = "area"


@dataclass(frozen=True)
class Choice:
    """A strategy in a situation: mean gain over random with its interval, in points."""

    strategy: str
    gain: float
    low: float
    high: float
    over_margin: float
    n_sets: int

    @property
    def sure(self) -> bool:
        """Whether the interval lies above 0."""
        return self.low > 0


def situations(table: Table) -> Iterator[Situation]:
    """Yield the situations that a table has cells of: all, size, classes, learner, budget."""
    yield Situation("Everything", "all cells", table)
    pools = table.groupby("dataset")["n_pool"].max()
    small = set(pools[pools < SMALL_POOL].index)
    for name, mask in (
        (f"small pools (under {SMALL_POOL} rows)", table["dataset"].isin(small)),
        (f"larger pools ({SMALL_POOL} rows or more)", ~table["dataset"].isin(small)),
    ):
        yield Situation("By data size", name, table[mask])
    for name, mask in (("two classes", table["n_classes"] == 2), ("more", table["n_classes"] > 2)):
        yield Situation("By number of classes", name, table[mask])
    for learner in sorted(table["learner"].unique()):
        yield Situation("By learner", learner.replace("_", " "), table[table["learner"] == learner])
    if table["area_25"].notna().any():
        yield Situation("By budget", "the first 25 labels", table, "area_25")
    yield Situation("By budget", "the whole budget", table)


def choices(
    situation: Situation, seen: Mapping[str, Sequence[str]], *, n_samples: int
) -> list[Choice]:
    """Return the strategies of a situation, largest gain over random first.

    Strategies that finished less than `ENOUGH` of the situation's cells are left out, and so are
    data sets whose family a policy has met.
    """
    rows = cell_rows(situation.table)
    names = [s for s in strategies_of(rows) if s != "random" and not oracle_kind(s)]
    found = []
    for name in names:
        fair = rows[~rows["family"].isin(list(seen.get(name, ())))]
        if not _finished_enough(fair, name):
            continue
        sample = paired(fair, name, "random", situation.column)
        rng = generator(0, "advice", situation.name, name)
        gain = bootstrap_interval(sample, rng, n_samples=n_samples)
        margin = 0.0
        if name != "margin" and "margin" in names:
            margin = float(paired(fair, name, "margin", situation.column).set_means().mean())
        found.append(
            Choice(
                strategy=name,
                gain=100 * gain.mean,
                low=100 * gain.low,
                high=100 * gain.high,
                over_margin=100 * margin,
                n_sets=len(sample.set_means()),
            )
        )
    return sorted(found, key=lambda c: -c.gain)


def _finished_enough(rows: Table, strategy: str) -> bool:
    there = rows[rows["strategy"] == "random"]
    mine = rows[(rows["strategy"] == strategy) & (rows["status"] == DONE)]
    random = there[there["status"] == DONE]
    if len(random) == 0:
        return False
    common = random[RUN].merge(mine[RUN], on=RUN)
    return len(common) >= ENOUGH * len(random)


def which_strategy(store: RunStore, *, command: str, n_samples: int = 10_000) -> str:
    """Return advice by data size, classes, learner and budget, from the cells of a store."""
    table, manifest = store.to_table(), store.manifest()
    everything, table = table, table[table["strategy"] != FULL_LABEL]
    seen = manifest.get("seen", {})
    parts = ["# Which strategy should I use?", *_caution(store, everything)]
    kind = ""
    details: list[str] = []
    for situation in situations(table):
        if len(situation.table) == 0:
            continue
        if situation.kind != kind:
            kind = situation.kind
            details.append(f"## {kind}")
        details.append(_advice(situation, choices(situation, seen, n_samples=n_samples)))
    parts.append(_summary(choices(Situation("", "summary", table), seen, n_samples=n_samples)))
    parts.append(
        "Each table lists the strategies that gained most over random sampling in the cells of "
        "that kind, with the interval over new data sets; “minus margin” is their mean paired "
        f"difference to margin sampling. Only strategies that finished {100 * ENOUGH:.0f} % of the "
        "cells are listed. Few data sets stand behind each row: intervals that reach "
        "below zero decide nothing, and the best of many is flattered by luck."
    )
    batch = manifest.get("protocol", {}).get("batch_size", "?")
    parts += [*details, "## By batch"]
    parts.append(
        f"Every figure here is for {batch} label(s) between refits. For larger batches evaluate "
        "with `--regime batch`; rank-based rules then pick near-duplicates, so check before use."
    )
    parts += ["## Where this comes from", _provenance(store, everything, command)]
    return "\n\n".join(parts) + "\n"


def _summary(found: Sequence[Choice]) -> str:
    if not found:
        return "No strategy finished enough cells to recommend one."
    margin = next((c for c in found if c.strategy == "margin"), None)
    best = found[0]
    if margin is None or best.strategy == "margin":
        return (
            f"**In short: `{best.strategy}`.** It gains {best.gain:+.2f} points "
            f"[{best.low:+.2f}, {best.high:+.2f}] over random on {best.n_sets} data sets."
        )
    return (
        f"**In short:** `margin` gains {margin.gain:+.2f} points [{margin.low:+.2f}, "
        f"{margin.high:+.2f}] over random on {margin.n_sets} data sets; the largest gain in "
        f"these cells is that of `{best.strategy}`, {best.gain:+.2f} [{best.low:+.2f}, "
        f"{best.high:+.2f}], "
        f"which is {best.over_margin:+.2f} against margin."
    )


def _advice(situation: Situation, found: Sequence[Choice]) -> str:
    n_sets = situation.table["dataset"].nunique()
    if not found:
        return f"**{situation.name}**: nothing finished enough cells."
    sure = sum(c.sure for c in found)
    head = ("strategy", "minus random [95 %]", "minus margin", "data sets")
    body = [
        [f"`{c.strategy}`", f"{c.gain:+.2f} [{c.low:+.2f}, {c.high:+.2f}]",
         "-" if c.strategy == "margin" else f"{c.over_margin:+.2f}", str(c.n_sets)]
        for c in found[:SHOWN]
    ]  # fmt: skip
    worse = [f"`{c.strategy}`" for c in found if c.high < 0]
    note = f"\n\nWorse than random: {', '.join(worse)}." if worse else ""
    sets = "1 data set" if n_sets == 1 else f"{n_sets} data sets"
    return (
        f"**{situation.name}** ({sets}; {sure} of {len(found)} strategies have "
        f"intervals above zero)\n\n{_markdown(head, body)}{note}"
    )
