"""Charts as inline SVG text; colours come from the page's style sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from lal.arrays import Floats

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 640, 52, 14, 12, 34


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
    """A row of a dot chart: a value with its interval."""

    name: str
    value: float
    low: float
    high: float
    marked: bool = False


@dataclass(frozen=True)
class _Scale:
    """Maps values to pixels."""

    low: float
    high: float
    first: float
    last: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return self.first + (value - self.low) / span * (self.last - self.first)

    def ticks(self, n: int = 5) -> list[float]:
        """Return about `n` round values inside."""
        span = self.high - self.low or 1.0
        step = 10.0 ** np.floor(np.log10(span / n))
        step *= next((m for m in (1, 2, 5, 10) if span / (m * step) <= n), 10)
        first = np.ceil(self.low / step - 1e-9)
        return [float(k * step) for k in np.arange(first, np.floor(self.high / step + 1e-9) + 1)]


def line_chart(lines: Sequence[Line], *, title: str, y_label: str, height: int = 300) -> str:
    """Return curves with bands as an SVG element."""
    x = _Scale(*_range([line.x for line in lines], 0.0), LEFT, WIDTH - RIGHT)
    spread = _range([v for line in lines for v in (line.low, line.high)], 0.04)
    y = _Scale(*spread, height - BOTTOM, TOP)
    parts = [_axes(x, y, height, "labels bought", y_label)]
    for line in lines:
        forth = _points(x, y, line.x, line.high)
        back = _points(x, y, line.x[::-1], line.low[::-1])
        parts.append(f'<polygon class="band s{line.style}" points="{forth} {back}"/>')
    for line in lines:
        points = _points(x, y, line.x, line.y)
        name = escape(line.name)
        parts.append(
            f'<polyline class="line s{line.style}" points="{points}"><title>{name}</title>'
            "</polyline>"
        )
    return _figure("".join(parts), title, height)


def dot_chart(dots: Sequence[Dot], *, title: str, rope: float, x_label: str) -> str:
    """Return values with intervals, one a row, and the region of equivalence as a band."""
    height = TOP + BOTTOM + 22 * len(dots)
    left = 150
    reach = [np.array([d.low, d.high, -2 * rope, 2 * rope]) for d in dots]
    x = _Scale(*_range(reach, 0.03), left, WIDTH - RIGHT)
    bottom = height - BOTTOM
    parts = [
        f'<rect class="rope" x="{x(-rope):.1f}" y="{TOP}" width="{x(rope) - x(-rope):.1f}" '
        f'height="{bottom - TOP}"/>',
        f'<line class="zero" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="{TOP}" y2="{bottom}"/>',
        _x_axis(x, height, x_label),
    ]
    for row, dot in enumerate(dots):
        at = TOP + 22 * row + 11
        kind = "dot seen" if dot.marked else "dot"
        parts.append(
            f'<text class="name" x="{left - 8}" y="{at + 4}">{escape(dot.name)}</text>'
            f'<g class="{kind}"><line x1="{x(dot.low):.1f}" x2="{x(dot.high):.1f}" y1="{at}" '
            f'y2="{at}"/><circle cx="{x(dot.value):.1f}" cy="{at}" r="4"><title>'
            f"{escape(dot.name)}: {dot.value:+.2f} [{dot.low:+.2f}, {dot.high:+.2f}]</title>"
            "</circle></g>"
        )
    return _figure("".join(parts), title, height)


def _range(values: Sequence[Floats], room: float) -> tuple[float, float]:
    whole = np.concatenate(values)
    low, high = float(np.min(whole)), float(np.max(whole))
    pad = room * (high - low or 1.0)
    return low - pad, high + pad


def _points(x: _Scale, y: _Scale, xs: Floats, ys: Floats) -> str:
    return " ".join(f"{x(float(a)):.1f},{y(float(b)):.1f}" for a, b in zip(xs, ys, strict=True))


def _axes(x: _Scale, y: _Scale, height: int, x_label: str, y_label: str) -> str:
    rows = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(t):.1f}" y2="{y(t):.1f}"/>'
        f'<text class="tick end" x="{LEFT - 6}" y="{y(t) + 4:.1f}">{t:.4g}</text>'
        for t in y.ticks()
    )
    middle = (TOP + height - BOTTOM) / 2
    turned = f'transform="rotate(-90 12 {middle:.0f})"'
    name = f'<text class="axis" x="12" y="{middle:.0f}" {turned}>{escape(y_label)}</text>'
    return rows + _x_axis(x, height, x_label) + name


def _x_axis(x: _Scale, height: int, label: str) -> str:
    base = height - BOTTOM
    ticks = "".join(
        f'<line class="grid" x1="{x(t):.1f}" x2="{x(t):.1f}" y1="{base}" y2="{base + 4}"/>'
        f'<text class="tick" x="{x(t):.1f}" y="{base + 16}">{t:.4g}</text>'
        for t in x.ticks(7)
    )
    middle = (x.first + x.last) / 2
    return ticks + f'<text class="axis" x="{middle:.0f}" y="{height - 4}">{escape(label)}</text>'


def _figure(body: str, title: str, height: int) -> str:
    name = escape(title)
    return (
        f'<svg role="img" aria-label="{name}" viewBox="0 0 {WIDTH} {height}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{name}</title>{body}</svg>'
    )
