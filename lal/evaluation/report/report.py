"""Report: one self-contained HTML page from a run store, the verdict first."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lal.evaluation.analysis.statistics import ROPE
from lal.evaluation.analysis.summary import full_label_area
from lal.evaluation.analysis.tables import cell_rows
from lal.evaluation.report.charts import all_charts, curve_charts, dots_of_runs
from lal.evaluation.report.model import (
    Page,
    baseline_of,
    evidence,
    find_controls,
    headline,
    make_page,
)
from lal.evaluation.report.player import episodes, script_json
from lal.evaluation.report.sections import (
    cell_index,
    failure_rows,
    groups,
    set_cards,
    what_was_seen,
)
from lal.evaluation.reproduction.lu2023 import BridgeRow
from lal.evaluation.reproduction.lu2023_page import bridge_table, check_bridge
from lal.evaluation.runs.store import RunStore
from lal.registry import require
from lal.serialization import write_atomic

__all__ = ["Page", "find_controls", "headline", "make_page", "render", "write_report"]

FOLDER = Path(__file__).parent / "templates"


def render(page: Page, store: RunStore, *, bridge: Sequence[BridgeRow] = ()) -> str:
    """Return the page as HTML text; needs jinja2 (extra ``report``).

    Args:
        page: What it is made from.
        store: The cells, for the episode player.
        bridge: Lines of the literature bridge; its tab says how to make them when empty.
    """
    jinja2 = require("jinja2", "report")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FileSystemLoader(FOLDER),
    )
    text: str = environment.get_template("report.html.j2").render(**context(page, store, bridge))
    return text


def context(page: Page, store: RunStore, bridge: Sequence[BridgeRow]) -> dict[str, Any]:
    """Return what the template shows."""
    charts = all_charts(page)
    full = full_label_area(page.table)
    return {
        "headline": headline(page),
        "evidence": evidence(page),
        "focus": page.focus,
        "baseline": baseline_of(page),
        "metric": page.metric,
        "protocol": page.manifest.get("protocol", {}),
        "protocol_hash": page.manifest.get("protocol_hash", "unknown"),
        "command": page.manifest.get("command", "unknown"),
        "store": str(store.folder),
        "git": page.manifest.get("git") or {},
        "versions": page.manifest.get("versions", {}),
        "data": page.manifest.get("data", {}),
        "n_cells": len(cell_rows(page.table)),
        "groups": groups(page),
        "full": "-" if full != full else f"{100 * full:.2f}",
        "charts": {c.name: c for c in charts},
        "sections": {s: [c for c in charts if c.section == s] for s in {c.section for c in charts}},
        "curves": curve_charts(page),
        "legend": [(style, name) for name, style in page.styles.items()],
        "cards": set_cards(page),
        "dots": {d: dots_of_runs(page, d) for d in page.curves.n},
        "seen": what_was_seen(page),
        "failures": failure_rows(page),
        "bridge": bridge_table(bridge),
        "bridge_check": str(check_bridge(bridge)),
        "bridge_passed": check_bridge(bridge).passed,
        "rope": 100 * ROPE,
        "episodes": script_json(episodes(page, store)),
        "cells": script_json(cell_index(page)),
    }


def write_report(
    page: Page, store: RunStore, path: Path, *, bridge: Sequence[BridgeRow] = ()
) -> None:
    """Write the page, atomically."""
    text = render(page, store, bridge=bridge)
    write_atomic(path, lambda part: _write_text(part, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
