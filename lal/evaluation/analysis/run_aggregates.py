"""Aggregates over training runs: the interquartile mean with a stratified bootstrap interval.

Source: Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice"
(NeurIPS 2021): with few runs the mean follows outliers and the median ignores most of the runs.
"""

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.evaluation.analysis.bootstrap import Interval

TRIMMED = 4
"""The interquartile mean leaves out one in this many scores at each end, rounded down."""


def interquartile_mean(scores: Floats) -> Floats:
    """Return the mean of the middle half of the scores, over the last two axes.

    Args:
        scores: Shape (..., runs, tasks); the middle half is that of all runs x tasks together.
    """
    flat = np.sort(scores.reshape(*scores.shape[:-2], -1), axis=-1)
    cut = flat.shape[-1] // TRIMMED
    mean: Floats = flat[..., cut : flat.shape[-1] - cut].mean(axis=-1)
    return mean


def interquartile_interval(
    scores: Floats, rng: np.random.Generator, *, n_samples: int = 10_000, level: float = 0.95
) -> Interval:
    """Return the interquartile mean with its percentile interval over new training runs.

    Runs are resampled within each task, tasks are kept: the claim is about these tasks and new
    seeds.

    Args:
        scores: One score a run and task, shape (runs, tasks).
        rng: Source of all draws.
        n_samples: Bootstrap samples.
        level: Coverage.

    Raises:
        UsageError: There are no scores.
    """
    if scores.ndim != 2 or scores.size == 0:
        raise UsageError(
            f"scores must have shape (runs, tasks), none of them 0; got {scores.shape}"
        )
    runs, tasks = scores.shape
    drawn = rng.integers(runs, size=(n_samples, runs, tasks))
    means = interquartile_mean(scores[drawn, np.arange(tasks)])
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    mean = float(interquartile_mean(scores))
    return Interval(mean, float(low), float(high), level, "new_runs")
