"""The forecast: how many more labels an accuracy will take, from the learning curve so far.

A power law is fitted to the curve, and its errors on simulated projects say how far it can be off:
intervals are conformal, calibrated on episodes of data sets that the fit had not seen the end of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lal.arrays import Floats
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
        value: The forecast; infinite when the law never gets there within the range.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """What the curve so far says about more labels.

    Attributes:
        law: The fitted power law.
        n: Labels so far.
        accuracy: The accuracy with them, as the law has it.
        quantiles: Lower and upper error, in units of `error_scale`, of every range of `RATIOS`.
        random_ratio: Labels that random choice needs as a multiple of the policy's: the median
            and the ends of 90 % of the simulated projects.
        noise: Standard error of the accuracies.
    """

    law: PowerLaw
    n: float
    accuracy: float
    quantiles: Sequence[tuple[float, float]]
    random_ratio: Interval
    noise: float = 0.0

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
        value, low, high = self._band(np.array([n]))
        return Interval(float(value[0]), float(low[0]), float(high[0]))

    def labels_to(self, accuracy: float) -> Interval:
        """Return how many labels in all an accuracy will take.

        The ends are where the band of `accuracy_with` first reaches it; what is not reached within
        four times the labels so far is infinite.

        Raises:
            UsageError: Not an accuracy.
        """
        if not 0.0 < accuracy <= 1.0:
            raise UsageError(f"an accuracy is a share above 0 and at most 1, got {accuracy!r}")
        n = np.arange(np.ceil(self.n), np.floor(FARTHEST * self.n) + 1.0)
        value, low, high = self._band(n)
        return Interval(*(_first(n, curve >= accuracy) for curve in (value, high, low)))

    def random_needs(self, accuracy: float) -> Interval:
        """Return how many labels random choice would take, by what it took in simulations."""
        own, ratio = self.labels_to(accuracy), self.random_ratio
        return Interval(own.value * ratio.value, own.low * ratio.low, own.high * ratio.high)

    def _band(self, n: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the law with the ends of its 90 % interval, neither falling nor beyond [0, 1]."""
        value: Floats = self.law(n)
        scale = error_scale(self.law, self.accuracy, n, self.noise)
        place = np.searchsorted(RATIOS, n / self.n)
        ends = np.array(self.quantiles)[np.minimum(place, len(RATIOS) - 1)]
        low, high = value + ends[:, 0] * scale, value + ends[:, 1] * scale
        return value, np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


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
    law = fit_power_law(n, a)
    held = _calibration()
    last = float(np.asarray(n, dtype=np.float64)[-1])
    quantiles = [(float(low), float(high)) for low, high in held["quantiles"]]
    ratio = Interval(*map(float, held["random_ratio"]))
    accuracy = float(law(last))
    return Forecast(law, last, accuracy, quantiles, ratio, standard_error(accuracy, of))


@cache
def _calibration() -> Mapping[str, Any]:
    found: Mapping[str, Any] = read_json(CALIBRATION)
    return found


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
