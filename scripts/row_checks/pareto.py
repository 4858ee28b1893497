"""Row 17: the Pareto front of two objectives."""

import numpy as np

from lal.arrays import Floats
from lal.rng import generator
from lal.search.pareto import EpsilonPAL, hypervolume, pareto_mask, reaches
from scripts.row_checks.base import Outcome, all_of

EPSILON = 0.02
"""Share of an objective's range."""


def objectives(seed: int, n: int = 200) -> tuple[Floats, Floats]:
    """Return designs in the unit square and two smooth objectives in 0 to 1, drawn from the seed.

    Each is a sum of 60 random cosines, which a squared-exponential kernel of length 0.35 gives.
    """
    rng = generator(seed, "objectives")
    X = rng.random((n, 2))
    frequencies = rng.normal(size=(2, 60, 2)) / 0.35
    phases = rng.uniform(0.0, 2.0 * np.pi, (2, 60))
    Y = np.cos(np.einsum("jfd,nd->njf", frequencies, X) + phases).sum(axis=2)
    return X, (Y - Y.min(axis=0)) / np.ptp(Y, axis=0)


def pareto_pal() -> Outcome:
    """The returned front lies within epsilon, for fewer evaluations than random needs."""
    good, errors, ours, random = [], [], [], []
    for seed in range(20):
        X, Y = objectives(seed)
        found = EpsilonPAL(X, epsilon=EPSILON, seed=seed).run(Y.__getitem__)
        front = Y[found.front]
        beaten = reaches(Y, front + EPSILON + 1e-9).any()
        covered = reaches(front + EPSILON + 1e-9, Y[pareto_mask(Y)]).any(axis=0).all()
        good.append(bool(found.decided and covered and not beaten))
        whole = hypervolume(Y, np.zeros(2))
        errors.append(1.0 - hypervolume(front, np.zeros(2)) / whole)
        ours.append(len(found.evaluated))
        random.append(_random(Y, whole, max(errors[-1], 0.01), seed))
    fewer = float(np.mean(np.array(ours) < np.array(random)))
    return all_of(
        (float(np.mean(good)) >= 0.95, f"front within epsilon {EPSILON} in {sum(good)} of 20"),
        (
            float(np.mean(np.array(errors) <= 0.01)) >= 0.95,
            f"hypervolume error {100 * np.mean(errors):.2f} %, {100 * max(errors):.2f} % at most",
        ),
        (
            fewer >= 0.8,
            f"{np.mean(ours):.0f} evaluations of 200, random {np.mean(random):.0f} for an error of "
            f"1 %; fewer in {100 * fewer:.0f} %",
        ),
    )


def _random(Y: Floats, whole: float, error: float, seed: int) -> int:
    """Return how many random evaluations the hypervolume's error needs to be as small."""
    order = generator(seed, "random designs").permutation(len(Y))
    for n in range(1, len(Y) + 1):
        if 1.0 - hypervolume(Y[order[:n]], np.zeros(2)) / whole <= error:
            return n
    return len(Y)
