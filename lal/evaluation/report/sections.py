"""The tables of the page: strategies in groups, data sets, what was seen, failures, reruns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lal.evaluation.analysis.set_differences import SetDifference, set_differences
from lal.evaluation.analysis.summary import (
    BASELINES,
    Row,
    common_runs,
    comparison_cells,
    speed_cell,
    summarise,
    tail_cell,
    worst_cell,
)
from lal.evaluation.analysis.tables import Table, failures
from lal.evaluation.report.model import Page, get_baseline
from lal.evaluation.runs.methods import read_methods
from lal.evaluation.runs.run import DONE

KEY_DIGITS = 12
MOST_FAILURES = 200
"""Failures listed one by one; all are counted."""

FEWER_SAMPLES = 5
"""Groups are summed up with so many times fewer bootstrap samples than the whole."""


def row_cells(row: Row) -> dict[str, Any]:
    """Return the texts of a summary row."""
    versus = {b: _versus(row, b) for b in BASELINES}
    return {
        "strategy": row.strategy,
        "area": "-" if np.isnan(row.area) else f"{100 * row.area:.2f}",
        "n_sets": row.n_sets,
        **versus,
        "harm": "-" if np.isnan(row.harm_rate) else f"{100 * row.harm_rate:.0f} %",
        "tail": tail_cell(row),
        "worst": worst_cell(row),
        "ms": speed_cell(row),
        "failed": row.failed,
        "seen": ", ".join(row.seen_sets),
        "oracle": row.role == "oracle",
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
    binary = page.runs["n_classes"] == 2
    if binary.all() or not binary.any():
        return found
    n = max(page.n_samples // FEWER_SAMPLES, 100)
    seen = page.manifest.get("seen", {})
    for name, mask in (("two classes", binary), ("more classes", ~binary)):
        part = page.runs[mask]
        rows = summarise(part, seen=seen, n_samples=n)
        sets = part["dataset"].nunique()
        found.append({"name": f"{name} ({sets} data sets)", "rows": [row_cells(r) for r in rows]})
    return found


def set_cards(page: Page) -> dict[str, dict[str, Any]]:
    """Return the facts and the table of every data set."""
    rows, gains = page.runs, _gains(page)
    return {d: _card(page, rows[rows["dataset"] == d], d, gains.get(d, {})) for d in page.datasets}


def _gains(page: Page) -> dict[str, dict[str, SetDifference]]:
    """Return the difference to the baseline of every data set and method."""
    baseline, n = get_baseline(page), max(page.n_samples // FEWER_SAMPLES, 100)
    found: dict[str, dict[str, SetDifference]] = {}
    for name in page.compared if baseline else ():
        if name != baseline and common_runs(page.runs, name, str(baseline)):
            for d in set_differences(page.runs, name, str(baseline), n_samples=n):
                found.setdefault(d.dataset, {})[name] = d
    return found


def _card(
    page: Page, rows: Table, dataset: str, gains: Mapping[str, SetDifference]
) -> dict[str, Any]:
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
        "strategies": [_set_row(rows, name, gains.get(name)) for name in page.compared],
    }


def _set_row(rows: Table, name: str, gain: SetDifference | None) -> dict[str, str]:
    areas = rows[(rows["strategy"] == name) & (rows["status"] == DONE)]["area"].dropna()
    if len(areas) == 0:
        return {"strategy": name, "runs": "0", "area": "did not finish", "minus": "-"}
    low, high = (100 * gain.low, 100 * gain.high) if gain else (0.0, 0.0)
    minus = f"{100 * gain.mean:+.2f} [{low:+.2f}, {high:+.2f}]" if gain else "-"
    return {
        "strategy": name, "runs": str(len(areas)), "area": f"{100 * areas.mean():.2f}",
        "minus": minus,
    }  # fmt: skip


def what_was_seen(page: Page) -> list[dict[str, str]]:
    """Return what every strategy has seen in training."""
    methods = {m.label: m for m in read_methods(page.manifest)}
    seen: Mapping[str, Sequence[str]] = page.manifest.get("seen", {})
    found = []
    for name in page.compared:
        sha256 = methods[name].sha256 if name in methods else ""
        learned = bool(sha256) and methods[name].role != "strategy"
        families = sorted(seen.get(name, []))
        sets = sorted(page.seen(name))
        found.append(
            {
                "strategy": name,
                "kind": "policy file" if learned else "Python file" if sha256 else "rule",
                "sha256": sha256[:16],
                "families": ", ".join(families) or ("none named on its card" if learned else "-"),
                "sets": ", ".join(sets) or "none of these data sets",
            }
        )
    return found


def failure_rows(page: Page) -> dict[str, Any]:
    """Return counts by strategy, data set and learner, and the first failures in full."""
    bad = failures(page.runs)
    counts = []
    if len(bad):
        by = bad.groupby(["strategy", "dataset", "learner", "status"]).size()
        counts = [
            {"strategy": s, "dataset": d, "learner": le, "status": st, "runs": int(n)}
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


def run_index(page: Page) -> dict[str, Any]:
    """Return the keys of all runs, compact: names once, and one row of positions per run."""
    rows = page.runs
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
        keys[".".join(map(str, where))] = str(r.run_key)[:KEY_DIGITS]
    return {**names, "runs": runs, "keys": keys}
