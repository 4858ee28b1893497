"""The learning curves of the zoo as one picture, a part an environment."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

from lal.evaluation.report.figures import METADATA
from lal.evaluation.report.theme import DASHES, LIGHT
from lal.registry import require
from lal.serialization import write_atomic
from scripts.benchmarks.base import Cell, Table
from scripts.benchmarks.zoo.scores import ENVIRONMENTS

COLUMNS = 4
PANEL = (2.7, 2.3)
"""Inches of one environment's part."""

Points = Sequence[dict[str, Cell]]


def draw_curves(table: Table, path: Path) -> None:
    """Draw gain over random against the share of training, with intervals over the seeds.

    Args:
        table: The command's table ``curves``.
        path: PNG file.
    """
    curves: dict[str, dict[str, list[dict[str, Cell]]]] = {}
    for row in table.rows:
        curves.setdefault(str(row["environment"]), {}).setdefault(str(row["agent"]), []).append(row)
    rows = ceil(len(curves) / COLUMNS)
    figure = require("matplotlib.figure", "report").Figure(
        figsize=(COLUMNS * PANEL[0], rows * PANEL[1]), layout="constrained", facecolor=LIGHT["bg"]
    )
    for place, (name, agents) in enumerate(curves.items(), start=1):
        _draw_environment(figure.add_subplot(rows, COLUMNS, place), name, agents)
    figure.supxlabel("share of the training", fontsize=9, color=LIGHT["ink"])
    figure.supylabel("score minus random's", fontsize=9, color=LIGHT["ink"])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(
        path, lambda part: figure.savefig(part, format="png", dpi=110, metadata=METADATA["png"])
    )


def _draw_environment(axes: Any, name: str, agents: dict[str, list[dict[str, Cell]]]) -> None:
    axes.set_facecolor("none")
    axes.spines[:].set_visible(False)
    axes.tick_params(colors=LIGHT["soft"], length=0, labelsize=7)
    axes.grid(axis="y", color=LIGHT["rule"], linewidth=0.7)
    axes.axhline(0.0, color=LIGHT["ink"], linewidth=0.8)
    title = f"{name.removeprefix('lal/')}, {ENVIRONMENTS[name].unit}"
    axes.set_title(title, fontsize=7, color=LIGHT["ink"])
    for style, (agent, points) in enumerate(agents.items()):
        x, mean, low, high = ([p[key] for p in points] for key in ("share", "gain", "low", "high"))
        colour = LIGHT[f"c{style}"]
        axes.fill_between(x, low, high, color=colour, alpha=0.13, linewidth=0)
        axes.plot(x, mean, color=colour, linestyle=DASHES[style], linewidth=1.6, label=agent)
    axes.legend(fontsize=7, frameon=False)
