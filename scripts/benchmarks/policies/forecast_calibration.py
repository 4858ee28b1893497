"""Calibrating the forecast on curves of synthetic data sets.

One half of the data sets gives the weights of the rise of the best accuracy, by median regression;
the other half the errors of what they forecast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from lal.arrays import Bools, Floats
from lal.errors import UsageError
from lal.labelling.forecast import (
    FARTHEST,
    FEWEST_POINTS,
    RATIOS,
    conformal_ends,
    fit_curve,
    get_range,
)
from lal.rng import generator
from lal.serialization import write_json
from scripts.benchmarks.base import Results
from scripts.benchmarks.policies.forecast_curves import Curves

LOOKS = 40
"""Looks ahead of a data set that the weights are fitted to, at most."""


@dataclass(frozen=True)
class Looks:
    """Looks ahead on the curves of a data set, from every point on to every later one.

    Attributes:
        ratio: Labels there as multiples of those so far.
        error: Accuracy there less that of the law, in units of `Fit.scale`.
        rise: Best accuracy up to there less the best so far, in the same units.
        first: Whether its accuracy is first reached there.
        terms: What `rise` is explained by; see `Fit.terms`.
    """

    ratio: Floats
    error: Floats
    rise: Floats
    first: Bools
    terms: Floats


def look_ahead(runs: Sequence[Curves]) -> Looks:
    """Return all looks ahead on the curves of a data set."""
    parts = [_looks(curves, seen) for curves in runs for seen in _starts(curves)]
    return Looks(*(np.concatenate(fields) for fields in zip(*parts, strict=True)))


def _starts(curves: Curves) -> range:
    return range(FEWEST_POINTS, len(curves.n))


def _looks(curves: Curves, seen: int) -> tuple[Floats, Floats, Floats, Bools, Floats]:
    n, a = curves.n, curves.a
    fit = fit_curve(n[:seen].tolist(), a[:seen].tolist(), curves.of)
    later = slice(seen, int(np.searchsorted(n, FARTHEST * fit.n, side="right")))
    ahead, scale = n[later], fit.scale(n[later])
    best = np.maximum.accumulate([fit.best, *a[later]])
    error, rise = (a[later] - fit.law(ahead)) / scale, (best[1:] - fit.best) / scale
    return ahead / fit.n, error, rise, best[1:] > best[:-1], fit.terms(ahead)


def calibrate(path: Path, by_data: Sequence[Sequence[Curves]], results: Results) -> None:
    """Write the calibration, and add its rows.

    Raises:
        UsageError: Curves too short.
    """
    long = [[c for c in runs if len(c.n) > FEWEST_POINTS] for runs in by_data]
    looks = [look_ahead(runs) for runs in long if runs]
    learned, others = looks[::2], looks[1::2]
    if not others:
        raise UsageError("no two data sets have curves long enough; raise --labels or --draws")
    rise = fit_rise(learned)
    accuracy = _ends([(x.ratio, x.error) for x in looks])
    best = _best_ends(others, rise)
    for times, law, most in zip(RATIOS, accuracy, best, strict=True):
        cells = {"accuracy": law, "best accuracy": most}
        shown = {what: f"{low:+.2f} to {high:+.2f}" for what, (low, high) in cells.items()}
        results.add("calibration", {"labels, times": times, **shown})
    ratio = _random_ratio(by_data)
    results.note(f"random needs {ratio[0]:.2f} times the labels [{ratio[1]:.2f}, {ratio[2]:.2f}]")
    held = {"accuracy": accuracy, "best": best, "rise": rise.tolist(), "random_ratio": ratio}
    write_json(path, {**held, "data sets": len(looks)})


def fit_rise(looks: Sequence[Looks]) -> Floats:
    """Return the weights of the terms: a median regression in which data sets weigh the same."""
    from sklearn.linear_model import QuantileRegressor

    rng = generator(0, "forecast", "rise")
    kept = [rng.permutation(len(x.rise))[:LOOKS] for x in looks]
    terms = np.concatenate([x.terms[rows] for x, rows in zip(looks, kept, strict=True)])
    rise = np.concatenate([x.rise[rows] for x, rows in zip(looks, kept, strict=True)])
    weights = np.concatenate([np.full(len(rows), 1.0 / len(rows)) for rows in kept])
    model = QuantileRegressor(quantile=0.5, alpha=0.0, fit_intercept=False)
    found: Floats = model.fit(terms, rise, sample_weight=weights).coef_
    return found


def _ends(errors: Sequence[tuple[Floats, Floats]]) -> list[list[float]]:
    """Return the ends in every range, from (ratios, errors) of every data set."""
    found = []
    for k, ratio in enumerate(RATIOS):
        inside = [error[get_range(ratios) == k] for ratios, error in errors]
        if not any(map(len, inside)):
            raise UsageError(f"no curve looks {ratio:g} times ahead; raise --labels")
        found.append(list(conformal_ends(inside)))
    return found


def _best_ends(looks: Sequence[Looks], rise: Floats) -> list[list[float]]:
    """Return the ends of the best accuracy in every range.

    The lower ones are of all looks: they say by when an accuracy is reached at the latest, if it is
    at all. The upper ones are of the looks where an accuracy is first reached, which are the lucky
    ones: they say when at the earliest.
    """
    errors = [x.rise - x.terms @ rise for x in looks]
    every = [(x.ratio, error) for x, error in zip(looks, errors, strict=True)]
    first = [(x.ratio[x.first], error[x.first]) for x, error in zip(looks, errors, strict=True)]
    return [[low, high] for (low, _), (_, high) in zip(_ends(every), _ends(first), strict=True)]


def _random_ratio(by_data: Sequence[Sequence[Curves]]) -> list[float]:
    """Return the median and the ends of 90 % of labels of random by labels of the policy."""
    ratios = [np.log(random_ratios(curves)) for curves in chain.from_iterable(by_data)]
    values = [np.median(np.concatenate(ratios)), *conformal_ends(ratios)]
    return [float(x) for x in np.exp(values)]


def random_ratios(curves: Curves) -> Floats:
    """Return labels of random by labels of the policy, at each accuracy that both reach.

    Accuracies of the start, whose labels they share, are left out.
    """
    n, (best, other) = curves.n, map(np.maximum.accumulate, (curves.a, curves.random))
    shared = [x for x in best if best[0] < x <= other[-1]]
    ratios = [n[np.argmax(other >= x)] / n[np.argmax(best >= x)] for x in shared]
    return np.array(ratios or [1.0])
