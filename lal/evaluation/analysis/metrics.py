"""Metrics of learning curves and of sets of them; pure functions of label counts and values.

The area itself is `lal.curve.aubc`.
"""

from dataclasses import dataclass

import numpy as np

from lal.arrays import Bools, Floats
from lal.curve import Numbers, aubc, checked_curve
from lal.errors import UsageError


def log_area(n: Numbers, a: Numbers, chance: float) -> float:
    """Return the area over log2 of the labels, 0 at chance level and 1 at a perfect curve.

    The global score of the active learning challenge (Guyon et al. 2011):
    ``(ALC - A_rand) / (A_max - A_rand)``. A constant curve c gives ``(c - chance)/(1 - chance)``.

    Raises:
        UsageError: Chance level of 1 or above, or a curve that starts below one label.
    """
    x, y = checked_curve(n, a)
    if chance >= 1:
        raise UsageError(f"the chance level must be below 1, got {chance}")
    if x[0] < 1:
        raise UsageError(f"the logarithm needs curves from 1 label on, got {x[0]:g}")
    return (aubc(np.log2(x), y) - chance) / (1 - chance)


def area_until(n: Numbers, a: Numbers, labels: int) -> float:
    """Return the area over the first `labels` labels after the start; nan if there are fewer."""
    x, y = checked_curve(n, a)
    end = x[0] + labels
    if end > x[-1]:
        return float("nan")
    inside = x < end
    return aubc(np.append(x[inside], end), np.append(y[inside], np.interp(end, x, y)))


def area_from(n: Numbers, a: Numbers, begin: int | None) -> float:
    """Return the area from `begin` labels on, as from where all classes are seen.

    Returns:
        nan when `begin` is None (never seen) or lies behind the end.
    """
    x, y = checked_curve(n, a)
    if begin is None or begin > x[-1]:
        return float("nan")
    begin = max(begin, int(x[0]))
    beyond = x > begin
    return aubc(np.append(begin, x[beyond]), np.append(np.interp(begin, x, y), y[beyond]))


def paired_gains(areas: Floats, baseline: Floats) -> Floats:
    """Return the gains of paired runs, ``areas - baseline``, any common shape."""
    if np.shape(areas) != np.shape(baseline):
        raise UsageError(
            f"paired runs need equal shapes, got {np.shape(areas)} and {np.shape(baseline)}"
        )
    return np.asarray(areas, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)


def deficiency(shortfall: Floats, baseline_shortfall: Floats, widths: Floats) -> "Deficiency":
    """Return the deficiency over data sets, as a ratio of sums; below 1 beats the baseline.

    ``sum (a_full - a_q(n)) / sum (a_full - a_b(n))`` (Baram et al. 2004). A mean of ratios would
    explode where the baseline has nothing to lose, so such sets are left out and named.

    Args:
        shortfall: Sum over the curve of full-label metric minus the strategy's, per set (D,).
        baseline_shortfall: The same of the baseline, (D,).
        widths: ``N - n0`` per set, (D,).
    """
    q, b = np.asarray(shortfall, np.float64), np.asarray(baseline_shortfall, np.float64)
    kept: Bools = b >= 0.01 * np.asarray(widths, np.float64)
    value = float(q[kept].sum() / b[kept].sum()) if kept.any() else float("nan")
    return Deficiency(value=value, skipped=tuple(np.flatnonzero(~kept).tolist()))


@dataclass(frozen=True)
class Deficiency:
    """A deficiency and the positions of the data sets left out for lack of headroom."""

    value: float
    skipped: tuple[int, ...]


def shortfall(a: Floats, full: float) -> float:
    """Return the sum over the curve of the full-label metric minus the curve's."""
    return float(np.sum(full - np.asarray(a, dtype=np.float64)))


def recovered_headroom(gains: Floats, headroom: Floats) -> float:
    """Return the share of the headroom above random that is recovered, as a ratio of sums.

    Args:
        gains: Mean area minus random's, per set (D,).
        headroom: Full-label metric minus random's area, per set (D,).
    """
    total = float(np.sum(headroom))
    return float(np.sum(gains)) / total if total > 0 else float("nan")


@dataclass(frozen=True)
class Reached:
    """Labels needed to reach a level; `censored` when it was never reached (then the last)."""

    labels: float
    censored: bool


def labels_to_reach(n: Numbers, mean_curve: Floats, level: float) -> Reached:
    """Return where a mean curve, smoothed by isotonic regression, first reaches a level.

    Crossing times of single runs are biased by noise, so the mean over runs is asked.
    """
    from scipy.optimize import isotonic_regression

    x, y = checked_curve(n, mean_curve)
    smooth = isotonic_regression(y).x
    above = np.flatnonzero(smooth >= level - 1e-12)
    if len(above) == 0:
        return Reached(float(x[-1]), censored=True)
    return Reached(float(x[above[0]]), censored=False)


@dataclass(frozen=True)
class LabelEfficiency:
    """Geometric mean over sets of labels needed against the baseline's; below 1 is fewer."""

    ratio: float
    n_censored: int
    n_sets: int


def label_efficiency(reached: list[Reached], baseline: list[Reached]) -> LabelEfficiency:
    """Return the label ratio over data sets; sets the baseline never solves are left out."""
    pairs = [(q, b) for q, b in zip(reached, baseline, strict=True) if not b.censored]
    if not pairs:
        return LabelEfficiency(float("nan"), 0, 0)
    logs = [np.log(q.labels / b.labels) for q, b in pairs]
    censored = sum(q.censored for q, _ in pairs)
    return LabelEfficiency(float(np.exp(np.mean(logs))), censored, len(pairs))


def label_efficiency_interval(
    reached: list[Reached],
    baseline: list[Reached],
    rng: np.random.Generator,
    *,
    n_samples: int = 10_000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the percentile interval of the label ratio over resampled data sets.

    A censored set enters with its last label, so the ratio of a strategy that never arrives is a
    lower bound; say how many there are (`LabelEfficiency.n_censored`).
    """
    pairs = [(q, b) for q, b in zip(reached, baseline, strict=True) if not b.censored]
    if not pairs:
        return float("nan"), float("nan")
    logs = np.array([np.log(q.labels / b.labels) for q, b in pairs])
    means = logs[rng.integers(len(logs), size=(n_samples, len(logs)))].mean(axis=1)
    tail = (1 - level) / 2
    low, high = np.exp(np.quantile(means, [tail, 1 - tail]))
    return float(low), float(high)


def harm_rate(set_gains: Floats) -> float:
    """Return the share of data sets with a mean gain below 0."""
    return float(np.mean(np.asarray(set_gains) < 0))


def tail_quantile(set_gains: Floats, q: float = 0.1) -> float:
    """Return the q-quantile over data sets of the mean gain (linear interpolation)."""
    return float(np.quantile(np.asarray(set_gains, dtype=np.float64), q))


def max_regret(set_areas: Floats, strategy: int) -> float:
    """Return the largest distance, over data sets, to the best listed strategy.

    Args:
        set_areas: Mean areas, shape (strategies, D).
        strategy: Row that is asked about.
    """
    areas = np.asarray(set_areas, dtype=np.float64)
    return float(np.max(areas.max(axis=0) - areas[strategy]))


def mean_regret(set_areas: Floats, strategy: int) -> float:
    """Return the mean distance, over data sets, to the best listed strategy of each.

    The best is chosen afterwards, so noise alone makes the figure positive.

    Args:
        set_areas: Mean areas, shape (strategies, D).
        strategy: Row that is asked about.
    """
    areas = np.asarray(set_areas, dtype=np.float64)
    return float(np.mean(areas.max(axis=0) - areas[strategy]))


@dataclass(frozen=True)
class Cost:
    """Seconds of one query (median and 95 % quantile over cells) and seconds of all cells."""

    median: float
    tail: float
    total: float


def cost(query_seconds: Floats, cell_seconds: Floats) -> Cost:
    """Return what a strategy cost.

    Args:
        query_seconds: Mean seconds of a query, per cell (n,).
        cell_seconds: Seconds of each whole cell, fits and measuring included (n,).
    """
    queries = np.asarray(query_seconds, dtype=np.float64)
    if len(queries) == 0:
        raise UsageError("the cost of no cells is unknown; expected at least one")
    median, tail = np.quantile(queries, [0.5, 0.95])
    return Cost(float(median), float(tail), float(np.sum(cell_seconds)))
