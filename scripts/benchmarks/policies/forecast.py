"""The forecast: calibrate it on synthetic data sets, and test its intervals on others.

``--calibrate FILE`` writes the errors of the power law on data sets of the prior. Without it, the
intervals of the shipped calibration are tested on a suite: how often they hold, how wide they are.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lal.arrays import Floats
from lal.data.dataset import Dataset
from lal.data.prior import sample_dataset
from lal.data.suites import load_suite
from lal.episode import run_episode
from lal.errors import DataError, UsageError
from lal.labelling.forecast import (
    FARTHEST,
    FEWEST_POINTS,
    RATIOS,
    conformal_ends,
    error_scale,
    fit_power_law,
    forecast,
)
from lal.labelling.query import load_strategy
from lal.learners import make_learner
from lal.rng import generator, integer_seed
from lal.serialization import write_json
from lal.tasks.splits import make_task
from scripts.benchmarks.base import Benchmark, Cell, Results
from scripts.benchmarks.policies.palm import fit_palm

STEP = 10
"""Labels between points of a curve."""

TEST_SHARE = 0.4
"""Rows of a data set that accuracy is measured on."""

MOST = 0.7
"""Share of the pool that is labelled at most."""

COMPARED_AT = (5, 8, 12, 16)
"""Points of the curve from which PALM and the power law are compared."""

Curves = dict[str, tuple[Floats, Floats]]
"""Labels and test accuracies by strategy."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is labelled, and by what."""

    suite: str = "bundled"
    """Suite or folder that intervals are tested on."""

    calibrate: Path | None = None
    """Write the calibration here, from the prior, instead of testing."""

    draws: int = 80
    """Data sets of the prior."""

    policy: str = "default"
    """What chooses the rows."""

    learner: str = "logistic_regression"
    """What is fitted."""

    labels: int = 200
    """Labels at the end; 70 % of the pool where that is less."""

    max_pool: int = 400
    """Larger pools are sub-sampled."""

    runs: int = 2
    """Runs a data set of the suite."""

    jobs: int = 1
    """Processes."""


def run(config: Config, results: Results) -> None:
    """Calibrate, or test.

    Raises:
        UsageError: No data set can be used, or the curves are too short for a calibration.
    """
    with ProcessPoolExecutor(config.jobs) as pool:
        if config.calibrate is not None:
            jobs = [(config, "", k) for k in range(config.draws)]
        else:
            names = load_suite(config.suite).names
            jobs = [(config, name, k) for name in names for k in range(config.runs)]
        found = list(pool.map(_curves, jobs))
    by_data: dict[str, list[Curves]] = {}
    for (_, name, k), curves in zip(jobs, found, strict=True):
        if curves is not None:
            by_data.setdefault(name or f"prior {k}", []).append(curves)
    if not by_data:
        raise UsageError("no data set is large enough for a curve; lower --labels")
    if config.calibrate is not None:
        _calibrate(config.calibrate, list(by_data.values()), results)
    else:
        _test(by_data, results)


def _curves(job: tuple[Config, str, int]) -> Curves | None:
    """Return the curves of the policy and of random on one task; None where it is too small."""
    config, name, k = job
    seed = integer_seed(0, "forecast", name or "prior", k)
    dataset: Dataset = load_suite(config.suite)[name] if name else sample_dataset(generator(seed))
    pool = min(config.max_pool, int((1.0 - TEST_SHARE) * len(dataset.y)))
    total = min(config.labels, int(MOST * pool)) // STEP * STEP
    try:
        task = make_task(
            dataset,
            make_learner(config.learner),
            seed=seed,
            start=STEP,
            budget=total - STEP,
            test_share=TEST_SHARE,
            max_pool=config.max_pool,
        )
    except (UsageError, DataError):
        return None
    curves = {}
    for strategy in (config.policy, "random"):
        curve = run_episode(load_strategy(strategy), task, seed=seed, batch_size=STEP)
        curves[strategy] = (curve.n_labels.astype(float), curve.metrics["accuracy"])
    return curves


def _errors(curve: tuple[Floats, Floats]) -> list[tuple[float, float, float]]:
    """Return (ratio, error, error in units of its scale) of every look ahead on a curve."""
    n, a = curve
    found = []
    for seen in range(FEWEST_POINTS, len(n)):
        law = fit_power_law(n[:seen].tolist(), a[:seen].tolist())
        last = float(law(n[seen - 1]))
        for later in range(seen, len(n)):
            ratio = n[later] / n[seen - 1]
            if ratio <= FARTHEST:
                error = a[later] - float(law(n[later]))
                found.append((ratio, error, error / float(error_scale(law, last, n[later]))))
    return found


def _calibrate(path: Path, by_data: list[list[Curves]], results: Results) -> None:
    errors = [
        np.array([e for c in runs for e in _errors(next(iter(c.values())))]) for runs in by_data
    ]
    places = [np.searchsorted(RATIOS, e[:, 0]) for e in errors]
    quantiles = []
    for k, ratio in enumerate(RATIOS):
        inside = [e[place == k, 2] for e, place in zip(errors, places, strict=True)]
        if not any(len(e) for e in inside):
            raise UsageError(f"no curve looks {ratio:g} times ahead; raise --labels")
        low, high = conformal_ends(inside)
        quantiles.append([low, high])
        results.add(
            "calibration", {"labels, times": ratio, "low": f"{low:+.2f}", "high": f"{high:+.2f}"}
        )
    ratios = np.log(np.concatenate([_random_ratios(c) for runs in by_data for c in runs]))
    ends = conformal_ends([np.log(_random_ratios(c)) for runs in by_data for c in runs])
    middle = float(np.median(ratios))
    ratio = np.exp([middle, *ends]).tolist()
    results.note(f"random needs {ratio[0]:.2f} times the labels [{ratio[1]:.2f}, {ratio[2]:.2f}]")
    held = {"quantiles": quantiles, "random_ratio": ratio, "data sets": len(by_data)}
    write_json(path, held)


def _random_ratios(curves: Curves) -> Floats:
    """Return labels of random by labels of the policy, at each accuracy that both reach."""
    (n, a), (m, b) = curves.values()
    best, other = np.maximum.accumulate(a), np.maximum.accumulate(b)
    ratios = [m[np.argmax(other >= x)] / n[np.argmax(best >= x)] for x in best if x <= other[-1]]
    return np.array(ratios or [1.0])


def _test(by_data: dict[str, list[Curves]], results: Results) -> None:
    inside, reach, rows = [], [], []
    for runs in by_data.values():
        for curves in runs:
            n, a = next(iter(curves.values()))
            rows.append(_looks(n, a))
    for looks in rows:
        inside.append(np.mean([held for held, _, _ in looks]))
        reach += [(held, error) for _, held, error in looks if error is not None]
    widths = np.array(inside)
    results.add(
        "coverage",
        {
            "data sets": len(by_data),
            "accuracy inside the interval": f"{100 * widths.mean():.0f} %",
            "labels inside the interval": f"{100 * np.mean([h for h, _ in reach]):.0f} %",
            "median error of labels to reach": f"{np.median([e for _, e in reach]):.0%}",
        },
    )
    _compare(by_data, results)


def _compare(by_data: dict[str, list[Curves]], results: Results) -> None:
    """Add the errors of the power law and of PALM on the same looks, and their difference."""
    errors = np.array(
        [
            np.mean(found, axis=0)
            for runs in by_data.values()
            if (found := [e for c in runs for e in _both_errors(*next(iter(c.values())))])
        ]
    )
    if not len(errors):
        results.note("no curve rises after its fifth point, so fits are not compared")
        return
    for k, name in enumerate(("power law", "PALM")):
        results.add(
            "comparison",
            {
                "fit": name,
                "data sets": len(errors),
                "accuracy, mean absolute error in points": f"{100 * errors[:, k].mean():.2f}",
                "labels to reach, mean absolute error": f"{errors[:, 2 + k].mean():.0%}",
                "labels to reach, median over data sets": f"{np.median(errors[:, 2 + k]):.0%}",
            },
        )
    for column, what in ((0, "accuracy, points"), (2, "labels to reach, %")):
        gap = 100 * (errors[:, column] - errors[:, column + 1])
        draws = generator(0, "forecast", what).choice(gap, size=(10_000, len(gap))).mean(axis=1)
        low, high = np.quantile(draws, [0.025, 0.975])
        cells: dict[str, Cell] = {"paired difference, power law minus PALM": what}
        said = f"{gap.mean():+.2f} [{low:+.2f}, {high:+.2f}]"
        results.add("difference", {**cells, "error, mean over data sets": said})


def _both_errors(n: Floats, a: Floats) -> list[list[float]]:
    """Return absolute errors of both fits where a look ahead first reaches an accuracy.

    Those of the accuracy by power law and PALM, then the relative ones of the labels to reach it,
    which are at most four times the labels so far.
    """
    found = []
    for seen in (k for k in COMPARED_AT if k < len(n)):
        grid = np.arange(n[seen - 1], FARTHEST * n[seen - 1] + 1.0)
        law = fit_power_law(n[:seen].tolist(), a[:seen].tolist())
        other = fit_palm(n[:seen], a[:seen], STEP)
        curves = [law(grid), law(grid) if other is None else other(grid)]
        for later in range(seen, len(n)):
            if n[later] <= grid[-1] and a[later] > a[:later].max():
                at = int(n[later] - grid[0])
                needs = [grid[np.argmax(c >= a[later])] if (c >= a[later]).any() else grid[-1]
                         for c in curves]  # fmt: skip
                found.append(
                    [abs(float(c[at]) - a[later]) for c in curves]
                    + [abs(need - n[later]) / n[later] for need in needs]
                )
    return found


def _looks(n: Floats, a: Floats) -> list[tuple[bool, bool, float | None]]:
    """Return of every look ahead whether the intervals hold, and the relative error of labels."""
    found = []
    for seen in range(FEWEST_POINTS, len(n)):
        said = forecast(n[:seen].tolist(), a[:seen].tolist())
        for later in range(seen, len(n)):
            if n[later] > FARTHEST * n[seen - 1]:
                break
            band = said.accuracy_with(float(n[later]))
            held = band.low <= a[later] <= band.high
            labels, error = True, None
            if a[later] > a[:later].max():  # first reached there
                need = said.labels_to(float(a[later]))
                labels = need.low <= n[later] and n[later - 1] < need.high
                value = min(need.value, FARTHEST * n[seen - 1])
                error = abs(value - n[later]) / n[later]
            found.append((held, labels, error))
    return found


main = Benchmark("forecast", Config, run)
