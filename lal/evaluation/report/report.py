"""Report: one self-contained HTML page from a run store, the answer first."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lal.evaluation.analysis.statistics import ROPE
from lal.evaluation.analysis.summary import full_label_area
from lal.evaluation.analysis.tables import run_rows
from lal.evaluation.report.charts import all_charts, curve_charts, dots_of_runs
from lal.evaluation.report.model import (
    Page,
    evidence,
    get_baseline,
    headline,
    make_page,
)
from lal.evaluation.report.player import episodes, script_json
from lal.evaluation.report.sections import (
    failure_rows,
    groups,
    run_index,
    set_cards,
    what_was_seen,
)
from lal.evaluation.report.theme import DARK, LIGHT, css_strokes, css_variables
from lal.evaluation.reproduction.lu2023 import ReproductionRow
from lal.evaluation.reproduction.lu2023_page import check_reproduction, reproduction_table
from lal.evaluation.runs.store import RunStore
from lal.registry import require
from lal.serialization import write_bytes

__all__ = ["Page", "headline", "make_page", "render", "write_report"]

FOLDER = Path(__file__).parent / "templates"


def render(page: Page, store: RunStore, *, reproduction: Sequence[ReproductionRow] = ()) -> str:
    """Return the page as HTML text; needs jinja2 (extra ``report``).

    Args:
        page: What it is made from.
        store: The runs, for the episode player.
        reproduction: Lines of the literature reproduction; its tab says how to make them.
    """
    jinja2 = require("jinja2", "report")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FileSystemLoader(FOLDER),
    )
    text: str = environment.get_template("report.html.j2").render(
        **context(page, store, reproduction)
    )
    return text


def context(page: Page, store: RunStore, reproduction: Sequence[ReproductionRow]) -> dict[str, Any]:
    """Return what the template shows."""
    charts = all_charts(page)
    full = full_label_area(page.table)
    return {
        "headline": headline(page),
        "evidence": evidence(page),
        "focus": page.focus,
        "baseline": get_baseline(page),
        "metric": page.metric,
        "protocol": page.manifest.get("protocol", {}),
        "protocol_hash": page.manifest.get("protocol_hash", "unknown"),
        "command": page.manifest.get("command", "unknown"),
        "store": str(store.folder),
        "git": page.manifest.get("git") or {},
        "versions": page.manifest.get("versions", {}),
        "data": page.manifest.get("data", {}),
        "n_runs": len(run_rows(page.table)),
        "groups": groups(page),
        "full": "-" if full != full else f"{100 * full:.2f}",
        "sections": {s: [c for c in charts if c.section == s] for s in {c.section for c in charts}},
        "curves": curve_charts(page),
        "legend": [(style, name) for name, style in page.styles.items()],
        "cards": set_cards(page),
        "dots": {d: dots_of_runs(page, d) for d in page.curves.n},
        "seen": what_was_seen(page),
        "failures": failure_rows(page),
        "reproduction": reproduction_table(reproduction),
        "reproduction_check": str(check_reproduction(reproduction)),
        "reproduction_passed": check_reproduction(reproduction).passed,
        "rope": 100 * ROPE,
        "light": css_variables(LIGHT),
        "dark": css_variables(DARK),
        "strokes": css_strokes(),
        "episodes": script_json(episodes(page, store)),
        "runs": script_json(run_index(page)),
    }


def write_report(
    page: Page, store: RunStore, path: Path, *, reproduction: Sequence[ReproductionRow] = ()
) -> None:
    """Write the page, atomically."""
    text = render(page, store, reproduction=reproduction)
    write_bytes(path, text.encode())
