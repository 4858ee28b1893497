"""Rows 13, 18, 31, 33 and 52: formulas over draws from a posterior."""

from itertools import combinations, product

import numpy as np
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression

from lal.arrays import Floats, Ints
from lal.strategies.committee import consensus_divergence
from lal.strategies.joint import JointLabels, batch_bald_gains, batch_gibbs_gains
from lal.strategies.posterior import FORMULAS
from scripts.row_checks.base import Outcome, all_of, areas, lead
from scripts.row_checks.gaussian import closed_form_error, pair_kernel_error, preference_lead

CANCER = ("sklearn:breast_cancer", 4, 40, 2)


def draws(seed: int, n_members: int = 6, n_rows: int = 6, n_classes: int = 3) -> Floats:
    """Return made-up draws from a posterior, shape (M, N, C)."""
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(n_classes, 0.4), size=(n_members, n_rows))


def enumerated(members: Floats, rows: tuple[int, ...]) -> Floats:
    """Return the probabilities of all configurations of labels, by enumeration."""
    labels: list[Ints] = [np.array(y) for y in product(range(members.shape[2]), repeat=len(rows))]
    return np.array([members[:, list(rows), y].prod(axis=1).mean() for y in labels])


def bald() -> Outcome:
    """BALD lies in [0, log C] and is 0 where draws agree; its lead on a real set is reported."""
    values = np.concatenate([consensus_divergence(draws(seed, 20, 50)) for seed in range(20)])
    agree = consensus_divergence(np.repeat(draws(0, 1), 8, axis=0))
    runs, error, gains = range(10), closed_form_error(), preference_lead()
    ours = areas("bald", "logistic_regression", CANCER, runs)
    random = areas("random", "logistic_regression", CANCER, runs)
    return all_of(
        (bool((values >= 0).all() and (values <= np.log(3)).all()), "0 <= information <= log C"),
        (bool(np.abs(agree).max() < 1e-12), "0 where draws agree"),
        (error <= 0.005, f"probit's closed form against quadrature: {error:.4f} bit"),
        (pair_kernel_error() < 1e-12, "kernel of pairs is that of differences"),
        (True, "preferences among 16 items, 20 questions, 16 draws: pairs right "
         f"{lead(gains, 0 * gains)} points to random questions"),
        (True, f"breast_cancer, 10 runs: {lead(ours, random)} to random"),
    )  # fmt: skip


def gibbs_error() -> Outcome:
    """Greedy batches reach 1 - 1/e of the best; the pair estimator equals enumeration."""
    ratios, errors = [], []
    for seed in range(40):
        members = draws(seed, 4, 6, 2)
        joint = JointLabels(members, np.random.default_rng(0), 10_000)
        for _ in range(3):
            gains = batch_gibbs_gains(joint)
            gains[joint.rows] = -np.inf
            joint.take(int(gains.argmax()))
        value = {s: 1.0 - (enumerated(members, s) ** 2).sum() for s in combinations(range(6), 3)}
        ratios.append(value[tuple(sorted(joint.rows))] / max(value.values()))  # type: ignore[index]
        rows = (0, 3)
        same = np.einsum("mrc,nrc->mnr", members[:, rows], members[:, rows]).prod(axis=2)
        errors.append(abs(1.0 - same.mean() - value_of(members, rows)))
    return all_of(
        (min(ratios) >= 1 - np.exp(-1), f"greedy / best at least {min(ratios):.3f} (bound 0.632)"),
        (max(errors) < 1e-12, f"pairs of draws against enumeration: {max(errors):.0e}"),
    )


def value_of(members: Floats, rows: tuple[int, ...]) -> float:
    """Return the Gibbs error of a batch, by enumeration."""
    return float(1.0 - (enumerated(members, rows) ** 2).sum())


def dbal() -> Outcome:
    """The four scores where draws agree, on two classes, and with a dropout network on digits."""
    agree, two = np.repeat(draws(0, 1), 8, axis=0), draws(1, 8, 40, 2)
    zero = [name for name in ("bald", "mean_std") if FORMULAS[name](agree).max() < 1e-12]
    order = [np.argsort(FORMULAS[name](two)) for name in ("predictive_entropy", "variation_ratio")]
    runs, digits = range(4), ("sklearn:digits", 20, 60, 20)
    random = areas("random", "mlp", digits, runs)
    leads = {
        name: areas(name, "mlp", digits, runs) - random
        for name in ("variation_ratio", "bald", "predictive_entropy", "mean_std")
    }
    shown = ", ".join(f"{name} {lead(found, 0 * found)}" for name, found in leads.items())
    return all_of(
        (len(zero) == 2, "BALD and mean STD are 0 where draws agree"),
        (bool((FORMULAS["variation_ratio"](agree) > 0).all()), "the variation ratio is not"),
        (bool((order[0] == order[1]).all()), "entropy and ratio rank two classes alike"),
        (True, f"digits, MC dropout, 4 runs: {shown}"),
    )


def ensembles() -> Outcome:
    """Votes of bagged logistic regressions and of forests are ahead of random."""
    bagged = BaggingClassifier(LogisticRegression(max_iter=1000), 8)
    runs = range(10)
    pairs = [
        (areas(name, bagged, CANCER, runs), areas(name, "random_forest", CANCER, runs))
        for name in ("vote_ratio", "random")
    ]
    shown = [lead(ours, random) for ours, random in zip(*pairs, strict=True)]
    return all_of(
        (bool((pairs[0][0] - pairs[1][0]).mean() > 0), f"breast_cancer, 8 bagged: {shown[0]}"),
        (bool((pairs[0][1] - pairs[1][1]).mean() > 0), f"forest: {shown[1]} to random, 10 runs"),
    )


def batch_bald() -> Outcome:
    """Gains equal enumeration for batches up to 3; a copy gains less than an independent row."""
    errors = []
    for seed in range(10):
        members = draws(seed)
        joint = JointLabels(members, np.random.default_rng(0), 100)
        known = 0.0
        for row in (1, 4, 2):
            gain = batch_bald_gains(joint)[row] - known
            p = enumerated(members, (*joint.rows, row))
            known += float(-(members[:, row] * np.log(members[:, row])).sum(axis=1).mean())
            expected = -(p * np.log(p)).sum() - known
            errors.append(abs(gain - expected))
            joint.take(row)
    alike, other = np.array([0.9, 0.9, 0.1, 0.1]), np.array([0.9, 0.1, 0.9, 0.1])
    built = np.stack([np.c_[p, 1 - p] for p in (alike, alike, other)], axis=1)
    joint = JointLabels(built, np.random.default_rng(0), 100)
    single = np.abs(batch_bald_gains(joint) - consensus_divergence(built)).max()
    joint.take(0)
    gains = batch_bald_gains(joint)
    return all_of(
        (max(errors) < 1e-9, f"against enumeration, b <= 3: {max(errors):.0e}"),
        (bool(single < 1e-12), "b = 1 is BALD"),
        (bool(gains[2] > gains[1] + 0.05), "a copy gains less than an independent row"),
    )
