"""Further charts as SVG text: heat maps, the diagram of ranks, and gain against cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from lal.arrays import Floats
from lal.evaluation.report.svg import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Scale, figure, y_name

STEPS = 4
"""Shades on each side of zero; the number is in the cell, so colour is never the only sign."""

CELL = 30


@dataclass(frozen=True)
class Cell:
    """A cell of a heat map: a value, or none; `marked` ones are grey and not counted."""

    value: float | None
    marked: bool = False


def heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[Cell]],
    *,
    title: str,
    largest: float | None = None,
    digits: int = 1,
) -> str:
    """Return a table of shaded cells.

    Args:
        rows: Their names.
        columns: Their names.
        cells: One sequence a row.
        title: For screen readers.
        largest: Value of the deepest shade; the largest found when None.
        digits: Digits after the point.
    """
    values = [abs(c.value) for row in cells for c in row if c.value is not None and not c.marked]
    deepest = largest or max(values, default=1.0) or 1.0
    left, top = 150, 14 + 6 * min(max(map(len, columns), default=0), 22)
    step = max(44.0, min(90.0, (WIDTH - left - RIGHT - 60) / max(len(columns), 1)))
    width = max(WIDTH, left + step * len(columns) + RIGHT + 60)
    parts = [_column(name, left + step * (j + 0.5), top) for j, name in enumerate(columns)]
    for i, (name, row) in enumerate(zip(rows, cells, strict=True)):
        y = top + CELL * i
        parts.append(f'<text class="name" x="{left - 8}" y="{y + 19}">{escape(name)}</text>')
        for j, cell in enumerate(row):
            label = f"{name}, {columns[j]}"
            parts.append(_cell(cell, left + step * j, y, step, label, deepest, digits))
    return figure("".join(parts), title, top + CELL * len(rows) + 8, width)


def _column(name: str, x: float, top: float) -> str:
    turned = f'transform="rotate(-40 {x:.0f} {top - 6:.0f})"'
    short = name if len(name) <= 24 else name[:23] + "…"
    return f'<text class="start" x="{x:.0f}" y="{top - 6:.0f}" {turned}>{escape(short)}</text>'


def _cell(
    cell: Cell, x: float, y: float, width: float, label: str, deepest: float, digits: int
) -> str:
    shade = "h-none" if cell.value is None else _shade(cell.value, deepest)
    kind = "h-seen" if cell.marked else shade
    text = "" if cell.value is None else f"{cell.value:+.{digits}f}"
    said = text or "not compared"
    if cell.marked:
        said += ", seen in training"
    return (
        f'<rect class="cell {kind}" x="{x:.1f}" y="{y}" width="{width - 2:.1f}" '
        f'height="{CELL - 2}"><title>{escape(label)}: {said}</title></rect>'
        f'<text class="value {kind}t" x="{x + width / 2 - 1:.1f}" y="{y + 18}">{text}</text>'
    )


def _shade(value: float, deepest: float) -> str:
    level = int(np.clip(np.round(STEPS * value / deepest), -STEPS, STEPS))
    return f"h{'m' if level < 0 else 'p'}{abs(level)}"


def rank_diagram(
    names: Sequence[str], ranks: Floats, cliques: Sequence[tuple[int, int]], *, title: str
) -> str:
    """Return mean ranks on a line, 1 at the left, and bars over those that tests cannot tell apart.

    Args:
        names: Strategies, best first.
        ranks: Their mean ranks, ascending, shape (S,).
        cliques: First and last position of every group without a significant pair.
        title: For screen readers.
    """
    n = len(names)
    half = (n + 1) // 2
    axis = 34.0
    height = axis + 26 + 10 * len(cliques) + 20 * half + 10
    x = Scale(1.0, max(float(n), 2.0), 150, WIDTH - 150)
    parts = [f'<line class="zero" x1="{x.first}" x2="{x.last}" y1="{axis}" y2="{axis}"/>']
    parts += [
        f'<line class="zero" x1="{x(k):.1f}" x2="{x(k):.1f}" y1="{axis - 5}" y2="{axis}"/>'
        f'<text class="tick" x="{x(k):.1f}" y="{axis - 9}">{k:g}</text>'
        for k in sorted({1.0, float(n), *Scale(1, n, 0, 1).ticks(6)})
    ]
    base = axis + 16 + 10 * len(cliques)
    for i, (name, rank) in enumerate(zip(names, ranks, strict=True)):
        left = i < half
        y = base + 20 * (i if left else n - 1 - i) + 8
        end, kind = (x.first - 8, "name") if left else (x.last + 8, "start")
        at = x(float(rank))
        label = escape(name if len(name) <= 22 else name[:21] + "…")
        parts.append(
            f'<polyline class="lead" points="{at:.1f},{axis} {at:.1f},{y:.1f} {end:.1f},{y:.1f}"/>'
            f'<text class="{kind}" x="{end + (-4 if left else 4):.1f}" y="{y + 4:.1f}">{label}'
            f"<title>{escape(name)}: mean rank {rank:.2f}</title></text>"
        )
    for level, (first, last) in enumerate(cliques):
        y = axis + 10 + 10 * level
        begin, end = x(float(ranks[first])) - 4, x(float(ranks[last])) + 4
        parts.append(
            f'<line class="clique" x1="{begin:.1f}" x2="{end:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
    return figure("".join(parts), title, height)


@dataclass(frozen=True)
class Point:
    """A strategy in the chart of gain against cost."""

    name: str
    milliseconds: float
    gain: float
    style: int


def cost_chart(points: Sequence[Point], *, title: str, y_label: str) -> str:
    """Return gain against query time; the time axis is logarithmic."""
    height = 340
    times = np.array([max(p.milliseconds, 1e-3) for p in points])
    low, high = np.floor(np.log10(times.min())), np.ceil(np.log10(times.max()) + 1e-9)
    x = Scale(float(low), float(max(high, low + 1)), LEFT, WIDTH - RIGHT - 60)
    gains = [p.gain for p in points] + [0.0]
    room = 0.08 * (max(gains) - min(gains) or 1.0)
    y = Scale(min(gains) - room, max(gains) + room, height - BOTTOM, TOP)
    parts = [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(t):.1f}" y2="{y(t):.1f}"/>'
        f'<text class="tick end" x="{LEFT - 6}" y="{y(t) + 4:.1f}">{t:.4g}</text>'
        for t in y.ticks()
    ]
    parts += [
        f'<line class="grid" x1="{x(t):.1f}" x2="{x(t):.1f}" y1="{TOP}" y2="{height - BOTTOM}"/>'
        f'<text class="tick" x="{x(t):.1f}" y="{height - BOTTOM + 16}">{10**t:g}</text>'
        for t in np.arange(x.low, x.high + 1)
    ]
    parts.append(y_name(y_label, height))
    middle = (x.first + x.last) / 2
    parts.append(
        f'<text class="axis" x="{middle:.0f}" y="{height - 4}">milliseconds a query (log)</text>'
    )
    for p, time in zip(points, times, strict=True):
        at, up = x(float(np.log10(time))), y(p.gain)
        name = escape(p.name)
        parts.append(
            f'<circle class="mark c{p.style}" cx="{at:.1f}" cy="{up:.1f}" r="5"><title>{name}: '
            f"{time:.2f} ms, {p.gain:+.2f} points</title></circle>"
            f'<text class="start small" x="{at + 8:.1f}" y="{up + 4:.1f}">{name}</text>'
        )
    return figure("".join(parts), title, height)
