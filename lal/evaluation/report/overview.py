"""One picture of an evaluation: the mean learning curves of all data sets, side by side."""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from lal.arrays import Floats
from lal.evaluation.report.figures import METADATA
from lal.evaluation.report.model import Page
from lal.evaluation.report.theme import DASHES, LIGHT
from lal.registry import require
from lal.serialization import write_atomic

COLUMNS = 3
PANEL = (2.6, 1.9)
"""Inches of one data set's part of the picture."""


def draw_overview(page: Page, methods: Mapping[str, Sequence[str]], path: Path) -> Path:
    """Draw mean curves with 95 % intervals of the runs; needs matplotlib (extra ``report``).

    Args:
        page: The evaluation.
        methods: What is drawn: a name, and the methods whose mean it is.
        path: PNG file.
    """
    datasets = list(page.curves.n)
    rows = ceil(len(datasets) / COLUMNS)
    figure = require("matplotlib.figure", "report").Figure(
        figsize=(COLUMNS * PANEL[0], rows * PANEL[1] + 0.6),
        layout="constrained",
        facecolor=LIGHT["bg"],
    )
    for place, dataset in enumerate(datasets, start=1):
        _draw_dataset(figure.add_subplot(rows, COLUMNS, place), page, dataset, methods)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside upper center", ncols=len(names), frameon=False, fontsize=9
    )
    figure.supxlabel("labels acquired", fontsize=9, color=LIGHT["ink"])
    figure.supylabel(page.metric.replace("_", " "), fontsize=9, color=LIGHT["ink"])
    write_atomic(
        path,
        lambda part: figure.savefig(part, format="png", dpi=144, metadata=METADATA["png"]),
    )
    return path


def _draw_dataset(
    axes: Any, page: Page, dataset: str, methods: Mapping[str, Sequence[str]]
) -> None:
    axes.set_facecolor("none")
    axes.spines[:].set_visible(False)
    axes.tick_params(colors=LIGHT["soft"], length=0, labelsize=7)
    axes.grid(axis="y", color=LIGHT["rule"], linewidth=0.7)
    axes.set_title(dataset, fontsize=9, color=LIGHT["ink"])
    axes.margins(x=0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    for style, (name, members) in enumerate(methods.items()):
        values = _get_mean(page, dataset, members)
        mean = values.mean(axis=0)
        error = 1.96 * values.std(axis=0, ddof=1) / np.sqrt(len(values))
        colour, n = LIGHT[f"c{style}"], page.curves.n[dataset]
        axes.fill_between(n, mean - error, mean + error, color=colour, alpha=0.13, linewidth=0)
        axes.plot(n, mean, color=colour, linestyle=DASHES[style], linewidth=1.6, label=name)


def _get_mean(page: Page, dataset: str, members: Sequence[str]) -> Floats:
    """Return the curves of the runs, averaged over some methods, shape (runs, T)."""
    found = [list(page.curves.curves[dataset][m].values()) for m in members]
    mean: Floats = np.mean(np.array(found), axis=0)
    return mean
