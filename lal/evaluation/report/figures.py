"""A chart's figure as text for the page, and as SVG, PNG and PDF files.

The same store gives the same bytes: no dates, ids from the chart's name, text as text.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lal.evaluation.report.draw import TIP
from lal.evaluation.report.theme import LIGHT, with_variables
from lal.registry import require
from lal.serialization import write_atomic

FORMATS = ("svg", "png", "pdf")

METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Fields left out of files, so that they hold nothing of when and by what they were made."""


@dataclass(frozen=True, eq=False)
class Chart:
    """A chart of the page.

    Attributes:
        name: File name without ending.
        section: Tab that it belongs to.
        title: Caption.
        figure: The matplotlib figure.
        note: What to know when reading it.
    """

    name: str
    section: str
    title: str
    figure: Any
    note: str = ""

    @property
    def svg(self) -> str:
        """The chart as an SVG element for the page."""
        return inline_svg(self)


def write_figures(charts: list[Chart], folder: Path) -> list[Path]:
    """Write charts as SVG, PNG and PDF; needs matplotlib (extra ``report``)."""
    written = []
    for chart in charts:
        name = re.sub(r"[^\w.+-]", "_", chart.name)
        for form in FORMATS:
            path = folder / f"{name}.{form}"
            write_atomic(path, lambda part, c=chart, f=form: _save(c, part, f))  # type: ignore[misc]
            written.append(path)
    return written


def _save(chart: Chart, path: Path | io.StringIO, form: str) -> None:
    ground = "none" if isinstance(path, io.StringIO) else LIGHT["bg"]
    for text in chart.figure.findobj(require("matplotlib.text", "report").Text):
        text.set_parse_math(False)  # a name with dollar signs is a name
    with _style(chart.name):
        chart.figure.savefig(path, format=form, dpi=144, facecolor=ground, metadata=METADATA[form])


@contextmanager
def _style(name: str) -> Iterator[None]:
    matplotlib = require("matplotlib", "report")
    rules = {"svg.fonttype": "none", "svg.hashsalt": name, "pdf.fonttype": 42}
    with matplotlib.rc_context(rules):
        yield


def inline_svg(chart: Chart) -> str:
    """Return a chart as an SVG element whose colours are the page's variables.

    Marks say their text when pointed at; only ids that something refers to are kept, made unique
    by the chart's name.
    """
    out = io.StringIO()
    _save(chart, out, "svg")
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.S)
    text = re.sub(rf'<g id="{TIP}([^"]*)">', _title, text)
    text = _with_own_ids(text, re.sub(r"\W", "_", chart.name))
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    title = escape(chart.title)
    head = re.search(r'viewBox="[^"]*"', text)
    opening = f'<svg role="img" aria-label="{title}" {head[0] if head else ""} ' + (
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    body = text[text.index(">") + 1 :]
    return with_variables(f"{opening}<title>{title}</title>{body}".strip())


def _title(match: re.Match[str]) -> str:
    return f"<g><title>{escape(unquote(match[1]))}</title>"


def _with_own_ids(svg: str, prefix: str) -> str:
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))

    def rename(match: re.Match[str]) -> str:
        return f' id="{prefix}-{match[1]}"' if match[1] in used else ""

    svg = re.sub(r' id="([^"]*)"', rename, svg)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", svg)
