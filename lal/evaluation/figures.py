"""Figures of a report as PNG files, drawn without a display."""

from pathlib import Path
from typing import Any

from lal.evaluation.curves import mean_curves, set_differences
from lal.evaluation.report import Page, drawn
from lal.evaluation.statistics import ROPE
from lal.evaluation.summary import BASELINES, common_runs
from lal.evaluation.tables import cell_rows
from lal.records import write_atomic
from lal.registry import require

COLOURS = ("#0072b2", "#d55e00", "#5f5f5f", "#009e73", "#cc79a7", "#8a6d00")
DASHES = ("-", "--", ":", "-.", (0, (4, 4)), (0, (10, 3)))


def write_figures(page: Page, folder: Path) -> list[Path]:
    """Write learning curves and sorted differences as PNG; needs matplotlib (extra ``report``)."""
    require("matplotlib", "report")
    figures = {"curves.png": _curves(page)}
    for baseline in BASELINES:
        if baseline != page.focus and common_runs(cell_rows(page.table), page.focus, baseline):
            figures[f"minus_{baseline}.png"] = _differences(page, baseline)
    for name, figure in figures.items():
        write_atomic(folder / name, lambda part, f=figure: _save(f, part))  # type: ignore[misc]
    return [folder / name for name in figures]


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, format="png", dpi=130)


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _curves(page: Page) -> Any:
    names = sorted(page.table["dataset"].unique())
    metric = str(page.table["metric"].iloc[0])
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = _figure(4.2 * columns, 3.2 * rows)
    for place, dataset in enumerate(names, start=1):
        axes = figure.add_subplot(rows, columns, place)
        for style, curve in enumerate(mean_curves(page.table, dataset, drawn(page), metric)):
            at = drawn(page).index(curve.strategy)
            kind = {"color": COLOURS[at % 6], "linestyle": DASHES[at % 6]}
            label = curve.strategy if place == 1 else f"_{style}"
            axes.plot(curve.n, curve.mean, label=label, **kind)
            axes.fill_between(curve.n, curve.low, curve.high, color=kind["color"], alpha=0.13)
        axes.set(title=dataset, xlabel="labels bought", ylabel=metric)
    figure.legend(loc="outside lower center", ncols=min(3, len(drawn(page))))
    return figure


def _differences(page: Page, baseline: str) -> Any:
    found = set_differences(page.table, page.focus, baseline)[::-1]
    figure = _figure(6.4, 1.4 + 0.28 * len(found))
    axes = figure.add_subplot()
    axes.axvspan(-100 * ROPE, 100 * ROPE, color="#f0e442", alpha=0.4, lw=0)
    axes.axvline(0, color="black", lw=1)
    means = [100 * d.mean for d in found]
    low, high = ([100 * abs(d.mean - end) for d, end in _ends(found, k)] for k in ("low", "high"))
    axes.errorbar(means, range(len(found)), xerr=[low, high], fmt="o", color=COLOURS[0])
    axes.set_yticks(range(len(found)), [d.dataset for d in found])
    axes.set_xlabel(f"{page.focus} minus {baseline}, points")
    return figure


def _ends(found: list[Any], name: str) -> list[tuple[Any, float]]:
    return [(d, getattr(d, name)) for d in found]
