"""Charts as inline SVG text: lines, dots with intervals, bars; colours come from `page/chart.css`.

Further kinds are in `lal.evaluation.report.maps`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from lal.arrays import Floats

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 640, 52, 14, 12, 34
ROW = 22
N_STYLES = 8
"""Colours (with dashes) of the style sheet; further strategies share them."""


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
class Scale:
    """Maps values to pixels."""

    low: float
    high: float
    first: float
    last: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        span = self.high - self.low or 1.0
        return self.first + (value - self.low) / span * (self.last - self.first)

    def ticks(self, n: int = 5) -> list[float]:
        """Return about `n` round values inside."""
        span = self.high - self.low or 1.0
        step = 10.0 ** np.floor(np.log10(span / n))
        step *= next((m for m in (1, 2, 5, 10) if span / (m * step) <= n), 10)
        first = np.ceil(self.low / step - 1e-9)
        return [
            float(k * step) + 0.0 for k in np.arange(first, np.floor(self.high / step + 1e-9) + 1)
        ]


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    y_label: str,
    x_label: str = "labels bought",
    rope: float | None = None,
    height: int = 300,
) -> str:
    """Return curves with bands as an SVG element; `rope` adds a zero line and its region."""
    x = Scale(*_range([line.x for line in lines], 0.0), LEFT, WIDTH - RIGHT)
    values = [v for line in lines for v in (line.low, line.high)]
    if rope is not None:
        values.append(np.array([-2 * rope, 2 * rope]))
    y = Scale(*_range(values, 0.04), height - BOTTOM, TOP)
    parts = [] if rope is None else [_flat_rope(y, rope)]
    parts.append(_axes(x, y, height, x_label, y_label))
    for line in lines:
        forth = _points(x, y, line.x, line.high)
        back = _points(x, y, line.x[::-1], line.low[::-1])
        parts.append(f'<polygon class="band c{line.style}" points="{forth} {back}"/>')
    for line in lines:
        points = _points(x, y, line.x, line.y)
        name = escape(line.name)
        parts.append(
            f'<polyline class="line c{line.style}" points="{points}"><title>{name}</title>'
            "</polyline>"
        )
    return figure("".join(parts), title, height)


def _flat_rope(y: Scale, rope: float) -> str:
    return (
        f'<rect class="rope" x="{LEFT}" y="{y(rope):.1f}" width="{WIDTH - RIGHT - LEFT}" '
        f'height="{y(-rope) - y(rope):.1f}"/>'
        f'<line class="zero" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>'
    )


def dot_chart(
    dots: Sequence[Dot],
    *,
    title: str,
    x_label: str,
    rope: float | None = None,
    reference: float | None = 0.0,
) -> str:
    """Return values with intervals, one a row.

    Args:
        dots: Rows from top to bottom.
        title: For screen readers.
        x_label: Under the axis.
        rope: Half-width of the region of equivalence around `reference`, drawn as a band.
        reference: Where the upright line is; None for none.
    """
    height = TOP + BOTTOM + ROW * len(dots)
    left = 150
    reach = [np.array([d.low, d.high]) for d in dots]
    if reference is not None:
        reach.append(reference + 2 * (rope or 0.0) * np.array([-1.0, 1.0]))
    x = Scale(*_range(reach, 0.03), left, WIDTH - RIGHT)
    bottom = height - BOTTOM
    parts = []
    if rope is not None and reference is not None:
        begin, end = x(reference - rope), x(reference + rope)
        parts.append(
            f'<rect class="rope" x="{begin:.1f}" y="{TOP}" width="{end - begin:.1f}" '
            f'height="{bottom - TOP}"/>'
        )
    if reference is not None:
        at = f"{x(reference):.1f}"
        parts.append(f'<line class="zero" x1="{at}" x2="{at}" y1="{TOP}" y2="{bottom}"/>')
    parts.append(x_axis(x, height, x_label))
    parts += [_dot(dot, x, TOP + ROW * row + 11, left) for row, dot in enumerate(dots)]
    return figure("".join(parts), title, height)


def _dot(dot: Dot, x: Scale, at: int, left: int) -> str:
    kind = "seen" if dot.marked else f"c{dot.style}"
    name, centre = escape(dot.name), x(dot.value)
    mark = f'<circle class="mark {kind}" cx="{centre:.1f}" cy="{at}" r="4">'
    close = "</circle>"
    if dot.censored:
        corners = f"{centre:.1f},{at - 6} {centre + 10:.1f},{at} {centre:.1f},{at + 6}"
        mark, close = f'<polygon class="mark {kind}" points="{corners}">', "</polygon>"
    bound = "at least " if dot.censored else ""
    return (
        f'<text class="name" x="{left - 8}" y="{at + 4}">{name}</text>'
        f'<line class="whisker {kind}" x1="{x(dot.low):.1f}" x2="{x(dot.high):.1f}" y1="{at}" '
        f'y2="{at}"/>{mark}<title>{name}: {bound}{dot.value:+.2f} '
        f"[{dot.low:+.2f}, {dot.high:+.2f}]</title>{close}"
    )


def _range(values: Sequence[Floats], room: float) -> tuple[float, float]:
    whole = np.concatenate([np.asarray(v, dtype=np.float64).ravel() for v in values])
    low, high = float(np.nanmin(whole)), float(np.nanmax(whole))
    pad = room * (high - low or 1.0)
    return low - pad, high + pad


def _points(x: Scale, y: Scale, xs: Floats, ys: Floats) -> str:
    return " ".join(f"{x(float(a)):.1f},{y(float(b)):.1f}" for a, b in zip(xs, ys, strict=True))


def _axes(x: Scale, y: Scale, height: int, x_label: str, y_label: str) -> str:
    rows = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(t):.1f}" y2="{y(t):.1f}"/>'
        f'<text class="tick end" x="{LEFT - 6}" y="{y(t) + 4:.1f}">{t:.4g}</text>'
        for t in y.ticks()
    )
    return rows + x_axis(x, height, x_label) + y_name(y_label, height)


def y_name(label: str, height: int) -> str:
    """Return the upright name of the y axis."""
    middle = (TOP + height - BOTTOM) / 2
    turned = f'transform="rotate(-90 12 {middle:.0f})"'
    return f'<text class="axis" x="12" y="{middle:.0f}" {turned}>{escape(label)}</text>'


def x_axis(x: Scale, height: int, label: str) -> str:
    """Return ticks and name of the x axis."""
    base = height - BOTTOM
    ticks = "".join(
        f'<line class="grid" x1="{x(t):.1f}" x2="{x(t):.1f}" y1="{base}" y2="{base + 4}"/>'
        f'<text class="tick" x="{x(t):.1f}" y="{base + 16}">{t:.4g}</text>'
        for t in x.ticks(7)
    )
    middle = (x.first + x.last) / 2
    return ticks + f'<text class="axis" x="{middle:.0f}" y="{height - 4}">{escape(label)}</text>'


def figure(body: str, title: str, height: float, width: float = WIDTH) -> str:
    """Return the SVG element around a body."""
    name = escape(title)
    return (
        f'<svg role="img" aria-label="{name}" viewBox="0 0 {width:g} {height:g}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{name}</title>{body}</svg>'
    )
