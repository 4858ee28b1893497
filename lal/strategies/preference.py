"""BALD on preferences: which of two items is better, and which pair tells most about all."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.strategies.probit import probit_information

STEPS, JITTER = 30, 1e-8
"""Newton steps to the mode of the posterior; added to the diagonal of a kernel."""


def preference_kernel(K: Floats, pairs: Ints, others: Ints) -> Floats:
    """Return the covariance of differences ``f(i) - f(j)`` of pairs (i, j), shape (n, m).

    ``k((i, j), (k, l)) = K_ik + K_jl - K_il - K_jk``. Source: Houlsby, Huszar, Ghahramani & Lengyel
    (2011), "Bayesian active learning for classification and preference learning", section 4.

    Args:
        K: Kernel of the items, shape (N, N).
        pairs: Shape (n, 2).
        others: Shape (m, 2).
    """
    (i, j), (k, m) = pairs.T, others.T
    covariance: Floats = K[np.ix_(i, k)] + K[np.ix_(j, m)] - K[np.ix_(i, m)] - K[np.ix_(j, k)]
    return covariance


def preference_posterior(
    K: Floats, pairs: Ints, asked: Ints, first_is_better: Ints
) -> tuple[Floats, Floats]:
    """Return mean and variance of ``f(i) - f(j)`` for pairs, given answers, each of shape (n,).

    The answer is ``f(i) - f(j) + standard noise > 0``; the posterior is Laplace's approximation.
    Source: Rasmussen & Williams (2006), algorithms 3.1 and 3.2.

    Args:
        K: Kernel of the items, shape (N, N).
        pairs: To predict, shape (n, 2).
        asked: Pairs with an answer, shape (m, 2).
        first_is_better: Answers, 1 where the first item is preferred and 0 otherwise, shape (m,).
    """
    if len(asked) != len(first_is_better):
        raise UsageError(
            f"{len(asked)} pairs have {len(first_is_better)} answers; expected as many"
        )
    prior = (K[i, i] + K[j, j] - 2.0 * K[i, j] for i, j in pairs)
    variance = np.fromiter(prior, dtype=np.float64, count=len(pairs))
    if len(asked) == 0:
        return np.zeros(len(pairs)), variance
    own = preference_kernel(K, asked, asked) + JITTER * np.eye(len(asked))
    sign = 2.0 * np.asarray(first_is_better, dtype=np.float64) - 1.0
    f = np.zeros(len(asked))
    for _ in range(STEPS):
        slope, curvature = _probit(f, sign)
        root = np.sqrt(curvature)
        b = curvature * f + slope
        inner = np.linalg.solve(_inner(own, root), root * (own @ b))
        f = own @ (b - root * inner)
    slope, curvature = _probit(f, sign)
    root = np.sqrt(curvature)
    across = preference_kernel(K, pairs, asked)
    solved = np.linalg.solve(_inner(own, root), root[:, None] * across.T)
    explained = np.einsum("ij,ji->i", across * root, solved)
    return across @ slope, np.maximum(variance - explained, 0.0)


def preference_information(
    K: Floats, pairs: Ints, asked: Ints, first_is_better: Ints
) -> Floats:  # fmt: skip
    """Return what the answer to each pair would say about the items, in bits, shape (n,).

    See `preference_posterior` for the arguments and `lal.strategies.probit` for the formula.
    """
    return probit_information(*preference_posterior(K, pairs, asked, first_is_better))


def _inner(own: Floats, root: Floats) -> Floats:
    inner: Floats = np.eye(len(root)) + root[:, None] * own * root
    return inner


def _probit(f: Floats, sign: Floats) -> tuple[Floats, Floats]:
    """Return the slope of the log-likelihood of answers and minus its curvature, shapes (m,)."""
    from scipy.special import log_ndtr

    z = sign * f
    ratio = np.exp(-0.5 * z**2 - 0.5 * np.log(2.0 * np.pi) - log_ndtr(z))
    return sign * ratio, ratio * (z + ratio)
