"""All curves of a table on common label counts: paired differences, their band, labels saved."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.evaluation.analysis.bootstrap import Interval, Paired, bootstrap_interval
from lal.evaluation.analysis.metrics import Reached, labels_to_reach
from lal.evaluation.analysis.statistics import penalty_matrix
from lal.evaluation.analysis.tables import PAIRED_BY, Table
from lal.evaluation.runs.methods import FULL_LABEL
from lal.evaluation.runs.run import DONE

RunKey = tuple[str, int, int]
"""Learner, split and start."""

CEILING = 0.99
"""Share of the full-label level from which on budgets count no penalties."""


@dataclass(frozen=True, eq=False)
class CurveSet:
    """The finished curves of one metric.

    Attributes:
        metric: Which one.
        n: Label counts that all curves of a data set have in common, by data set, (T,).
        curves: By data set and strategy: the curve of every run, (T,).
        full: Level of the learner on the whole labelled pool, by data set, where measured.
    """

    metric: str
    n: dict[str, Floats] = field(default_factory=dict)
    curves: dict[str, dict[str, dict[RunKey, Floats]]] = field(default_factory=dict)
    full: dict[str, float] = field(default_factory=dict)

    def runs(self, dataset: str, strategies: Sequence[str]) -> Floats | None:
        """Return the curves of the runs that all finished, shape (S, runs, T); None without."""
        found = [self.curves[dataset].get(s, {}) for s in strategies]
        common = sorted(set.intersection(*(set(f) for f in found))) if found else []
        return np.array([[f[run] for run in common] for f in found]) if common else None

    def mean(self, dataset: str, strategy: str) -> Floats:
        """Return the mean curve over learners and runs, shape (T,)."""
        mean: Floats = np.mean(list(self.curves[dataset][strategy].values()), axis=0)
        return mean

    def both(self, first: str, second: str) -> list[str]:
        """Return the data sets on which two strategies finished a run in common."""
        return [
            d for d, by in self.curves.items() if set(by.get(first, {})) & set(by.get(second, {}))
        ]


def collect_curves(table: Table, metric: str) -> CurveSet:
    """Return the curves of a long table; data sets whose curves share no label count are left out.

    Args:
        table: A table of `tables.long_table`.
        metric: Its column.
    """
    done = table[table["status"] == DONE]
    found = CurveSet(metric)
    full = done[done["strategy"] == FULL_LABEL]
    found.full.update({str(d): float(v) for d, v in full.groupby("dataset")[metric].mean().items()})
    done = done[done["strategy"] != FULL_LABEL]
    for dataset, rows in done.groupby("dataset"):
        _collect_set(found, str(dataset), rows)
    return found


def _collect_set(found: CurveSet, dataset: str, rows: Table) -> None:
    rows = rows.sort_values(["strategy", *PAIRED_BY, "n_labels"], kind="stable")
    n = rows["n_labels"].to_numpy(dtype=np.float64)
    values = rows[found.metric].to_numpy(dtype=np.float64)
    codes = rows["run_key"].to_numpy()
    begin = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
    end = np.append(begin[1:], len(codes))
    grid = np.arange(n[begin].max(), n[end - 1].min() + 1)
    if len(grid) < 2:
        return
    first = rows.iloc[begin]
    names = zip(first["strategy"], first["learner"], first["split"], first["start"], strict=True)
    by: dict[str, dict[RunKey, Floats]] = {}
    for (strategy, learner, split, start), a, b in zip(names, begin, end, strict=True):
        curve = np.interp(grid, n[a:b], values[a:b])
        by.setdefault(str(strategy), {})[str(learner), int(split), int(start)] = curve
    found.n[dataset] = grid
    found.curves[dataset] = by


@dataclass(frozen=True, eq=False)
class Band:
    """Mean difference of two strategies over data sets, by labels; all arrays of shape (T,).

    Attributes:
        n: Labels acquired.
        mean: Mean over data sets.
        low, high: Simultaneous 95 % band over data sets (the mean itself with fewer than three).
        n_sets: Data sets at every point.
    """

    n: Floats
    mean: Floats
    low: Floats
    high: Floats
    n_sets: Floats


def difference_band(
    curves: CurveSet,
    first: str,
    second: str,
    rng: np.random.Generator,
    *,
    datasets: Sequence[str] | None = None,
    n_samples: int = 2000,
) -> Band:
    """Return the mean paired difference by labels, with a simultaneous band over data sets.

    The band is ``mean ± c * SE`` with c the 95 % quantile of the largest studentised deviation in
    bootstrap samples of the data sets: the whole curve lies in it, not each point for itself.
    Only label counts that at least half of the data sets reach are kept.

    Raises:
        UsageError: No data set in common.
    """
    wanted = curves.both(first, second)
    names = [d for d in wanted if datasets is None or d in datasets]
    if not names:
        raise UsageError(f"{first} and {second} finished no run in common")
    low = min(curves.n[d][0] for d in names)
    high = max(curves.n[d][-1] for d in names)
    grid = np.arange(low, high + 1)
    gains = np.full((len(names), len(grid)), np.nan)
    for row, name in enumerate(names):
        pair = curves.runs(name, [first, second])
        if pair is not None:
            at = int(curves.n[name][0] - low)
            gains[row, at : at + pair.shape[2]] = (pair[0] - pair[1]).mean(axis=0)
    kept = np.isfinite(gains).sum(axis=0) * 2 >= len(names)
    gains, grid = gains[:, kept], grid[kept]
    n_sets = np.isfinite(gains).sum(axis=0)
    mean = np.nanmean(gains, axis=0)
    half = _simultaneous(gains, mean, n_sets, rng, n_samples) if len(names) > 2 else 0.0 * mean
    return Band(grid, mean, mean - half, mean + half, n_sets.astype(np.float64))


def _simultaneous(
    gains: Floats, mean: Floats, n_sets: Floats, rng: np.random.Generator, n_samples: int
) -> Floats:
    there = np.isfinite(gains)
    filled = np.where(there, gains, 0.0)
    variance = (np.where(there, gains - mean, 0.0) ** 2).sum(axis=0) / np.maximum(n_sets - 1, 1)
    error = np.sqrt(variance / n_sets)
    D = len(gains)
    weights = rng.multinomial(D, np.full(D, 1 / D), size=n_samples).astype(np.float64)
    counts = weights @ there
    means = np.divide(weights @ filled, counts, out=np.tile(mean, (n_samples, 1)), where=counts > 0)
    moving = error > 0
    if not moving.any():
        return np.zeros_like(mean)
    largest = np.max(np.abs(means - mean)[:, moving] / error[moving], axis=1)
    half: Floats = float(np.quantile(largest, 0.95)) * error
    return half


@dataclass(frozen=True)
class Saving:
    """Labels that a strategy needs for random's final level, against the baseline's.

    Attributes:
        dataset: Which data set.
        ratio: Labels of the strategy over labels of the baseline; below 1 is fewer.
        low, high: 95 % interval over runs.
        censored: The level was never reached, so the ratio is at least this.
        labels: Labels of the strategy.
        baseline_labels: Labels of the baseline.
    """

    dataset: str
    ratio: float
    low: float
    high: float
    censored: bool
    labels: float
    baseline_labels: float


def savings(
    curves: CurveSet,
    strategy: str,
    rng: np.random.Generator,
    *,
    baseline: str = "random",
    n_samples: int = 200,
) -> list[Saving]:
    """Return the label ratio at the level that random ends on, by data set, fewest labels first.

    The mean curve over runs is made monotone and asked where it first reaches the level, as single
    runs cross it early by luck. Runs are resampled for the interval, jointly for all three curves.
    Data sets where the baseline itself never reaches the level are left out.
    """
    found = []
    for dataset in curves.both(strategy, baseline):
        runs = curves.runs(dataset, [strategy, baseline, "random"])
        if runs is not None:
            found.append(_saving(dataset, curves.n[dataset], runs, rng, n_samples))
    return sorted((s for s in found if s is not None), key=lambda s: s.ratio)


def _saving(
    dataset: str, n: Floats, runs: Floats, rng: np.random.Generator, n_samples: int
) -> Saving | None:
    mine, base = _reach(n, runs)
    if base.censored:
        return None
    ratio = mine.labels / base.labels
    ratios = []
    for _ in range(n_samples):
        some, other = _reach(n, runs[:, rng.integers(0, runs.shape[1], runs.shape[1])])
        ratios.append(some.labels / other.labels)
    low, high = np.quantile(ratios, [0.025, 0.975]) if ratios else (ratio, ratio)
    low, high = min(float(low), ratio), max(float(high), ratio)
    return Saving(dataset, ratio, low, high, mine.censored, mine.labels, base.labels)


def _reach(n: Floats, runs: Floats) -> tuple[Reached, Reached]:
    mine, base, random = runs.mean(axis=1)
    level = float(random[-1])
    return labels_to_reach(n, mine, level), labels_to_reach(n, base, level)


def mean_saving(found: Sequence[Saving], rng: np.random.Generator) -> Interval:
    """Return the geometric mean ratio with its 95 % interval over data sets."""
    codes = np.arange(len(found))
    zeros = np.zeros(len(found), dtype=np.int64)
    logs = np.log([s.ratio for s in found])
    over = bootstrap_interval(Paired(logs, codes, codes, zeros, zeros, zeros), rng)
    mean, low, high = (float(np.exp(v)) for v in (over.mean, over.low, over.high))
    return replace(over, mean=mean, low=low, high=high)


def penalties(curves: CurveSet, strategies: Sequence[str], datasets: Sequence[str]) -> Floats:
    """Return the pairwise penalty matrices summed over data sets, shape (S, S).

    Data sets that one of the strategies did not finish a run of are left out.
    """
    total = np.zeros((len(strategies), len(strategies)))
    for dataset in datasets:
        runs = curves.runs(dataset, strategies) if dataset in curves.curves else None
        if runs is not None and runs.shape[1] > 1:
            full = curves.full.get(dataset)
            total += penalty_matrix(runs, ceiling=None if full is None else CEILING * full)
    return total
