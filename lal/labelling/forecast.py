"""The forecast: how many more labels an accuracy will take, from the learning curve so far.

A power law is fitted to the curve. What it says about the best accuracy that will be measured is
corrected by weights that were fitted to simulated projects, and errors on other simulated projects
say how far a forecast can be off: intervals are conformal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints
from lal.curve import checked_curve
from lal.errors import UsageError
from lal.serialization import read_json

CALIBRATION = Path(__file__).with_name("forecast.json")
"""Errors of the power law on simulated projects, written by `scripts.benchmark forecast`."""

FEWEST_POINTS = 5
"""Points of a curve that a forecast needs."""

FARTHEST = 4.0
"""A forecast looks at most this many times the labels so far ahead: that far it was calibrated."""

RATIOS = (1.25, 1.5, 2.0, 3.0, FARTHEST)
"""Upper ends of the ranges of labels, as multiples of those so far, that are calibrated apart."""

RATES = np.linspace(0.05, 2.0, 40)
"""Exponents that are tried."""

CEILINGS = 25
"""Final accuracies that are tried, between the best so far and 1."""


@dataclass(frozen=True)
class PowerLaw:
    """``a(n) = ceiling - drop * n ** -rate``.

    Attributes:
        ceiling: Accuracy with labels without end, at most 1.
        drop: At least 0.
        rate: Above 0.
        spread: Root mean square of the points' distances from the law.
    """

    ceiling: float
    drop: float
    rate: float
    spread: float

    def __call__(self, n: float | Floats) -> Any:
        """Return the accuracy with n labels."""
        return self.ceiling - self.drop * np.asarray(n, dtype=np.float64) ** -self.rate


def fit_power_law(n: Sequence[float], a: Sequence[float]) -> PowerLaw:
    """Return the power law of least squares among a grid of ceilings and rates.

    Source: the inverse power law of learning curves (Cortes et al. 1994, "Learning curves:
    asymptotic values and rate of convergence"; Figueroa et al. 2012, "Predicting sample size
    required for classification performance").

    Args:
        n: Labels, increasing.
        a: Accuracies with them, in [0, 1].

    Raises:
        UsageError: Fewer than five points, labels that do not increase, or no accuracies.
    """
    x, y = checked_curve(np.asarray(n), np.asarray(a))
    if len(x) < FEWEST_POINTS:
        raise UsageError(f"a forecast needs {FEWEST_POINTS} points of the curve, got {len(x)}")
    if x[0] <= 0 or y.min() < 0.0 or y.max() > 1.0:
        raise UsageError("labels must be above 0, and accuracies shares between 0 and 1")
    ceilings = np.linspace(float(y.max()), 1.0, CEILINGS)
    basis = x[None, :] ** -RATES[:, None]  # (rates, points)
    gaps = ceilings[:, None] - y[None, :]  # (ceilings, points)
    drops = np.maximum(gaps @ basis.T, 0.0) / (basis**2).sum(axis=1)
    errors = ((gaps[:, None, :] - drops[:, :, None] * basis[None]) ** 2).mean(axis=2)
    c, r = np.unravel_index(int(np.argmin(errors)), errors.shape)
    spread = float(np.sqrt(errors[c, r]))
    return PowerLaw(float(ceilings[c]), float(drops[c, r]), float(RATES[r]), spread)


def error_scale(law: PowerLaw, last: float, n: float | Floats, noise: float = 0.0) -> Any:
    """Return what errors are measured in: more where more is extrapolated and points scatter.

    Args:
        law: The fitted law.
        last: Its accuracy with the labels so far.
        n: Labels.
        noise: Standard error of the measured accuracies, which points of one curve share.
    """
    return 0.02 + noise + law.spread + np.abs(law(n) - last)


def standard_error(accuracy: float, of: int | None) -> float:
    """Return the standard error of an accuracy on so many rows; 0 for None.

    The accuracy is moved by one row right and one wrong, so that all right is not certainty.
    """
    if of is None:
        return 0.0
    p = (accuracy * of + 1.0) / (of + 2.0)
    return float(np.sqrt(p * (1.0 - p) / of))


@dataclass(frozen=True)
class Interval:
    """A number with a 90 % interval; `high` is infinite where it may be out of reach.

    Attributes:
        value: The forecast; infinite when it never gets there within the range.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Fit:
    """A learning curve so far, and the power law that was fitted to it.

    Attributes:
        law: The fitted power law.
        n: Labels so far.
        best: The best accuracy measured so far.
        noise: Standard error of the accuracies.
    """

    law: PowerLaw
    n: float
    best: float
    noise: float = 0.0

    @property
    def accuracy(self) -> float:
        """The accuracy with the labels so far, as the law has it."""
        return float(self.law(self.n))

    def scale(self, n: float | Floats) -> Any:
        """Return what errors of a forecast for n labels are measured in."""
        return error_scale(self.law, self.accuracy, n, self.noise)

    def terms(self, n: Floats) -> Floats:
        """Return what the rise of the best accuracy is a weighted sum of, shape (len(n), 8).

        The rise of the law, the lead of the best accuracy over it, its spread and the room above
        it, each alone and times the logarithm of the labels as a multiple of those so far; all in
        units of `scale`.
        """
        now = self.accuracy
        fixed = (self.best - now, self.law.spread, 1.0 - now)
        terms = np.stack([self.law(n) - now, *(np.full(n.shape, x) for x in fixed)]) / self.scale(n)
        return np.concatenate([terms, terms * np.log(n / self.n)]).T


def fit_curve(n: Sequence[float], a: Sequence[float], of: int | None = None) -> Fit:
    """Return the power law of a learning curve with what forecasts need beside it.

    Args:
        n: Labels, increasing; at least five points.
        a: Accuracies with them, in [0, 1].
        of: Rows that they are measured on; None for so many that it does not matter.
    """
    law = fit_power_law(n, a)
    last = float(n[-1])
    return Fit(law, last, float(max(a)), standard_error(float(law(last)), of))


Ends = Sequence[tuple[float, float]]
"""Lower and upper error, in units of `Fit.scale`, of every range of `RATIOS`."""


@dataclass(frozen=True)
class Calibration:
    """What simulated projects say about the errors.

    Attributes:
        accuracy: Errors of the law.
        best: Errors of the best accuracy, of other projects than `rise` was fitted to; upper ends
            are of looks at which an accuracy is first reached.
        rise: Weights of `Fit.terms`: the median rise of the best accuracy.
        random_ratio: Labels that random choice needs as a multiple of the policy's: the median
            and the ends of 90 % of the simulated projects.
    """

    accuracy: Ends
    best: Ends
    rise: Sequence[float]
    random_ratio: Interval


@dataclass(frozen=True)
class Forecast:
    """What the curve so far says about more labels.

    The accuracy with so many labels and the labels until an accuracy is first measured are two
    questions: measured accuracies go up and down, and the first of them to reach a mark is a lucky
    one. So each has its own middle and its own calibration.

    Attributes:
        fit: The curve so far.
        calibration: Errors on simulated projects.
    """

    fit: Fit
    calibration: Calibration

    @property
    def n(self) -> float:
        """Labels so far."""
        return self.fit.n

    @property
    def accuracy(self) -> float:
        """The accuracy with the labels so far, as the law has it."""
        return self.fit.accuracy

    def accuracy_with(self, n: float) -> Interval:
        """Return the accuracy that n labels will give.

        Raises:
            UsageError: Fewer labels than so far, or too many more.
        """
        if not self.n <= n <= FARTHEST * self.n:
            raise UsageError(
                f"a forecast looks from the {self.n:g} labels so far to {FARTHEST:g} times as "
                f"many, got {n:g}"
            )
        value: Floats = self.fit.law(np.array([n]))
        low, high = self._ends(value, np.array([n]), self.calibration.accuracy)
        return Interval(float(value[0]), float(low[0]), float(high[0]))

    def best_with(self, n: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the best accuracy that will be measured with up to n labels: middle, low, high.

        Args:
            n: Increasing numbers of labels, from those so far to `FARTHEST` times as many.
        """
        rise = self.fit.terms(n) @ np.array(self.calibration.rise)
        value = self.fit.best + rise * self.fit.scale(n)
        low, high = self._ends(value, n, self.calibration.best)
        middle, low, high = (
            np.maximum.accumulate(np.maximum(curve, self.fit.best)) for curve in (value, low, high)
        )
        return np.minimum(middle, 1.0), low, high

    def labels_to(self, accuracy: float) -> Interval:
        """Return after how many labels in all an accuracy will first be measured.

        The ends are where the band of `best_with` reaches it; what is not reached within four times
        the labels so far is infinite.

        Raises:
            UsageError: Not an accuracy.
        """
        if not 0.0 < accuracy <= 1.0:
            raise UsageError(f"an accuracy is a share above 0 and at most 1, got {accuracy!r}")
        n = np.arange(np.ceil(self.n), np.floor(FARTHEST * self.n) + 1.0)
        value, low, high = self.best_with(n)
        return Interval(*(_first(n, curve >= accuracy) for curve in (value, high, low)))

    def random_needs(self, accuracy: float) -> Interval:
        """Return how many labels random choice would take, by what it took in simulations."""
        own, ratio = self.labels_to(accuracy), self.calibration.random_ratio
        return Interval(own.value * ratio.value, own.low * ratio.low, own.high * ratio.high)

    def _ends(self, value: Floats, n: Floats, ends: Ends) -> tuple[Floats, Floats]:
        """Return the ends of 90 % intervals around values, within [0, 1]."""
        scale, bounds = self.fit.scale(n), np.array(ends)[get_range(n / self.n)]
        low, high = (np.clip(value + bounds[:, k] * scale, 0.0, 1.0) for k in (0, 1))
        return low, high


def get_range(ratio: Floats) -> Ints:
    """Return in which of the ranges of `RATIOS` multiples of the labels so far lie."""
    return np.minimum(np.searchsorted(RATIOS, ratio), len(RATIOS) - 1)


def _first(n: Floats, reached: np.ndarray) -> float:
    return float(n[np.argmax(reached)]) if reached.any() else float("inf")


def forecast(n: Sequence[float], a: Sequence[float], *, of: int | None = None) -> Forecast:
    """Return the forecast from a learning curve.

    Args:
        n: Labels, increasing; at least five points.
        a: Accuracies measured with them on rows that were drawn at random and kept apart.
        of: Number of these rows; the intervals grow by their standard error. None for so many
            that it does not matter.

    Raises:
        UsageError: A curve that cannot be used, or no rows.
    """
    if of is not None and of < 1:
        raise UsageError(f"accuracies are measured on at least one row, got {of}")
    return Forecast(fit_curve(n, a, of), _calibration())


@cache
def _calibration() -> Calibration:
    held: Mapping[str, Any] = read_json(CALIBRATION)
    return Calibration(
        held["accuracy"], held["best"], held["rise"], Interval(*map(float, held["random_ratio"]))
    )


def conformal_ends(errors: Sequence[Floats], share: float = 0.9) -> tuple[float, float]:
    """Return the ends between which the error on a new data set lies with the given probability.

    Data sets are exchangeable and their errors are not independent, so every data set weighs the
    same: ends are quantiles of the pooled errors with those weights, at levels widened by
    ``1 + 1 / m`` for m data sets. Source: Dunn, Wasserman and Ramdas (2023), "Distribution-free
    prediction sets for two-layer hierarchical models", JASA (pooling of distributions).

    Args:
        errors: Errors of every data set, in any number.
        share: Coverage.
    """
    kept = [np.asarray(e, dtype=np.float64) for e in errors if len(e)]
    values = np.concatenate(kept)
    weights = np.concatenate([np.full(len(e), 1.0 / (len(kept) * len(e))) for e in kept])
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    tail = (1.0 - share) / 2.0
    upper = min((1.0 - tail) * (1.0 + 1.0 / len(kept)), 1.0)
    high = values[order][np.searchsorted(cumulated, upper - 1e-12).clip(max=len(values) - 1)]
    below = np.cumsum(weights[order][::-1])
    low = values[order][::-1][np.searchsorted(below, upper - 1e-12).clip(max=len(values) - 1)]
    return float(low), float(high)
