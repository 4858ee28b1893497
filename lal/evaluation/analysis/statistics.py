"""Tests over data sets; every random draw comes from a generator that is passed in."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.evaluation.analysis.bootstrap import Interval, Paired, bootstrap_interval

ALPHA = 0.025
"""One-sided level of the primary test."""

ROPE = 0.002
"""Half-width of the region of practical equivalence: 0.2 points of accuracy."""


def wilcoxon_greater(gains: Floats) -> float:
    """Return the one-sided p-value of the signed-rank test that gains are above 0.

    Zeros are kept with Pratt's rule; gains that are all zero give 1.

    Args:
        gains: One number per data set, shape (D,).
    """
    from scipy.stats import wilcoxon

    x = np.asarray(gains, dtype=np.float64)
    if len(x) == 0:
        raise UsageError("the signed-rank test needs at least one data set")
    if not x.any():
        return 1.0
    return float(wilcoxon(x, zero_method="pratt", alternative="greater").pvalue)


@dataclass(frozen=True)
class PrimaryTest:
    """The single pre-registered test: rank test and interval must agree."""

    p: float
    interval: Interval | None
    rejected: bool


def primary_test(
    paired: Paired, rng: np.random.Generator, *, alpha: float = ALPHA, n_samples: int = 10_000
) -> PrimaryTest:
    """Return the test that a strategy is better on new data sets.

    The signed-rank test over set means and the hierarchical bootstrap interval must both say so.
    The interval is only drawn where the rank test rejects.
    """
    p = wilcoxon_greater(paired.set_means())
    if p > alpha:
        return PrimaryTest(p, None, rejected=False)
    interval = bootstrap_interval(paired, rng, n_samples=n_samples, level=1 - 2 * alpha)
    return PrimaryTest(p, interval, rejected=interval.low > 0)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values adjusted by Holm's step-down rule, by name."""
    adjusted: dict[str, float] = {}
    running = 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        running = max(running, min(1.0, (len(p_values) - rank) * p))
        adjusted[name] = running
    return {name: adjusted[name] for name in p_values}


@dataclass(frozen=True)
class Rope:
    """Posterior probabilities that one is practically worse, equal, or better."""

    worse: float
    equal: float
    better: float


def signed_rank_rope(
    gains: Floats,
    rng: np.random.Generator,
    *,
    rope: float = ROPE,
    prior: float = 0.5,
    n_samples: int = 20_000,
) -> Rope:
    """Return the Bayesian signed-rank test (Benavoli et al. 2014) with a region of equivalence.

    A Dirichlet process with one pseudo-observation at 0 of strength `prior`; the answer is the
    share of posterior draws in which each region holds most of the Walsh averages.

    Args:
        gains: One number per data set, shape (D,).
        rng: Source of the posterior draws.
        rope: Half-width of the region, in the units of the gains.
        prior: Strength of the pseudo-observation.
        n_samples: Posterior draws.
    """
    z = np.concatenate([[0.0], np.asarray(gains, dtype=np.float64)])
    sums = z[:, None] + z[None, :]
    strength = np.ones(len(z))
    strength[0] = prior
    mass = np.zeros((n_samples, 3))
    above, below = np.heaviside(sums - 2 * rope, 0.5), np.heaviside(-sums - 2 * rope, 0.5)
    for begin in range(0, n_samples, 2000):
        rows = slice(begin, min(begin + 2000, n_samples))
        w = rng.dirichlet(strength, rows.stop - begin)
        mass[rows, 0] = np.sum((w @ below) * w, axis=1)
        mass[rows, 2] = np.sum((w @ above) * w, axis=1)
    mass[:, 1] = 1 - mass[:, 0] - mass[:, 2]
    most = np.bincount(np.argmax(mass, axis=1), minlength=3) / n_samples
    return Rope(float(most[0]), float(most[1]), float(most[2]))


def penalty_matrix(curves: Floats, *, alpha: float = 0.05, ceiling: float | None = None) -> Floats:
    """Return the pairwise penalty matrix of one data set (Ash et al. 2020), shape (S, S).

    At each budget where a paired t-test over runs is significant, the loser's row gains
    ``1 / budgets`` in the winner's column. Neighbouring budgets are dependent: descriptive only.

    Args:
        curves: Metric by strategy, run and budget, shape (S, runs, T).
        alpha: Level of each t-test.
        ceiling: Budgets at which any of a pair's means is above this are left out.
    """
    from scipy.stats import ttest_rel

    curves = np.asarray(curves, dtype=np.float64)
    S, _, T = curves.shape
    matrix = np.zeros((S, S))
    means = curves.mean(axis=1)
    for i in range(S):
        for j in range(i + 1, S):
            moving = np.ptp(curves[i] - curves[j], axis=0) > 0
            if ceiling is not None:
                moving &= np.maximum(means[i], means[j]) <= ceiling
            if not moving.any():
                continue
            t, p = ttest_rel(curves[i][:, moving], curves[j][:, moving], axis=0)
            matrix[i, j] = np.sum((p < alpha) & (t < 0)) / T
            matrix[j, i] = np.sum((p < alpha) & (t > 0)) / T
    return matrix


def detectable_difference(
    n_sets: int, n_runs: int, *, between: float, within: float, power: float = 0.8
) -> float:
    """Return the smallest mean difference found with the given power at one-sided level 2.5 %.

    ``(z_0.975 + z_power) * sqrt((between^2 + within^2 / n_runs) / n_sets)``

    Args:
        n_sets: Data sets.
        n_runs: Paired runs of each.
        between: Standard deviation of the true difference between data sets.
        within: Standard deviation of one paired run.
        power: Wanted probability of finding it.
    """
    from scipy.stats import norm

    factor = float(norm.ppf(1 - ALPHA) + norm.ppf(power))
    return factor * float(np.sqrt((between**2 + within**2 / n_runs) / n_sets))


def spread(paired: Paired) -> tuple[float, float]:
    """Return the standard deviations between data sets (true part) and of one paired run.

    The variance of set means holds ``within^2 / runs`` of noise, which is taken off.
    """
    leaves = paired.over_learners()
    groups = [leaves.values[leaves.dataset == d] for d in np.unique(leaves.dataset)]
    freedom = sum(len(g) - 1 for g in groups)
    within2 = sum(((g - g.mean()) ** 2).sum() for g in groups) / freedom if freedom else 0.0
    noise = float(np.mean([within2 / len(g) for g in groups]))
    means = [g.mean() for g in groups]
    between2 = max(np.var(means, ddof=1) - noise, 0.0) if len(groups) > 1 else 0.0
    return float(np.sqrt(between2)), float(np.sqrt(within2))
