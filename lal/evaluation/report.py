"""Report: one self-contained HTML page from a run store, the verdict first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lal.evaluation.curves import mean_curves, set_differences
from lal.evaluation.statistics import ROPE, detectable_difference, spread
from lal.evaluation.store import RunStore
from lal.evaluation.summary import (
    BASELINES,
    Row,
    common_runs,
    comparison_cells,
    full_label_area,
    summarise,
)
from lal.evaluation.svg import Dot, Line, dot_chart, line_chart
from lal.evaluation.tables import Table, cell_rows, drop_seen, failures, paired, strategies_of
from lal.evaluation.verdict import REQUIRED, verdict
from lal.records import write_atomic
from lal.registry import require

TEMPLATE = Path(__file__).parent / "page" / "report.html.j2"
N_STYLES = 8
"""Colours of the page; further strategies share them."""

MOST_CURVES = 6
"""Strategies drawn in the learning curves: policies and baselines first."""


@dataclass(frozen=True)
class Page:
    """What the page is made from.

    Attributes:
        table: Tidy table of the cells.
        manifest: What the evaluation was.
        rows: Summary rows.
        focus: The policy (or strategy) that the page is about.
        controls: Its controls, for the verdict; empty without.
    """

    table: Table
    manifest: Mapping[str, Any]
    rows: Sequence[Row]
    focus: str
    controls: Mapping[str, Sequence[str]]


def make_page(
    store: RunStore,
    *,
    policy: str | None = None,
    controls: Mapping[str, Sequence[str]] | None = None,
    n_samples: int = 10_000,
) -> Page:
    """Return what a store has to say.

    Args:
        store: Finished cells.
        policy: Strategy the page is about; the best policy, or the best strategy, when None.
        controls: Names of its untrained and shuffled copies; found by their labels
            (``untrained...``, ``shuffled...``) when None.
        n_samples: Bootstrap samples of each interval.
    """
    table, manifest = store.to_table(), store.manifest()
    rows = summarise(table, seen=manifest.get("seen", {}), n_samples=n_samples)
    found = find_controls(strategies_of(table)) if controls is None else controls
    return Page(table, manifest, rows, policy or _focus(rows, manifest, found), found)


def find_controls(strategies: Sequence[str]) -> dict[str, list[str]]:
    """Return random, untrained... and shuffled... among some labels; empty unless all are there."""
    found = {
        "random": [s for s in strategies if s == "random"],
        "untrained": [s for s in strategies if s.startswith("untrained")],
        "shuffled": [s for s in strategies if s.startswith("shuffled")],
    }
    return found if all(found.values()) else {}


def _focus(
    rows: Sequence[Row], manifest: Mapping[str, Any], controls: Mapping[str, Sequence[str]]
) -> str:
    policies = {e["label"] for e in manifest.get("entrants", []) if e.get("sha256")}
    unlearned = {name for names in controls.values() for name in names}
    learned = [r for r in rows if r.strategy in policies - unlearned]
    others = [r for r in rows if r.strategy not in BASELINES] or list(rows)
    return (learned or others)[0].strategy


def headline(page: Page, *, n_samples: int = 10_000) -> str:
    """Return the sentence that the page opens with."""
    fair = _fair(page)
    row = _row_of(page)
    if page.controls and page.focus not in page.controls["random"] and row.n_sets:
        others = {b: [b] for b in BASELINES if b in row.against}
        return verdict(fair, page.focus, {**page.controls, **others}, n_samples=n_samples).sentence
    said = "; ".join(str(c) for c in row.against.values()) or "nothing to compare with"
    missing = (
        ""
        if page.controls
        else (f" Without {' and '.join(REQUIRED[1:])} copies nobody can say whether it learned.")
    )
    return f"{page.focus}: {said}.{missing}"


def _row_of(page: Page) -> Row:
    return next(r for r in page.rows if r.strategy == page.focus)


def _seen(page: Page, strategy: str) -> list[str]:
    return list(page.manifest.get("seen", {}).get(strategy, []))


def _fair(page: Page) -> Table:
    return drop_seen(page.table, _seen(page, page.focus))


def render(page: Page, *, n_samples: int = 10_000) -> str:
    """Return the page as HTML text; needs jinja2 (extra ``report``)."""
    jinja2 = require("jinja2", "report")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    protocol = page.manifest.get("protocol", {})
    text: str = template.render(
        headline=headline(page, n_samples=n_samples),
        focus=page.focus,
        protocol=protocol,
        protocol_hash=page.manifest.get("protocol_hash", "unknown"),
        command=page.manifest.get("command", "unknown"),
        git=page.manifest.get("git") or {},
        versions=page.manifest.get("versions", {}),
        data=page.manifest.get("data", {}),
        rows=[_row_cells(row) for row in page.rows],
        full=_points(full_label_area(page.table)),
        n_cells=len(cell_rows(page.table)),
        metric=_metric(page),
        differences=difference_charts(page),
        curves=curve_charts(page),
        legend=[(style, name) for name, style in styles(page).items()],
        failures=_failures(page.table),
        power=power_text(page),
        rope=100 * ROPE,
    )
    return text


def _metric(page: Page) -> str:
    return str(page.table["metric"].iloc[0])


def _points(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.2f}"


def _row_cells(row: Row) -> dict[str, Any]:
    versus = {}
    for baseline in BASELINES:
        found = row.against.get(baseline)
        difference, counts = comparison_cells(found)
        these = "-"
        if found is not None:
            these = f"[{100 * found.these_sets.low:+.2f}, {100 * found.these_sets.high:+.2f}]"
        versus[baseline] = {"new": difference, "these": these, "counts": counts}
    worst = "-" if row.worst is None else f"{row.worst[0]} {100 * row.worst[1]:+.2f}"
    return {
        "strategy": row.strategy,
        "area": _points(row.area),
        "n_sets": row.n_sets,
        "margin": versus["margin"],
        "random": versus["random"],
        "harm": "-" if np.isnan(row.harm_rate) else f"{100 * row.harm_rate:.0f} %",
        "worst": worst,
        "ms": "-"
        if np.isnan(row.query_ms[0])
        else f"{row.query_ms[0]:.1f} / {row.query_ms[1]:.1f}",
        "failed": row.failed,
        "seen": ", ".join(row.seen_sets),
    }


def drawn(page: Page) -> list[str]:
    """Return the strategies that are drawn: the focus, the baselines, then the best."""
    names = [r.strategy for r in page.rows]
    first = [page.focus, *(b for b in BASELINES if b in names)]
    return list(dict.fromkeys([*first, *names]))[:MOST_CURVES]


def styles(page: Page) -> dict[str, int]:
    """Return the colour number of every strategy drawn."""
    return {name: i % N_STYLES for i, name in enumerate(drawn(page))}


def curve_charts(page: Page) -> list[dict[str, Any]]:
    """Return one chart of learning curves per data set."""
    metric, colour = _metric(page), styles(page)
    seen = set(_seen(page, page.focus))
    charts = []
    for dataset, rows in page.table.groupby("dataset"):
        found = mean_curves(rows, dataset, drawn(page), metric)
        lines = [Line(c.strategy, colour[c.strategy], c.n, c.mean, c.low, c.high) for c in found]
        if lines:
            title = f"{dataset}: mean {metric} by labels bought"
            chart = line_chart(lines, title=title, y_label=metric)
            charts.append({"name": dataset, "svg": chart, "seen": rows["family"].iloc[0] in seen})
    return charts


def difference_charts(page: Page) -> list[dict[str, str]]:
    """Return the sorted paired differences of the focus to each baseline."""
    kin = dict(zip(page.table["dataset"], page.table["family"], strict=True))
    seen = set(_seen(page, page.focus))
    charts = []
    for baseline in BASELINES:
        if baseline == page.focus or not common_runs(cell_rows(page.table), page.focus, baseline):
            continue
        dots = [
            Dot(d.dataset, 100 * d.mean, 100 * d.low, 100 * d.high, marked=kin[d.dataset] in seen)
            for d in set_differences(page.table, page.focus, baseline)
        ]
        title = f"{page.focus} minus {baseline}, by data set"
        label = "difference of areas, points"
        charts.append(
            {"title": title, "svg": dot_chart(dots, title=title, rope=100 * ROPE, x_label=label)}
        )
    return charts


def _failures(table: Table) -> list[dict[str, str]]:
    bad = failures(table)
    return [
        {
            "what": f"{r.strategy}, {r.dataset}, {r.learner}, split {r.split}, start {r.start}",
            "status": r.status,
            "error": r.error,
        }
        for r in bad.itertuples()
    ]


def power_text(page: Page) -> str:
    """Return what differences this evaluation could have seen."""
    row = _row_of(page)
    baseline = next((b for b in BASELINES if b in row.against), None)
    if baseline is None:
        return "Nothing to compare with, so no difference can be seen."
    sample = paired(_fair(page), page.focus, baseline)
    leaves = sample.over_learners()
    n_sets = len(np.unique(leaves.dataset))
    n_runs = max(len(leaves) // n_sets, 1)
    between, within = spread(sample)
    least = detectable_difference(n_sets, n_runs, between=between, within=within)
    return (
        f"With {n_sets} data sets of {n_runs} paired runs, a spread of {100 * between:.2f} points "
        f"between sets and of {100 * within:.2f} points between runs, mean differences to "
        f"{baseline} under {100 * least:.2f} points cannot be seen (80 % power, one-sided 2.5 %)."
    )


def write_report(page: Page, path: Path, *, n_samples: int = 10_000) -> None:
    """Write the page, atomically."""
    text = render(page, n_samples=n_samples)
    write_atomic(path, lambda part: part.write_text(text, encoding="utf-8"))
