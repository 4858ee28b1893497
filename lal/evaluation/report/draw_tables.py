"""Heat maps and the diagram of ranks, as matplotlib figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lal.arrays import Floats
from lal.evaluation.report.draw import WIDTH, new_axes, tip
from lal.evaluation.report.theme import LIGHT

STEPS = 4
"""Shades on each side of zero; the number is in the cell, so colour is never the only sign."""

MOST_LETTERS = 24
"""Longer names are cut."""


@dataclass(frozen=True)
class Cell:
    """A cell of a heat map: a value, or none; `marked` ones are grey and not counted."""

    value: float | None
    marked: bool = False


def heat_map(
    rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[Cell]], digits: int = 1
) -> Any:
    """Return a table of shaded cells; the largest value has the deepest shade.

    Args:
        rows: Their names.
        columns: Their names.
        cells: One sequence per row.
        digits: Digits after the point.
    """
    values = [abs(c.value) for row in cells for c in row if c.value is not None and not c.marked]
    deepest = max(values, default=1.0) or 1.0
    width = max(WIDTH, 1.8 + 0.55 * len(columns))
    figure, axes = new_axes(0.9 + 0.3 * len(rows), width)
    for i, row in enumerate(cells):
        for j, cell in enumerate(row):
            _draw_cell(axes, cell, (j, i), f"{rows[i]}, {columns[j]}", deepest, digits)
    axes.set_xticks(range(len(columns)), [cut(c) for c in columns], rotation=35, ha="left")
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(rows)), [cut(r) for r in rows])
    axes.tick_params(colors=LIGHT["ink"])
    axes.set(xlim=(-0.5, max(len(columns), 4) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    return figure


def _draw_cell(
    axes: Any, cell: Cell, at: tuple[int, int], label: str, deepest: float, digits: int
) -> None:
    from matplotlib.patches import Rectangle

    text = "" if cell.value is None else f"{cell.value:+.{digits}f}"
    said = (text or "not compared") + (", seen in training" if cell.marked else "")
    face, ink = "card", "ink"
    if cell.marked:
        face, ink = "rule", "soft"
    elif cell.value is not None:
        face = shade(cell.value, deepest)
        ink = "on4" if face[1] in "34" else "ink"
    box = Rectangle((at[0] - 0.48, at[1] - 0.46), 0.96, 0.92, facecolor=LIGHT[face], linewidth=0)
    box.set_gid(tip(f"{label}: {said}"))
    axes.add_patch(box)
    axes.text(*at, text, color=LIGHT[ink], fontsize=8, ha="center", va="center")


def shade(value: float, deepest: float) -> str:
    """Return the name of a value's colour, from ``m4`` over ``h0`` to ``p4``."""
    level = int(np.clip(np.round(STEPS * value / deepest), -STEPS, STEPS))
    return f"{'h' if level == 0 else 'm' if level < 0 else 'p'}{abs(level)}"


def cut(name: str) -> str:
    """Return a name of at most `MOST_LETTERS` letters."""
    return name if len(name) <= MOST_LETTERS else name[: MOST_LETTERS - 1] + "…"


def rank_diagram(names: Sequence[str], ranks: Floats, cliques: Sequence[tuple[int, int]]) -> Any:
    """Return mean ranks on a line, 1 at the left, and bars over those that tests cannot tell apart.

    Args:
        names: Strategies, best first.
        ranks: Their mean ranks, ascending, shape (S,).
        cliques: First and last position of every group without a significant pair.
    """
    n = len(names)
    half, first_row = (n + 1) // 2, 1.0 + 0.45 * len(cliques)
    height = first_row + half
    figure, axes = new_axes(0.5 + 0.24 * height)
    span = max(n - 1, 1)
    axes.plot([1, 1 + span], [0, 0], color=LIGHT["ink"], linewidth=0.8)
    for k in range(1, n + 1):
        axes.plot([k, k], [0, -0.25], color=LIGHT["ink"], linewidth=0.8)
        axes.text(k, -0.45, f"{k}", ha="center", va="bottom", fontsize=8, color=LIGHT["soft"])
    for i, (name, rank) in enumerate(zip(names, ranks, strict=True)):
        left = i < half
        y = first_row + (i if left else n - 1 - i)
        end = 1 - 0.04 * span if left else 1 + 1.04 * span
        axes.plot([rank, rank, end], [0, y, y], color=LIGHT["soft"], linewidth=0.7)
        label = axes.annotate(
            cut(name), (end, y), (-3 if left else 3, 0), textcoords="offset points",
            ha="right" if left else "left", va="center", fontsize=8, color=LIGHT["ink"],
            annotation_clip=False,
        )  # fmt: skip
        label.set_gid(tip(f"{name}: mean rank {rank:.2f}"))
    for level, (first, last) in enumerate(cliques):
        y = 0.45 + 0.45 * level
        axes.plot(
            [ranks[first] - 0.01 * span, ranks[last] + 0.01 * span], [y, y], color=LIGHT["ink"],
            linewidth=3,
        )  # fmt: skip
    axes.set(xlim=(1 - 0.05 * span, 1 + 1.05 * span), ylim=(height, -1))
    axes.set_axis_off()
    return figure
