"""Kinds of charts as matplotlib figures: curves, dots with intervals, and gain against cost.

Further kinds are in `lal.evaluation.report.draw_tables`. Figures are made without pyplot,
so nothing is kept or shown. What a mark says when pointed at is its ``gid``; see
`figures.inline_svg`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np

from lal.arrays import Floats
from lal.evaluation.report.theme import DASHES, LIGHT
from lal.registry import require

WIDTH = 5.6
"""Inches; 100 dots each in a PNG picture."""

ROW = 0.24
"""Inches per row of a dot chart."""

TIP = "tip:"
"""How the ``gid`` of a mark begins that carries a text."""


@dataclass(frozen=True, eq=False)
class Line:
    """A curve with a band; `low` and `high` are its interval, all of shape (T,)."""

    name: str
    style: int
    x: Floats
    y: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Dot:
    """A row of a dot chart: a value with its interval.

    Attributes:
        name: Text at the left.
        value, low, high: The value and its interval.
        marked: Drawn grey: shown, not counted.
        censored: The value is a bound: drawn as an arrow, not as a dot.
        style: Colour.
    """

    name: str
    value: float
    low: float
    high: float
    marked: bool = False
    censored: bool = False
    style: int = 0


@dataclass(frozen=True)
class Point:
    """A strategy in the chart of gain against cost."""

    name: str
    milliseconds: float
    gain: float
    style: int


def tip(text: str) -> str:
    """Return the ``gid`` of a mark that says a text when pointed at."""
    return TIP + quote(text, safe="")


def new_axes(height: float, width: float = WIDTH) -> tuple[Any, Any]:
    """Return a figure and its axes in the page's style; needs matplotlib (extra ``report``)."""
    figure = require("matplotlib.figure", "report").Figure(
        figsize=(width, height), layout="constrained", facecolor="none"
    )
    axes = figure.add_subplot(facecolor="none")
    axes.spines[:].set_visible(False)
    axes.tick_params(colors=LIGHT["soft"], length=0, labelsize=8)
    axes.xaxis.label.set(color=LIGHT["ink"], size=9)
    axes.yaxis.label.set(color=LIGHT["ink"], size=9)
    axes.set_axisbelow(True)
    return figure, axes


def line_chart(
    lines: Sequence[Line],
    *,
    y_label: str,
    x_label: str = "labels acquired",
    rope: float | None = None,
) -> Any:
    """Return curves with bands; `rope` adds a zero line and its region."""
    figure, axes = new_axes(3.1)
    axes.grid(axis="y", color=LIGHT["rule"], linewidth=0.7)
    if rope is not None:
        axes.axhspan(-rope, rope, color=LIGHT["rope"], alpha=0.22, linewidth=0)
        axes.axhline(0, color=LIGHT["ink"], linewidth=0.8)
    for line in lines:
        colour = LIGHT[f"c{line.style}"]
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.13, linewidth=0)
        (drawn,) = axes.plot(
            line.x, line.y, color=colour, linestyle=DASHES[line.style], linewidth=1.6
        )
        drawn.set_gid(tip(line.name))
    axes.margins(x=0)
    axes.set(xlabel=x_label, ylabel=y_label)
    return figure


def dot_chart(
    dots: Sequence[Dot],
    *,
    x_label: str,
    rope: float | None = None,
    reference: float | None = 0.0,
) -> Any:
    """Return values with intervals, one per row.

    Args:
        dots: Rows from top to bottom.
        x_label: Under the axis.
        rope: Half-width of the region of equivalence around `reference`, drawn as a band.
        reference: Where the upright line is; None for none.
    """
    figure, axes = new_axes(0.6 + ROW * len(dots))
    if reference is not None:
        if rope is not None:
            low, high = reference - rope, reference + rope
            axes.axvspan(low, high, color=LIGHT["rope"], alpha=0.22, linewidth=0)
        axes.axvline(reference, color=LIGHT["ink"], linewidth=0.8)
    for row, dot in enumerate(dots):
        _draw_dot(axes, dot, row)
    axes.set_yticks(range(len(dots)), [d.name for d in dots], color=LIGHT["ink"])
    axes.set(ylim=(len(dots) - 0.4, -0.6), xlabel=x_label)
    axes.grid(axis="x", color=LIGHT["rule"], linewidth=0.5)
    return figure


def _draw_dot(axes: Any, dot: Dot, row: int) -> None:
    colour = LIGHT["soft" if dot.marked else f"c{dot.style}"]
    axes.hlines(row, dot.low, dot.high, color=colour, linewidth=1.6)
    (mark,) = axes.plot(
        [dot.value], [row], marker=">" if dot.censored else "o", markersize=6, color=colour
    )
    bound = "at least " if dot.censored else ""
    seen = ", seen in training" if dot.marked else ""
    said = f"{bound}{dot.value:+.2f} [{dot.low:+.2f}, {dot.high:+.2f}]{seen}"
    mark.set_gid(tip(f"{dot.name}: {said}"))


def cost_chart(points: Sequence[Point], *, y_label: str) -> Any:
    """Return gain against query time; the time axis is logarithmic."""
    figure, axes = new_axes(3.5)
    axes.grid(color=LIGHT["rule"], linewidth=0.7)
    axes.set_xscale("log")
    for p in points:
        time = max(p.milliseconds, 1e-3)
        (mark,) = axes.plot([time], [p.gain], "o", markersize=6, color=LIGHT[f"c{p.style}"])
        mark.set_gid(tip(f"{p.name}: {time:.2f} ms, {p.gain:+.2f} points"))
        axes.annotate(
            p.name, (time, p.gain), (6, 0), textcoords="offset points", va="center", fontsize=8,
            color=LIGHT["ink"],
        )  # fmt: skip
    times = np.array([max(p.milliseconds, 1e-3) for p in points])
    axes.minorticks_off()
    axes.set_xlim(0.5 * times.min(), 5 * times.max())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set(xlabel="milliseconds per query (log)", ylabel=y_label)
    return figure
