"""The charts of a report as SVG and PNG files: one source, two formats.

PNG pictures are painted with matplotlib from the same SVG and style sheet, without a display.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lal.evaluation.report.charts import Chart, all_charts, curve_charts
from lal.evaluation.report.model import Page
from lal.registry import require
from lal.serialization import write_atomic

FOLDER = Path(__file__).parent / "templates"
NAMESPACE = "{http://www.w3.org/2000/svg}"
SIZE = 12.0
"""Text size, in the units of the picture."""

Style = dict[str, str]
Rules = Mapping[str, Style]


def charts_of(page: Page) -> list[Chart]:
    """Return every chart, those of single data sets last."""
    return [*all_charts(page), *curve_charts(page).values()]


def write_figures(page: Page, folder: Path) -> list[Path]:
    """Write every chart as SVG and as PNG; needs matplotlib (extra ``report``)."""
    require("matplotlib", "report")
    rules = style_rules()
    written = []
    for chart in charts_of(page):
        name = re.sub(r"[^\w.+-]", "_", chart.name)
        svg, png = folder / f"{name}.svg", folder / f"{name}.png"
        write_atomic(svg, lambda part, c=chart: _write_svg(part, c))  # type: ignore[misc]
        write_atomic(png, lambda part, c=chart: _write_png(part, c, rules))  # type: ignore[misc]
        written += [svg, png]
    return written


def _write_svg(path: Path, chart: Chart) -> None:
    path.write_text(standalone(chart.svg), encoding="utf-8")


def _write_png(path: Path, chart: Chart, rules: Rules) -> None:
    paint(chart.svg, rules).savefig(path, format="png", dpi=144)


def standalone(svg: str) -> str:
    """Return the SVG with the light style sheet inside, so that it can stand alone."""
    sheet = "\n".join((FOLDER / n).read_text(encoding="utf-8") for n in ("theme.css", "chart.css"))
    text = "text { fill: var(--ink); font: 12px sans-serif; text-anchor: middle; }"
    ground = '<rect width="100%" height="100%" fill="#fdfdfc"/>'
    head, _, rest = svg.partition(">")
    return f"{head}><style>{text}\n{sheet}</style>{ground}{rest}\n"


def style_rules() -> dict[str, Style]:
    """Return the declarations of every class of the charts, and of ``:root``."""
    rules: dict[str, Style] = {}
    for name in ("theme.css", "chart.css"):
        text = re.sub(r"/\*.*?\*/", "", (FOLDER / name).read_text(encoding="utf-8"), flags=re.S)
        for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", text):
            pairs = (part.partition(":") for part in body.split(";") if ":" in part)
            style = {key.strip(): value.strip() for key, _, value in pairs}
            rules.setdefault(selector.strip().lstrip("."), {}).update(style)
    return rules


def resolve(classes: Iterable[str], rules: Rules) -> Style:
    """Return the declarations of an element's classes with all variables filled in."""
    style = dict(rules[":root"])
    own: Style = {}
    for name in rules:
        if name in classes:
            own.update(rules[name])
    style.update(own)
    return {key: _fill(value, style) for key, value in own.items()}


def _fill(value: str, style: Style) -> str:
    while found := re.search(r"var\((--[\w-]+)(?:,\s*([^)]*))?\)", value):
        value = value.replace(found[0], style.get(found[1], found[2] or "none"))
    return value


def paint(svg: str, rules: Rules) -> Any:
    """Return a matplotlib figure of an SVG text of `lal.evaluation.report.svg` and `maps`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    root = ElementTree.fromstring(svg)
    _, _, width, height = (float(v) for v in root.attrib["viewBox"].split())
    figure = Figure(figsize=(width / 100, height / 100), facecolor="#fdfdfc")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    for element in root.iter():
        kind = element.tag.removeprefix(NAMESPACE)
        if kind in PAINTERS:
            classes = element.attrib.get("class", "").split()
            PAINTERS[kind](axes, element, resolve(classes, rules), rules[":root"])
    return figure


def _edges(style: Style) -> dict[str, Any]:
    dash = style.get("stroke-dasharray", "none")
    pattern = "-" if dash == "none" else (0, tuple(float(v) for v in dash.split()))
    width = 0.72 * float(style.get("stroke-width", "1"))
    return {"color": style.get("stroke", "none"), "linewidth": width, "linestyle": pattern}


def _faces(style: Style) -> dict[str, Any]:
    return {
        "facecolor": style.get("fill", "black"),
        "alpha": float(style.get("opacity", "1")),
        "linewidth": 0,
    }


def _line(axes: Any, element: Any, style: Style, root: Style) -> None:
    x1, x2, y1, y2 = (float(element.attrib[k]) for k in ("x1", "x2", "y1", "y2"))
    axes.plot([x1, x2], [y1, y2], **_edges(style))


def _corners(element: Any) -> list[list[float]]:
    return [[float(v) for v in pair.split(",")] for pair in element.attrib["points"].split()]


def _polyline(axes: Any, element: Any, style: Style, root: Style) -> None:
    x, y = zip(*_corners(element), strict=True)
    axes.plot(x, y, **_edges(style))


def _polygon(axes: Any, element: Any, style: Style, root: Style) -> None:
    from matplotlib.patches import Polygon

    axes.add_patch(Polygon(_corners(element), **_faces(style)))


def _rect(axes: Any, element: Any, style: Style, root: Style) -> None:
    from matplotlib.patches import Rectangle

    x, y, w, h = (float(element.attrib[k]) for k in ("x", "y", "width", "height"))
    axes.add_patch(Rectangle((x, y), w, h, **_faces(style)))


def _circle(axes: Any, element: Any, style: Style, root: Style) -> None:
    from matplotlib.patches import Circle

    x, y, r = (float(element.attrib[k]) for k in ("cx", "cy", "r"))
    axes.add_patch(Circle((x, y), r, zorder=3, **_faces(style)))


def _text(axes: Any, element: Any, style: Style, root: Style) -> None:
    x, y = float(element.attrib["x"]), float(element.attrib["y"])
    anchor = {"end": "right", "start": "left"}.get(style.get("text-anchor", ""), "center")
    turn = re.match(r"rotate\((-?\d+)", element.attrib.get("transform", ""))
    size = float(style.get("font-size", f"{SIZE}px").removesuffix("px"))
    axes.text(
        x,
        y,
        (element.text or "").replace("$", r"\$"),
        ha=anchor,
        va="baseline",
        rotation=-float(turn[1]) if turn else 0,
        rotation_mode="anchor",
        color=style.get("fill", root["--ink"]),
        fontsize=0.72 * size,
    )


PAINTERS = {
    "line": _line,
    "polyline": _polyline,
    "polygon": _polygon,
    "rect": _rect,
    "circle": _circle,
    "text": _text,
}
