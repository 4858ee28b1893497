"""Rows 2, 6, 8 (formulas), 16, 22, 35, 75 and 81: refits, pseudo-labels and sequences."""

from itertools import combinations, product

import numpy as np
from scipy.stats import spearmanr
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from lal.arrays import Floats, Ints
from lal.learners import make_learner
from lal.learners.pool_aware import PseudoLabels
from lal.strategies.base import make_strategy
from lal.strategies.coordinated_matching import best_batch, matching_cost
from lal.strategies.discriminative_batch import DiscriminativeBatch
from lal.strategies.isal import influence, mean_gradient, solve_hessian
from lal.strategies.lada import LookAheadAugmentation
from lal.strategies.mval import variances
from lal.strategies.refits import WhatIf
from lal.strategies.sequence_scores import expected_gradient_length, n_best, sequence_entropy
from lal.strategies.uncertainty import entropy_utility
from scripts.row_checks.base import Outcome, all_of, areas, lead, make_state, pick
from scripts.row_checks.spaces import digits


def cancer(seed: int, n: int) -> tuple[Floats, Ints]:
    """Return n standardised rows of breast_cancer."""
    X, y = load_breast_cancer(return_X_y=True)
    rows = np.random.default_rng(seed).permutation(len(y))[:n]
    return StandardScaler().fit_transform(X)[rows], np.asarray(y[rows], dtype=np.int64)


def survey() -> Outcome:
    """Three rules rank two classes alike; expected error and gradient length against loops."""
    X, y = cancer(0, 60)
    y[:2] = [0, 1]
    state = make_state(X, y, np.arange(10), "logistic_regression")
    proba, learner = np.asarray(state.proba), make_learner("logistic_regression")
    orders = [
        np.argsort(make_strategy(name).utilities(state, np.random.default_rng(0)))
        for name in ("least_confident", "margin", "entropy")
    ]
    found = [
        make_strategy(name).utilities(state, np.random.default_rng(0))
        for name in ("expected_error_reduction", "expected_gradient_length")
    ]
    errors = []
    for row in WhatIf(state, "a check", np.random.default_rng(0)).tried[:10]:
        sure, length = 0.0, 0.0
        for label in (0, 1):
            known = np.append(np.arange(10), row)
            after = learner.fit(X[known], np.append(y[:10], label), n_classes=2)
            sure += proba[row, label] * after.predict_proba(X[10:]).max(axis=1).mean()
            gradient = np.outer(proba[row] - np.eye(2)[label], np.append(X[row], 1.0))
            length += proba[row, label] * np.linalg.norm(gradient)
        errors.append(max(abs(found[0][row] - sure), abs(found[1][row] - length)))
    alike = bool((orders[0] == orders[1]).all() and (orders[1] == orders[2]).all())
    return all_of(
        (alike, "two classes: least confident, margin and entropy rank alike"),
        (
            max(errors) < 1e-9,
            f"expected error and gradient length against loops: {max(errors):.0e}",
        ),
    )


def discriminative_batch() -> Outcome:
    """Greedy batches of two come near the best of eight rows and their labels."""
    shares, rule = [], DiscriminativeBatch()
    for seed in range(12):
        X, y = cancer(seed, 16)
        y[:2] = [0, 1]
        state = make_state(X, y, np.arange(8), "logistic_regression")
        service = WhatIf(state, "a check", np.random.default_rng(0))
        values = {
            pair: max(
                rule.objective(service, list(pair), list(c)) for c in product((0, 1), repeat=2)
            )
            for pair in combinations(state.open.tolist(), 2)
        }
        picked = tuple(sorted(pick("discriminative_batch", state, 2, seed).tolist()))
        low, high = min(values.values()), max(values.values())
        shares.append((values[picked] - low) / (high - low))
    text = f"share of the best objective {np.mean(shares):.3f}, {min(shares):.3f} at least"
    return all_of((bool(np.mean(shares) >= 0.95), text))


def coordinated_matching() -> Outcome:
    """Matched batches cost little more than the best; copies are not picked twice."""
    ratios = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(10, 2))
        distance = np.linalg.norm(X[:, None] - X, axis=2)
        runs = np.stack([rng.permutation(10)[:2] for _ in range(8)])
        best = min(matching_cost(distance, np.array(p), runs) for p in combinations(range(10), 2))
        ratios.append(matching_cost(distance, best_batch(distance, runs), runs) / best)
    distinct = []
    for seed in range(3):
        X, y = cancer(seed, 60)
        y[:2] = [0, 1]
        X, y = np.r_[X[:10], np.repeat(X[10:], 3, axis=0)], np.r_[y[:10], np.repeat(y[10:], 3)]
        state = make_state(X, y, np.arange(10), "logistic_regression")
        rules = ("coordinated_matching", "margin")
        distinct.append([len(np.unique(X[pick(r, state, 6, seed)], axis=0)) for r in rules])
    ours, top = np.mean(distinct, axis=0)
    return all_of(
        (max(ratios) <= 1.1, f"cost at most {max(ratios):.3f} of the best by enumeration"),
        (bool(ours > top), f"different rows in a batch of 6: {ours:.1f}, top margins {top:.1f}"),
    )


def mval() -> Outcome:
    """The variances are those of explicit loops; breast_cancer beside random."""
    rng = np.random.default_rng(0)
    P, N, e = rng.random((6, 6)), rng.random((6, 6)), rng.random(6)
    table = np.stack([np.stack([1 - N, N], axis=2), np.stack([1 - P, P], axis=2)], axis=1)
    first, second = variances(table, e)
    one = [np.var([M[i, j] * e[j] for M in (P, N) for i in range(6)]) for j in range(6)]
    two = [np.var([(P[i, j] - N[i, j]) * e[j] for j in range(6)]) for i in range(6)]
    exact = max(np.abs(first - one).max(), np.abs(second - two).max())
    runs, setting = range(3), ("sklearn:breast_cancer", 2, 24, 1)
    ours, random = (areas(n, "logistic_regression", setting, runs) for n in ("mval", "random"))
    return all_of(
        (bool(exact < 1e-12), "both variances are those of loops"),
        (True, f"breast_cancer, 3 runs: {lead(ours, random)} to random"),
    )


def lada() -> Outcome:
    """The best mixture is at least as uncertain as a mean one; pairs are disjoint."""
    X, y = digits(300)
    state = make_state(X, y, np.arange(40), "logistic_regression")
    rows = state.open[np.argsort(-entropy_utility(np.asarray(state.proba)[state.open]))[:12]]
    best = LookAheadAugmentation().mixture_entropy(state, rows)
    short = 0
    for i, j in combinations(range(12), 2):
        shares = np.linspace(0.0, 1.0, 101)[:, None]
        mixed = shares * X[rows[i]] + (1.0 - shares) * X[rows[j]]
        proba = state.model.predict_proba(mixed)  # type: ignore[union-attr]
        short += bool(entropy_utility(proba).mean() > best[i, j] + 1e-9)
    picked = pick("lada", state, 10)
    return all_of(
        (short == 0, "66 of 66 pairs: best mixture above the mean over all shares"),
        (len(set(picked.tolist())) == 10, "five disjoint pairs, ten labels"),
    )


def isal() -> Outcome:
    """Influence on held-out loss ranks rows as retraining does."""
    found = []
    for seed in range(3):
        X, y = cancer(seed, 500)
        learner = make_learner("logistic_regression", C=0.1)
        model = learner.fit(X[:200], y[:200], n_classes=2)
        proba = model.predict_proba(X)

        def loss(fit: object, X: Floats = X, y: Ints = y) -> float:
            p = fit.predict_proba(X[400:])  # type: ignore[attr-defined]
            return float(-np.log(p[np.arange(100), y[400:]]).mean())

        slope = mean_gradient(proba[400:], X[400:], y[400:])
        # scikit-learn's binary model has one weight vector w, the softmax -w/2 and w/2: 2 / C
        solved = solve_hessian(proba[:200], X[:200], slope, 20.0)
        rows = np.arange(200, 280)
        told = influence(proba, X, y, solved)[rows]
        base = loss(model)
        fits = [learner.fit(X[np.r_[:200, r]], y[np.r_[:200, r]], n_classes=2) for r in rows]
        found.append(spearmanr(told, [base - loss(fit) for fit in fits]).statistic)
    text = f"Spearman with retraining {np.mean(found):.3f}, {min(found):.3f} at least"
    return all_of(
        (bool(min(found) >= 0.95), f"breast_cancer, 200 labels, C = 0.1, 80 rows, 3 runs: {text}")
    )


def ceal() -> Outcome:
    """Pseudo-labels are right and free; beside margin with and random without them."""
    learner = make_learner("pseudo_labels")
    right = []
    for seed in range(5):
        X, y = digits(900, seed)
        bound = learner.bind(X)  # type: ignore[attr-defined]
        model = make_learner("logistic_regression").fit(X[:60], y[:60], n_classes=10)
        rows, codes = bound.pseudo_labels(model, X[:60], y[:60])
        right.append((codes == y[rows]).mean())
    steps = np.diff([PseudoLabels(learner).threshold_at(n) for n in range(0, 300, 10)])
    runs, setting = range(3), ("sklearn:digits", 10, 50, 10)
    ours = areas("margin", "pseudo_labels", setting, runs)
    plain, random = (areas(n, "logistic_regression", setting, runs) for n in ("margin", "random"))
    return all_of(
        (
            bool(np.mean(right) >= 0.95),
            f"{100 * np.mean(right):.1f} % of pseudo-labels right at 60 labels",
        ),
        (bool((steps <= 0).all()), "the threshold never rises"),
        (
            bool((ours - plain).mean() > -1.0 and ours.mean() > random.mean()),
            f"digits, 3 runs: {lead(ours, plain)} to margin, {lead(ours, random)} to random",
        ),
    )


def chain_error() -> float:
    """Return the error of entropy and of the N likeliest sequences against enumeration."""
    errors = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        T, K = int(rng.integers(1, 7)), int(rng.integers(2, 4))
        emission, transition = 2.0 * rng.normal(size=(T, K)), rng.normal(size=(K, K))
        paths = np.array(list(product(range(K), repeat=T)))
        scores = emission[np.arange(T), paths].sum(axis=1)
        scores += transition[paths[:, :-1], paths[:, 1:]].sum(axis=1)
        proba = np.exp(scores - scores.max())
        proba = np.sort(proba / proba.sum())[::-1]
        errors.append(abs(sequence_entropy(emission, transition) + (proba * np.log(proba)).sum()))
        likely = n_best(emission, transition, 4)[1]
        errors.append(float(np.abs(likely - proba[: len(likely)]).max()))
    return float(max(errors))


def gradient_length_error() -> float:
    """Return the error of the expected gradient length against finite differences."""
    rng = np.random.default_rng(0)
    T, K, d, step = 3, 2, 2, 1e-5
    vectors, W, transition = (
        rng.normal(size=(T, d)),
        rng.normal(size=(d, K)),
        rng.normal(size=(K, K)),
    )
    flat = np.concatenate([W.ravel(), transition.ravel()])
    paths = np.array(list(product(range(K), repeat=T)))

    def log_proba(weights: Floats) -> Floats:
        emission, links = vectors @ weights[: d * K].reshape(d, K), weights[d * K :].reshape(K, K)
        scores: Floats = emission[np.arange(T), paths].sum(axis=1)
        scores = scores + links[paths[:, :-1], paths[:, 1:]].sum(axis=1)
        normalised: Floats = scores - np.log(np.exp(scores).sum())
        return normalised

    slopes = np.array([
        (log_proba(flat + step * e) - log_proba(flat - step * e)) / (2.0 * step)
        for e in np.eye(len(flat))
    ])  # fmt: skip
    loop = float(np.exp(log_proba(flat)) @ np.linalg.norm(slopes, axis=0))
    return abs(loop - expected_gradient_length(vectors @ W, transition, vectors, len(paths)))
