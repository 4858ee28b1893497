"""Effects on the listed sets: seeded stratified bootstrap, effect size, corrected t, power."""

from collections.abc import Callable

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.evaluation.analysis.bootstrap import Interval
from lal.evaluation.analysis.statistics import ALPHA

Statistic = Callable[..., float]
"""From one or several tables of runs, each of shape (runs, D), to a number."""


def stratified_interval(
    statistic: Statistic,
    *tables: Floats,
    rng: np.random.Generator,
    n_samples: int = 2_000,
    level: float = 0.95,
) -> Interval:
    """Return a statistic of runs with a percentile interval; runs are redrawn within each set.

    For `iqm`, `probability_of_improvement` and points of a `performance_profile`, as Agarwal et
    al. (2021) do. Sets are kept, so it speaks of these sets. All draws come from `rng`.

    Args:
        statistic: What is asked.
        *tables: Runs of each strategy, shape (runs, D).
        rng: Source of all draws.
        n_samples: Bootstrap samples.
        level: Coverage.
    """
    values = [np.asarray(table, dtype=np.float64) for table in tables]
    if not values or any(v.ndim != 2 or v.size == 0 for v in values):
        raise UsageError("expected tables of shape (runs, data sets), at least one run and set")
    draws = np.empty(n_samples)
    for i in range(n_samples):
        draws[i] = statistic(*(_redrawn(v, rng) for v in values))
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(statistic(*values), float(low), float(high), level, "these_sets")


def _redrawn(values: Floats, rng: np.random.Generator) -> Floats:
    rows = rng.integers(len(values), size=values.shape)
    drawn: Floats = np.take_along_axis(values, rows, axis=0)
    return drawn


def effect_size(set_gains: Floats) -> float:
    """Return Cohen's d_z over data sets: mean gain over the deviation of gains; nan for one set."""
    gains = np.asarray(set_gains, dtype=np.float64)
    if len(gains) < 2:
        return float("nan")
    if np.ptp(gains) == 0:
        return 0.0 if gains[0] == 0 else float(np.copysign(np.inf, gains[0]))
    return float(gains.mean() / gains.std(ddof=1))


def corrected_t_p(differences: Floats, test_share: float) -> float:
    """Return the two-sided p-value of the corrected resampled t-test (Nadeau & Bengio 2003).

    Splits of one data set overlap, so the variance of their mean is
    ``s^2 (1/J + n_test/n_train)`` and not ``s^2 / J``.

    Args:
        differences: Paired differences of J splits of one data set, shape (J,).
        test_share: Share of the rows that is tested on.
    """
    from scipy.stats import t

    d = np.asarray(differences, dtype=np.float64)
    if len(d) < 2 or not 0 < test_share < 1:
        raise UsageError(
            f"the corrected test needs two splits and a test share between 0 and 1, got {len(d)} "
            f"and {test_share}"
        )
    variance = d.var(ddof=1) * (1 / len(d) + test_share / (1 - test_share))
    if variance == 0:
        return 1.0 if d[0] == 0 else 0.0
    return float(2 * t.sf(abs(d.mean()) / np.sqrt(variance), len(d) - 1))


def expected_power(
    effect: float, n_sets: int, n_runs: int, *, between: float, within: float
) -> float:
    """Return the probability that the primary test finds a true mean difference.

    The rank test and the hierarchical interval must agree, and the interval is the stricter:
    redrawing runs within redrawn sets counts their noise twice. With
    ``s^2 = (between^2 + within^2 / n_runs) / n_sets`` and ``s2`` the same with twice the second
    term, it is ``Phi((effect - z_0.975 s2) / s)``.

    Args:
        effect: True mean difference.
        n_sets: Data sets.
        n_runs: Paired runs of each.
        between: Standard deviation of the true difference between data sets.
        within: Standard deviation of one paired run.
    """
    from scipy.stats import norm

    noise = within**2 / n_runs
    error = np.sqrt((between**2 + noise) / n_sets)
    wide = np.sqrt((between**2 + 2 * noise) / n_sets)
    return float(norm.cdf((effect - norm.ppf(1 - ALPHA) * wide) / error))
