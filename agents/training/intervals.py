"""An interval for the mean of paired differences between rollouts."""

import numpy as np

from lal.arrays import Floats


def mean_interval(
    differences: Floats, *, seed: int = 0, draws: int = 4_000
) -> tuple[float, float, float]:
    """Return the mean of paired differences and its 95 % bootstrap interval over tasks."""
    rng = np.random.default_rng(seed)
    n = len(differences)
    means = np.array([differences[rng.integers(n, size=n)].mean() for _ in range(draws)])
    low, high = np.quantile(means, [0.025, 0.975])
    return float(differences.mean()), float(low), float(high)
