"""Rows 10, 13 (closed form) and 48: Gaussian designs."""

from itertools import combinations

import numpy as np

from lal.arrays import Floats
from lal.strategies.frank_wolfe import frank_wolfe
from lal.strategies.gaussian_design import kernel
from lal.strategies.preference import (
    preference_information,
    preference_kernel,
    preference_posterior,
)
from lal.strategies.probit import probit_information
from scripts.row_checks.base import Outcome, all_of, make_state, pick


def matrix_partition() -> Outcome:
    """Greedy batches of three come near the best of nine rows, by enumeration."""
    gains = []
    for seed in range(30):
        X = np.random.default_rng(seed).normal(size=(9, 2))
        state = make_state(X, np.arange(9) % 2, np.zeros(0, dtype=np.int64))
        K = kernel(state.Z)
        value = {rows: _value(K, rows) for rows in combinations(range(9), 3)}
        ours = value[tuple(sorted(pick("matrix_partition", state, 3, seed).tolist()))]
        best, worst = max(value.values()), min(value.values())
        gains.append((ours - worst) / (best - worst))
    least, mean = min(gains), float(np.mean(gains))
    return all_of((least >= 0.85, f"share of the best gain {mean:.3f}, {least:.3f} at least"))


def _value(K: Floats, rows: tuple[int, ...]) -> float:
    rest = [row for row in range(len(K)) if row not in rows]
    return float(sum(np.linalg.slogdet(K[np.ix_(part, part)])[1] for part in (rows, rest)))


def acs_fw() -> Outcome:
    """The residual never grows; copies of one uncertain row do not fill the batch."""
    rises, copies = 0, []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        _, residuals = frank_wolfe(rng.normal(size=(60, 20)), 10)
        rises += int((np.diff(residuals) > 1e-9).any())
        X = rng.normal(size=(100, 2))
        y = (X.sum(axis=1) > 0).astype(np.int64)
        labelled = np.unique([y.argmin(), y.argmax(), 2, 3])
        first = make_state(X, y, labelled, "logistic_regression")
        row = pick("variation_ratio", first, 1, seed)
        X = np.r_[X, X[row] + 0.01 * rng.normal(size=(50, 2))]
        y = np.r_[y, np.repeat(y[row], 50)]
        state = make_state(X, y, labelled, "logistic_regression")
        batches = [pick(name, state, 10, seed) for name in ("acs_fw", "variation_ratio")]
        copies.append([(rows >= 100).sum() for rows in batches])
    ours, top = np.mean(copies, axis=0)
    return all_of(
        (rises == 0, "residuals do not grow, 10 of 10"),
        (bool(ours < top), f"copies in a batch of 10: {ours:.1f}, top variation ratios {top:.1f}"),
    )


def closed_form_error() -> float:
    """Return the largest error of the probit's closed form against quadrature, in bits."""
    from scipy.special import entr, ndtr

    nodes, weights = np.polynomial.hermite_e.hermegauss(201)
    weights = weights / weights.sum()
    errors = []
    for mean in np.linspace(-4.0, 4.0, 33):
        for variance in (0.01, 0.1, 0.5, 1.0, 3.0, 10.0):
            p = ndtr(mean + np.sqrt(variance) * nodes)
            average = float(weights @ p)
            given = float(weights @ (entr(p) + entr(1.0 - p)))
            exact = (entr(average) + entr(1.0 - average) - given) / np.log(2.0)
            found = probit_information(np.array([mean]), np.array([variance]))[0]
            errors.append(abs(float(exact) - float(found)))
    return max(errors)


def preference_lead() -> Floats:
    """Return the lead of 20 informative questions over random ones, in points of pairs right.

    Sixteen items with a utility drawn from a Gaussian process; 16 draws, shape (16,).
    """
    pairs, leads = np.array(list(combinations(range(16), 2))), []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(16, 2))
        K = 4.0 * np.exp(-0.5 * np.square(X[:, None] - X).sum(axis=2))
        f = rng.multivariate_normal(np.zeros(16), K)
        truth = f[pairs[:, 0]] > f[pairs[:, 1]]
        answers = (f[pairs[:, 0]] - f[pairs[:, 1]] + rng.normal(size=len(pairs)) > 0).astype(int)
        right = []
        for informative in (True, False):
            asked: list[int] = []
            while len(asked) < 20:
                told = preference_information(K, pairs, pairs[asked], answers[asked])
                score = told if informative else rng.random(len(pairs))
                score[asked] = -1.0
                asked.append(int(score.argmax()))
            mean, _ = preference_posterior(K, pairs, pairs[asked], answers[asked])
            right.append(100.0 * float(((mean > 0) == truth).mean()))
        leads.append(right[0] - right[1])
    return np.array(leads)


def pair_kernel_error() -> float:
    """Return the error of the kernel of pairs against that of differences, for a linear kernel."""
    X = np.random.default_rng(0).normal(size=(6, 3))
    pairs = np.array(list(combinations(range(6), 2)))
    Z = X[pairs[:, 0]] - X[pairs[:, 1]]
    return float(np.abs(preference_kernel(X @ X.T, pairs, pairs) - Z @ Z.T).max())
