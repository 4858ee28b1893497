"""The forecast: calibrate it on synthetic data sets, and test it on others.

``--calibrate FILE`` writes the errors of forecasts on data sets of the prior. Without it, the
shipped calibration is tested on a suite: how often intervals hold, and how far the labels to reach
an accuracy are off, next to PALM and to the power law alone.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lal.arrays import Floats
from lal.data.suites import load_suite
from lal.errors import UsageError
from lal.labelling.forecast import FARTHEST, FEWEST_POINTS, forecast
from lal.rng import generator
from scripts.benchmarks.base import Benchmark, Results
from scripts.benchmarks.policies.forecast_calibration import calibrate
from scripts.benchmarks.policies.forecast_curves import STEP, CurveConfig, Curves, Job, get_curves
from scripts.benchmarks.policies.palm import fit_palm

COMPARED_AT = (5, 8, 12, 16)
"""Points of the curve from which PALM, the power law and the forecast are compared."""

FITS = ("forecast", "power law", "PALM")
"""What is compared; the accuracies of the forecast are those of the power law."""


@dataclass(frozen=True, kw_only=True)
class Config(CurveConfig):
    """What is labelled, by what, and how often."""

    calibrate: Path | None = None
    """Write the calibration here, from the prior, instead of testing."""

    draws: int = 240
    """Data sets of the prior."""

    runs: int = 2
    """Runs a data set of the suite."""

    jobs: int = 1
    """Processes."""


def run(config: Config, results: Results) -> None:
    """Calibrate, or test.

    Raises:
        UsageError: No data set can be used, or the curves are too short for a calibration.
    """
    if config.calibrate is not None:
        jobs: list[Job] = [(config, "", k) for k in range(config.draws)]
    else:
        names = load_suite(config.suite).names
        jobs = [(config, name, k) for name in names for k in range(config.runs)]
    with ProcessPoolExecutor(config.jobs) as pool:
        found = list(pool.map(get_curves, jobs))
    by_data: dict[str, list[Curves]] = {}
    for (_, name, k), curves in zip(jobs, found, strict=True):
        if curves is not None:
            by_data.setdefault(name or f"prior {k}", []).append(curves)
    if not by_data:
        raise UsageError("no data set is large enough for a curve; lower --labels")
    if config.calibrate is not None:
        calibrate(config.calibrate, list(by_data.values()), results)
    else:
        _test(by_data, results)


def _test(by_data: dict[str, list[Curves]], results: Results) -> None:
    looks = [found for runs in by_data.values() if (found := [x for c in runs for x in _looks(c)])]
    inside = [np.mean([held for held, _, _ in found]) for found in looks]
    firsts = [(held, x) for found in looks for _, held, x in found if x is not None]
    results.add(
        "coverage",
        {
            "data sets": len(looks),
            "accuracy inside the interval": f"{100 * np.mean(inside):.0f} %",
            "labels inside the interval": f"{100 * np.mean([h for h, _ in firsts]):.0f} %",
            "median error of labels to reach": f"{np.median([x for _, x in firsts]):.0%}",
        },
    )
    errors = [e for runs in by_data.values() if (e := [x for c in runs for x in _errors(c)])]
    if not errors:
        results.note("no curve rises after its fifth point, so fits are not compared")
        return
    _compare(np.array([np.mean(found, axis=0) for found in errors]), results)
    medians = np.median(np.concatenate(errors), axis=0)[len(FITS) :]
    said = ", ".join(f"{name} {error:.0%}" for name, error in zip(FITS, medians, strict=True))
    results.note(f"labels to reach, median absolute error over all looks ahead: {said}")


def _compare(errors: Floats, results: Results) -> None:
    """Add the mean errors of all fits, and what the forecast's are less than the others', paired.

    Args:
        errors: Of every data set: of the accuracy by every fit, then of the labels by every fit.
        results: Where the rows go.
    """
    accuracy, labels = np.hsplit(errors, 2)
    for k, name in enumerate(FITS):
        results.add(
            "comparison",
            {
                "fit": name,
                "data sets": len(errors),
                "accuracy, mean absolute error in points": f"{100 * accuracy[:, k].mean():.2f}",
                "labels to reach, mean absolute error": f"{labels[:, k].mean():.0%}",
                "labels to reach, median over data sets": f"{np.median(labels[:, k]):.0%}",
            },
        )
    for other, what, values in (
        ("PALM", "accuracy, points", accuracy),
        ("PALM", "labels to reach, %", labels),
        ("power law", "labels to reach, %", labels),
    ):
        gap = 100 * (values[:, 0] - values[:, FITS.index(other)])
        rng = generator(0, "forecast", other, what)
        draws = rng.choice(gap, size=(10_000, len(gap)))
        row = {"forecast minus": other, "error": what}
        for column, average in (("mean", np.mean), ("median", np.median)):
            low, high = np.quantile(average(draws, axis=1), [0.025, 0.975])
            row[f"{column} over data sets"] = f"{average(gap):+.2f} [{low:+.2f}, {high:+.2f}]"
        row["nearer / farther"] = f"{(gap < 0).sum()} / {(gap > 0).sum()}"
        results.add("difference", row)


def _errors(curves: Curves) -> Iterator[list[float]]:
    """Yield absolute errors of all fits where a look ahead first reaches an accuracy.

    Those of the accuracy, then the relative ones of the labels to reach it, which are at most four
    times the labels so far.
    """
    n, a = curves.n, curves.a
    for seen in (k for k in COMPARED_AT if k < len(n)):
        said = forecast(n[:seen].tolist(), a[:seen].tolist(), of=curves.of)
        grid = np.arange(n[seen - 1], FARTHEST * n[seen - 1] + 1.0)
        law = said.fit.law(grid)
        fitted = fit_palm(n[:seen], a[:seen], STEP)
        palm = law if fitted is None else fitted(grid)
        reached = (said.best_with(grid)[0], law, palm)
        for later in range(seen, len(n)):
            if n[later] <= grid[-1] and a[later] > a[:later].max():
                at = int(n[later] - grid[0])
                needs = (_need(grid, curve, a[later]) for curve in reached)
                yield [abs(float(curve[at]) - a[later]) for curve in (law, law, palm)] + [
                    abs(need - n[later]) / n[later] for need in needs
                ]


def _need(grid: Floats, curve: Floats, accuracy: float) -> float:
    """Return the labels with which a curve first reaches an accuracy, the most if it does not."""
    return float(grid[np.argmax(curve >= accuracy)] if (curve >= accuracy).any() else grid[-1])


def _looks(curves: Curves) -> Iterator[tuple[bool, bool, float | None]]:
    """Yield of every look ahead whether the intervals hold, and the relative error of labels."""
    n, a = curves.n, curves.a
    for seen in range(FEWEST_POINTS, len(n)):
        said = forecast(n[:seen].tolist(), a[:seen].tolist(), of=curves.of)
        for later in range(seen, len(n)):
            if n[later] > FARTHEST * said.n:
                break
            band = said.accuracy_with(float(n[later]))
            held = bool(band.low <= a[later] <= band.high)
            labels, error = True, None
            if a[later] > a[:later].max():  # first reached there
                need = said.labels_to(float(a[later]))
                labels = bool(need.low <= n[later] and n[later - 1] < need.high)
                error = abs(min(need.value, FARTHEST * said.n) - n[later]) / n[later]
            yield held, labels, error


main = Benchmark("forecast", Config, run)
