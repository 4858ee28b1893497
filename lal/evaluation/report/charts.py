"""The charts of the page, by name: each is a figure with a caption."""

from collections.abc import Iterator, Sequence

import numpy as np

from lal.arrays import Floats, Ints
from lal.curve import aubc
from lal.evaluation.analysis.curve_sets import (
    Band,
    Saving,
    difference_band,
    mean_saving,
    penalties,
    savings,
)
from lal.evaluation.analysis.ranks import complete_block, duplicates, rank_strategies
from lal.evaluation.analysis.reference_levels import reference_levels
from lal.evaluation.analysis.set_differences import set_differences
from lal.evaluation.analysis.statistics import ROPE
from lal.evaluation.analysis.summary import BASELINES, common_runs
from lal.evaluation.analysis.tables import paired, set_areas
from lal.evaluation.report.draw import Dot, Line, Point, cost_chart, dot_chart, line_chart
from lal.evaluation.report.draw_tables import Cell, heat_map, rank_diagram
from lal.evaluation.report.figures import Chart
from lal.evaluation.report.model import Page, get_baseline
from lal.rng import generator

MOST_RANKED = 30
MOST_PENALISED = 12


def all_charts(page: Page) -> list[Chart]:
    """Return every chart that the store has the runs for, but those of single data sets."""
    makers = (
        reference_chart,
        difference_charts,
        band_charts,
        saving_chart,
        heat_charts,
        rank_chart,
        profile_chart,
        penalty_chart,
        gain_and_cost,
    )
    return [chart for make in makers for chart in make(page)]


def _baselines(page: Page, table: object = None) -> list[str]:
    rows = page.fair(page.focus) if table is None else table
    return [b for b in BASELINES if b != page.focus and common_runs(rows, page.focus, b)]


def reference_chart(page: Page) -> Iterator[Chart]:
    """Yield the reference_levels from random to all labels."""
    levels = reference_levels(page.fair(page.focus), page.focus)
    if not levels:
        return
    dots = [
        Dot(r.name, 100 * r.area, 100 * r.area, 100 * r.area, style=int(r.name != page.focus) * 2)
        for r in reversed(levels)
    ]
    title = "From random to what the labels would allow"
    label = f"mean area of {page.metric.replace('_', ' ')}, points"
    notes = "; ".join(f"{r.name}: {r.note}" for r in levels if r.note)
    figure = dot_chart(dots, x_label=label, reference=None)
    yield Chart("reference_levels", "answer", title, figure, notes)


def difference_charts(page: Page) -> Iterator[Chart]:
    """Yield the sorted paired differences of the focus to each baseline, seen sets grey."""
    seen = page.seen(page.focus)
    for baseline in _baselines(page, page.runs):
        found = set_differences(page.runs, page.focus, baseline, n_samples=page.n_samples)
        dots = [
            Dot(d.dataset, 100 * d.mean, 100 * d.low, 100 * d.high, marked=d.dataset in seen)
            for d in found
        ]
        title = f"{page.focus} minus {baseline}, by data set"
        label = "difference, AUBC points"
        figure = dot_chart(dots, rope=100 * ROPE, x_label=label)
        yield Chart(f"minus_{baseline}", "differences", title, figure)


def band_charts(page: Page) -> Iterator[Chart]:
    """Yield the mean difference to each baseline by labels acquired."""
    datasets = sorted(set(page.datasets) - page.seen(page.focus))
    for baseline in _baselines(page):
        rng = generator(0, "report band", baseline)
        if not set(page.curves.both(page.focus, baseline)) & set(datasets):
            continue
        band = difference_band(page.curves, page.focus, baseline, rng, datasets=datasets)
        title = f"{page.focus} minus {baseline}, by labels acquired"
        figure = line_chart([_band_line(band, title)], y_label="points", rope=100 * ROPE)
        note = (
            f"Mean over {int(band.n_sets.max())} data sets; the band holds the whole curve at 95 % "
            "(simultaneous, over data sets)."
            if band.n_sets.max() > 2
            else "Too few data sets for a band."
        )
        yield Chart(f"curve_minus_{baseline}", "differences", title, figure, note)


def _band_line(band: Band, name: str) -> Line:
    return Line(name, 0, band.n, 100 * band.mean, 100 * band.low, 100 * band.high)


def saving_chart(page: Page) -> Iterator[Chart]:
    """Yield the forest plot of labels needed, against each baseline."""
    seen = page.seen(page.focus)
    for baseline in _baselines(page):
        rng = generator(0, "report savings", baseline)
        found = savings(page.curves, page.focus, rng, baseline=baseline)
        fair = [s for s in found if s.dataset not in seen]
        if not fair:
            continue
        over = mean_saving(fair, generator(0, "report mean saving", baseline))
        dots = [_saving_dot(s, s.dataset in seen) for s in found]
        dots.append(Dot("geometric mean", over.mean, over.low, over.high, style=1))
        title = f"Labels {page.focus} needs, against {baseline}"
        figure = dot_chart(dots, x_label="ratio of labels; below 1 is fewer", reference=1)
        censored = sum(s.censored for s in fair)
        note = (
            f"Labels until the level that random ends on. Geometric mean {over.mean:.2f} "
            f"[{over.low:.2f}, {over.high:.2f}] over {len(fair)} data sets; {censored} never "
            "reached it (arrows: at least that many)."
        )
        yield Chart(f"labels_against_{baseline}", "labels", title, figure, note)


def _saving_dot(found: Saving, seen: bool) -> Dot:
    return Dot(found.dataset, found.ratio, found.low, found.high, seen, found.censored)


def heat_charts(page: Page) -> Iterator[Chart]:
    """Yield the differences by data set and learner."""
    seen = page.seen(page.focus)
    for baseline in _baselines(page, page.runs):
        sample = paired(page.runs, page.focus, baseline)
        rows = page.runs
        learners = sorted(rows["learner"].unique())
        cells = []
        names = list(sample.names)
        done = rows[rows["strategy"].isin([page.focus, baseline])]
        wide = done.pivot_table(
            index=["dataset", "learner", "split", "start"], columns="strategy", values="area"
        ).dropna()
        gains = 100 * (wide[page.focus] - wide[baseline]).groupby(["dataset", "learner"]).mean()
        for name in names:
            cells.append([_heat_cell(gains, name, learner, name in seen) for learner in learners])
        title = f"{page.focus} minus {baseline}, points, by data set and learner"
        figure = heat_map(names, learners, cells)
        yield Chart(f"heat_minus_{baseline}", "heat", title, figure)


def _heat_cell(gains: object, dataset: str, learner: str, seen: bool) -> Cell:
    value = gains.get((dataset, learner))  # type: ignore[attr-defined]
    return Cell(None if value is None or np.isnan(value) else float(value), seen)


def rank_chart(page: Page) -> Iterator[Chart]:
    """Yield the critical-difference diagram over the data sets that no policy has seen."""
    table = page.fair(*page.compared)
    if len(table) == 0:
        return
    same = duplicates(table)
    means = set_areas(table)
    names = [s for s in page.compared if s not in same][:MOST_RANKED]
    block, left_out = complete_block(means, names)
    if block.shape[1] < 2 or block.shape[0] < 3:
        return
    found = rank_strategies(block.to_numpy(dtype=np.float64), list(block.columns))
    title = f"Mean ranks over {found.n_sets} data sets"
    figure = rank_diagram(found.names, found.ranks, found.cliques)
    notes = [
        "Bars join strategies that the signed-rank test with Holm's rule over all pairs cannot "
        "tell apart at 5 %. Ranks depend on who is listed: the differences are the result."
    ]
    if same:
        notes.append(
            "Left out as the same rule: " + "; ".join(f"{a} = {b}" for a, b in same.items()) + "."
        )
    if left_out:
        notes.append(f"Left out for unfinished data sets: {', '.join(left_out)}.")
    yield Chart("ranks", "ranks", title, figure, " ".join(notes))


def profile_chart(page: Page) -> Iterator[Chart]:
    """Yield the share of runs that gain at least so much over random."""
    table = page.fair(*page.drawn)
    rows = table
    names = [
        s for s in page.drawn if s != "random" and len(rows) and common_runs(rows, s, "random")
    ]
    gains = {s: paired(table, s, "random") for s in names}
    if not gains:
        return
    everything = 100 * np.concatenate([g.values for g in gains.values()])
    low, high = np.quantile(everything, [0.01, 0.99])
    levels = np.linspace(min(low, -0.5), max(high, 0.5), 81)
    lines = []
    for name, gain in gains.items():
        share = _shares(100 * gain.values, gain.dataset, levels)
        lines.append(Line(name, page.styles[name], levels, share, share, share))
    title = "Performance profiles"
    figure = line_chart(
        lines, x_label="gain of a run over random, AUBC points", y_label="share of runs"
    )
    note = "Share of runs (data sets weigh the same) that gain more than x points over random."
    yield Chart("profiles", "profiles", title, figure, note)


def _shares(gains: Floats, dataset: Ints, levels: Floats) -> Floats:
    by_set = [gains[dataset == d] for d in np.unique(dataset)]
    shares: Floats = np.mean([(g[None] > levels[:, None]).mean(axis=1) for g in by_set], axis=0)
    return shares


def penalty_chart(page: Page) -> Iterator[Chart]:
    """Yield the pairwise penalty matrix of the best strategies."""
    done = [s for s in page.compared if any(s in by for by in page.curves.curves.values())]
    names = list(dict.fromkeys([*[s for s in page.drawn if s in done], *done]))[:MOST_PENALISED]
    datasets = sorted(set(page.datasets) - page.seen(*names))
    if len(names) < 2:
        return
    found = penalties(page.curves, names, datasets)
    if not found.any():
        return
    wins = found.T - found
    cells = [
        [Cell(None) if i == j else Cell(float(wins[i, j])) for j in range(len(names))]
        for i in range(len(names))
    ]
    title = "Pairwise penalties: row beats column (net, in data sets)"
    figure = heat_map(names, names, cells)
    note = (
        "At each label count with a significant paired t-test over runs (5 %) the winner gains one "
        "part of a data set; the figure is won minus lost, summed over data sets. Neighbouring "
        "label counts hang together: this describes, it does not test."
    )
    yield Chart("penalties", "penalties", title, figure, note)


def gain_and_cost(page: Page) -> Iterator[Chart]:
    """Yield gain over the baseline against query time."""
    baseline = get_baseline(page)
    if baseline is None:
        return
    points = [
        Point(r.strategy, r.query_ms[0], _gain(r.against, baseline), page.styles.get(r.strategy, 2))
        for r in page.rows
        if (baseline in r.against or r.strategy == baseline) and not np.isnan(r.query_ms[0])
    ]
    title = f"Gain over {baseline} against query time"
    figure = cost_chart(points, y_label=f"minus {baseline}, AUBC points")
    yield Chart("cost", "cost", title, figure, "Median over runs of the mean query time.")


def _gain(against: object, baseline: str) -> float:
    found = against.get(baseline)  # type: ignore[attr-defined]
    return 0.0 if found is None else 100 * float(found.interval.mean)


def curve_charts(page: Page) -> dict[str, Chart]:
    """Return the learning curves of every data set."""
    found = {}
    for dataset, n in page.curves.n.items():
        lines = [
            _curve_line(page, dataset, s, n) for s in page.drawn if s in page.curves.curves[dataset]
        ]
        if not lines:
            continue
        measure = page.metric.replace("_", " ")
        title = f"{dataset}: mean {measure} by labels acquired"
        figure = line_chart(lines, y_label=measure)
        found[dataset] = Chart(f"curves_{dataset}", "sets", title, figure)
    return found


def _curve_line(page: Page, dataset: str, strategy: str, n: Floats) -> Line:
    values = np.array(list(page.curves.curves[dataset][strategy].values()))
    mean = values.mean(axis=0)
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0 * mean
    return Line(strategy, page.styles[strategy], n, mean, mean - 1.96 * error, mean + 1.96 * error)


def dots_of_runs(page: Page, dataset: str) -> Sequence[float]:
    """Return the paired differences of single runs to the baseline on a data set, in points."""
    baseline = get_baseline(page)
    runs = page.curves.runs(dataset, [page.focus, baseline]) if baseline else None
    if runs is None:
        return []
    return [round(100 * aubc(page.curves.n[dataset], gain), 2) for gain in runs[0] - runs[1]]
