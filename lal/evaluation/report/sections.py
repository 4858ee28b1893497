"""The tables of the page: strategies in groups, data sets, what was seen, failures, reruns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lal.evaluation.analysis.reference_levels import oracle_kind
from lal.evaluation.analysis.summary import BASELINES, Row, comparison_cells, speed_cell, summarise
from lal.evaluation.analysis.tables import Table, failures
from lal.evaluation.report.model import Page, baseline_of

KEY_DIGITS = 12
MOST_FAILURES = 200
"""Failures listed one by one; all are counted."""

FEWER_SAMPLES = 5
"""Groups are summed up with so many times fewer bootstrap samples than the whole."""


def row_cells(row: Row) -> dict[str, Any]:
    """Return the texts of a summary row."""
    versus = {b: _versus(row, b) for b in BASELINES}
    worst = "-" if row.worst is None else f"{row.worst[0]} {100 * row.worst[1]:+.2f}"
    return {
        "strategy": row.strategy,
        "area": "-" if np.isnan(row.area) else f"{100 * row.area:.2f}",
        "n_sets": row.n_sets,
        **versus,
        "harm": "-" if np.isnan(row.harm_rate) else f"{100 * row.harm_rate:.0f} %",
        "worst": worst,
        "ms": speed_cell(row),
        "failed": row.failed,
        "seen": ", ".join(row.seen_sets),
        "oracle": oracle_kind(row.strategy),
    }


def _versus(row: Row, baseline: str) -> dict[str, str]:
    found = row.against.get(baseline)
    difference, counts = comparison_cells(found)
    these = "-"
    if found is not None:
        low, high = found.these_sets.low, found.these_sets.high
        these = f"[{100 * low:+.2f}, {100 * high:+.2f}]"
    return {"new": difference, "these": these, "counts": counts}


def groups(page: Page) -> list[dict[str, Any]]:
    """Return the rows of all data sets, and of binary and multi-class ones where both exist."""
    found = [{"name": "all data sets", "rows": [row_cells(r) for r in page.rows]}]
    binary = page.cells["n_classes"] == 2
    if binary.all() or not binary.any():
        return found
    n = max(page.n_samples // FEWER_SAMPLES, 100)
    seen = page.manifest.get("seen", {})
    for name, mask in (("two classes", binary), ("more classes", ~binary)):
        part = page.cells[mask]
        rows = summarise(part, seen=seen, n_samples=n)
        sets = part["dataset"].nunique()
        found.append({"name": f"{name} ({sets} data sets)", "rows": [row_cells(r) for r in rows]})
    return found


def set_cards(page: Page) -> dict[str, dict[str, Any]]:
    """Return the facts and the table of every data set."""
    rows = page.cells
    return {d: _card(page, rows[rows["dataset"] == d], d) for d in page.datasets}


def _card(page: Page, rows: Table, dataset: str) -> dict[str, Any]:
    first = rows.iloc[0]
    pools = rows["n_pool"].dropna() if "n_pool" in rows else []
    return {
        "name": dataset,
        "seen": dataset in page.seen(page.focus),
        "facts": [
            ("source", str(first["source"])),
            ("family", str(first["family"])),
            ("classes", str(int(first["n_classes"]))),
            ("pool", f"{int(max(pools))} rows" if len(pools) else "unknown"),
            ("sha256", str(first["sha256"])[:16]),
        ],
        "strategies": _set_rows(page, rows),
    }


def _set_rows(page: Page, rows: Table) -> list[dict[str, str]]:
    done = rows[rows["status"] == "done"]
    wide = done.pivot_table(
        index=["learner", "split", "start"], columns="strategy", values="area", aggfunc="first"
    )
    baseline = baseline_of(page)
    found = []
    for name in page.players:
        if name not in wide:
            found.append({"strategy": name, "runs": "0", "area": "did not finish", "minus": "-"})
            continue
        area = wide[name].dropna()
        minus = "-"
        if baseline in wide and baseline != name:
            minus = _mean_and_interval((wide[name] - wide[baseline]).dropna().to_numpy())
        found.append(
            {
                "strategy": name,
                "runs": str(len(area)),
                "area": f"{100 * area.mean():.2f}",
                "minus": minus,
            }
        )
    return found


def _mean_and_interval(gains: Any) -> str:
    if len(gains) == 0:
        return "-"
    if len(gains) == 1:
        return f"{100 * gains[0]:+.2f}"
    half = 1.96 * gains.std(ddof=1) / np.sqrt(len(gains))
    return f"{100 * gains.mean():+.2f} ± {100 * half:.2f}"


def what_was_seen(page: Page) -> list[dict[str, str]]:
    """Return what every strategy has met in training."""
    entrants = {e["label"]: e for e in page.manifest.get("entrants", [])}
    seen: Mapping[str, Sequence[str]] = page.manifest.get("seen", {})
    found = []
    for name in page.players:
        learned = bool(entrants.get(name, {}).get("sha256"))
        families = sorted(seen.get(name, []))
        met = sorted(page.seen(name))
        found.append(
            {
                "strategy": name,
                "kind": "policy file" if learned else "rule",
                "sha256": entrants.get(name, {}).get("sha256", "")[:16],
                "families": ", ".join(families) or ("none named on its card" if learned else "-"),
                "sets": ", ".join(met) or "none of these data sets",
            }
        )
    return found


def failure_rows(page: Page) -> dict[str, Any]:
    """Return counts by strategy, data set and learner, and the first failures in full."""
    bad = failures(page.cells)
    counts = []
    if len(bad):
        by = bad.groupby(["strategy", "dataset", "learner", "status"]).size()
        counts = [
            {"strategy": s, "dataset": d, "learner": le, "status": st, "cells": int(n)}
            for (s, d, le, st), n in by.items()
        ]
    listed = [
        {
            "what": f"{r.strategy}, {r.dataset}, {r.learner}, split {r.split}, start {r.start}",
            "status": r.status,
            "error": r.error,
        }
        for r in bad.head(MOST_FAILURES).itertuples()
    ]
    return {"total": len(bad), "counts": counts, "listed": listed}


def cell_index(page: Page) -> dict[str, Any]:
    """Return the keys of all cells, compact: names once, and one row of positions a cell."""
    rows = page.cells
    names = {k: sorted(map(str, rows[k].unique())) for k in ("dataset", "learner", "strategy")}
    runs = sorted({(int(s), int(t)) for s, t in zip(rows["split"], rows["start"], strict=True)})
    at = {k: {v: i for i, v in enumerate(found)} for k, found in names.items()}
    place = {run: i for i, run in enumerate(runs)}
    keys: dict[str, str] = {}
    for r in rows.itertuples():
        where = (
            at["dataset"][str(r.dataset)],
            at["learner"][str(r.learner)],
            at["strategy"][str(r.strategy)],
            place[int(r.split), int(r.start)],
        )
        keys[".".join(map(str, where))] = str(r.cell)[:KEY_DIGITS]
    return {**names, "runs": runs, "keys": keys}
