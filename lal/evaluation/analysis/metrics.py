"""Metrics of learning curves and of sets of them; pure functions of label counts and values.

The area itself is `lal.curve.aubc`.
"""

from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats
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


def label_efficiency(
    n: Numbers, mean_curve: Floats, baseline: Floats, level: float
) -> float | None:
    """Return the labels of a baseline over those of a strategy at one level of quality.

    2 means half the labels; None where one of them never reaches the level. Source: Beck,
    Sivasubramanian, Dani, Ramakrishnan & Iyer (2021), "Effective evaluation of deep active learning
    on image classification tasks".

    Args:
        n: Labels at each point, of both curves.
        mean_curve: Of the strategy, the mean over runs.
        baseline: Of the baseline, the mean over runs.
        level: Of the metric.
    """
    ours, theirs = (labels_to_reach(n, curve, level) for curve in (mean_curve, baseline))
    return None if ours.censored or theirs.censored else theirs.labels / ours.labels


def harm_rate(set_gains: Floats) -> float:
    """Return the share of data sets with a mean gain below 0."""
    return float(np.mean(np.asarray(set_gains) < 0))


def tail_quantile(set_gains: Floats, q: float = 0.1) -> float:
    """Return the q-quantile over data sets of the mean gain (linear interpolation)."""
    return float(np.quantile(np.asarray(set_gains, dtype=np.float64), q))
