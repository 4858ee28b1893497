"""What-if strategies: explicit loops, enumeration, influence against retraining."""

from dataclasses import replace
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from lal.checks import sample_state
from lal.errors import UsageError
from lal.learners import make_learner
from lal.strategies.base import make_strategy, select
from lal.strategies.coordinated_matching import best_batch, matching_cost
from lal.strategies.expected_error import gradient_lengths
from lal.strategies.isal import influence, mean_gradient, solve_hessian
from lal.strategies.lada import LookAheadAugmentation
from lal.strategies.mval import variances
from lal.strategies.refits import WhatIf
from lal.strategies.uncertainty import entropy_utility

RULES = ("expected_error_reduction", "mval", "discriminative_batch", "coordinated_matching", "isal")


def streams() -> tuple[np.random.Generator, np.random.Generator]:
    return np.random.default_rng(0), np.random.default_rng(1)


def refitted(state, row, code) -> Any:
    known = np.append(state.labelled, row)
    return state.learner.fit(state.X[known], np.append(state.labels, code), n_classes=2, seed=0)


def test_expected_error_is_that_of_a_loop():
    state: Any = sample_state(2, 8)
    rng = np.random.default_rng(0)
    found = make_strategy("expected_error_reduction").utilities(state, rng)
    tried = WhatIf(state, "test", np.random.default_rng(0)).tried
    for row in tried[:5]:
        expected = 0.0
        for code in (0, 1):
            after = refitted(state, row, code).predict_proba(state.X[state.open])
            expected += state.proba[row, code] * after.max(axis=1).mean()
        assert found[row] == pytest.approx(expected, abs=1e-12)


def test_gradient_lengths_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    proba, seen = rng.dirichlet(np.ones(4), 6), rng.normal(size=(6, 3))
    for row in range(6):
        expected = 0.0
        for label in range(4):
            gradient = np.outer(proba[row] - np.eye(4)[label], np.append(seen[row], 1.0))
            expected += proba[row, label] * np.linalg.norm(gradient)
        assert gradient_lengths(proba, seen)[row] == pytest.approx(expected)


def test_variances_are_those_of_the_paper_for_two_classes():
    rng = np.random.default_rng(0)
    P, N, e = rng.random((5, 5)), rng.random((5, 5)), rng.random(5)
    table = np.stack([np.stack([1 - N, N], axis=2), np.stack([1 - P, P], axis=2)], axis=1)
    first, second = variances(table, e)
    for j in range(5):
        values = [M[i, j] * e[j] for M in (P, N) for i in range(5)]
        assert first[j] == pytest.approx(np.var(values))
        assert second[j] == pytest.approx(np.var([(P[j, k] - N[j, k]) * e[k] for k in range(5)]))


def test_the_greedy_batch_comes_near_the_best_by_enumeration():
    ratios = []
    for seed in range(3):
        full: Any = sample_state(2, 8)
        kept = np.sort(np.r_[0:8, 8 + np.random.default_rng(seed).permutation(52)[:6]])
        from lal.data.view import make_geometry

        state = replace(
            full, X=full.X[kept], geometry=make_geometry(full.X[kept]), proba=full.proba[kept]
        )
        rule: Any = make_strategy("discriminative_batch")
        service = WhatIf(state, "test", np.random.default_rng(0))

        def best(rows, rule=rule, service=service):
            return max(
                rule.objective(service, list(rows), list(y)) for y in product((0, 1), repeat=2)
            )

        values = {pair: best(pair) for pair in combinations(state.open.tolist(), 2)}
        picked = tuple(sorted(select(rule, state, *streams(), 2).tolist()))
        low, high = min(values.values()), max(values.values())
        ratios.append((values[picked] - low) / (high - low))
    assert min(ratios) > 0.9


def test_the_matched_batch_is_the_best_by_enumeration():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(9, 2))
        distance = np.linalg.norm(X[:, None] - X, axis=2)
        runs = np.stack([rng.permutation(9)[:2] for _ in range(6)])
        found = matching_cost(distance, best_batch(distance, runs), runs)
        best = min(matching_cost(distance, np.array(p), runs) for p in combinations(range(9), 2))
        assert found <= 1.1 * best


def test_a_batch_that_equals_the_runs_costs_nothing():
    distance = np.abs(np.arange(6.0)[:, None] - np.arange(6.0))
    runs = np.array([[4, 1], [1, 4]])
    assert set(best_batch(distance, runs)) == {1, 4}
    assert matching_cost(distance, np.array([1, 5]), runs) == 2.0


def test_mixtures_are_as_uncertain_as_the_best_of_the_grid():
    state: Any = sample_state()
    rows = state.open[:6]
    model: Any = state.model
    found = LookAheadAugmentation().mixture_entropy(state, rows)
    for i, j in combinations(range(6), 2):
        shares = np.linspace(0, 1, 201)[:, None]
        mixed = shares * state.X[rows[i]] + (1 - shares) * state.X[rows[j]]
        every = entropy_utility(model.predict_proba(mixed))
        assert every.mean() <= found[i, j] + 1e-9
        assert found[i, j] <= every.max() + 1e-9


def test_pairs_are_disjoint_and_two_labels_are_paid_for_each():
    state: Any = sample_state()
    rows = select(make_strategy("lada"), state, *streams(), 7)
    assert len(set(rows.tolist())) == 7


def test_influence_ranks_rows_as_retraining_does():
    state: Any = sample_state(2, 20)
    learner = make_learner("logistic_regression")
    model: Any = learner.fit(state.X[:20], state.labels, n_classes=2)
    held = np.arange(40, 60)
    y = np.arange(60) % 2  # the labels of `sample_pool`

    def loss(fitted):
        p = fitted.predict_proba(state.X[held])
        return -np.log(p[np.arange(20), y[held]]).mean()

    proba = model.predict_proba(state.X)
    slope = mean_gradient(proba[held], state.X[held], y[held])
    solved = solve_hessian(proba[:20], state.X[:20], slope, 2.0)
    predicted = influence(proba, state.X, y, solved)[20:40]
    rows = np.arange(20, 40)
    fall = [
        loss(model) - loss(learner.fit(state.X[np.r_[0:20, r]], np.r_[y[:20], y[r]], n_classes=2))
        for r in rows
    ]
    assert spearmanr(predicted, fall).statistic > 0.9


def test_the_hessian_is_that_of_the_loss():
    rng = np.random.default_rng(0)
    proba, seen = rng.dirichlet(np.ones(3), 5), rng.normal(size=(5, 2))
    slope = rng.normal(size=(3, 3))
    slope -= slope.mean(axis=0)  # as of any gradient of a softmax
    whole = np.diag(np.tile([0.3, 0.3, 0.0], 3))
    for p, h in zip(proba, np.c_[seen, np.ones(5)], strict=True):
        whole += np.kron(np.diag(p) - np.outer(p, p), np.outer(h, h))
    found = solve_hessian(proba, seen, slope, 0.3)
    expected = np.linalg.pinv(whole) @ slope.ravel()
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-5)


@pytest.mark.parametrize("name", RULES[:3] + RULES[4:])
def test_rules_that_refit_need_a_learner(name):
    state = replace(sample_state(), learner=None)
    with pytest.raises(UsageError, match=r"refits the learner.*pass a classifier"):
        make_strategy(name).utilities(state, np.random.default_rng(0))


def test_matching_needs_a_learner_for_batches():
    state = replace(sample_state(), learner=None)
    with pytest.raises(UsageError, match="CoordinatedMatching refits the learner"):
        select(make_strategy("coordinated_matching"), state, *streams(), 3)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("discriminative_batch", {"alpha": -1.0}, "alpha must not be negative, got -1.0"),
        ("coordinated_matching", {"n_runs": 0}, "n_runs must be at least 1, got 0"),
        ("density_weighted", {"beta": -1.0}, "beta must not be negative, got -1.0"),
        ("isal", {"ridge": 0.0}, "ridge must be above 0, got 0.0"),
        ("model_reuse", {"rate": 0.0}, "rate must be above 0, got 0.0"),
        ("consistency", {"n_copies": 1}, "expected n_copies >= 2 and noise > 0, got 1 and 0.1"),
        ("virtual_adversary", {"size": 0.0}, "size must be above 0, got 0.0"),
        ("surprisal", {"share": 0.0}, r"share must lie in \(0, 1\], got 0.0"),
        ("dal", {"n_parts": 0}, "n_parts must be at least 1, got 0"),
    ],
)
def test_wrong_options_are_refused(name, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        make_strategy(name, **options)


def test_density_by_hand():
    state: Any = sample_state()
    found = make_strategy("density_weighted").utilities(state, np.random.default_rng(0))
    flat = make_strategy("density_weighted", beta=0.0).utilities(state, np.random.default_rng(0))
    np.testing.assert_allclose(flat, entropy_utility(state.proba))
    density = found / flat
    far = np.linalg.norm(state.Z - state.Z.mean(axis=0), axis=1).argmax()
    assert density.argmin() == far
    assert 0.0 < density.min() < density.max() < 1.0


@pytest.mark.parametrize("name", ["expected_error_reduction", "mval"])
def test_a_batch_beyond_the_rows_tried_goes_on_with_the_smallest_margins(name):
    state: Any = sample_state(3, 12)
    tried = WhatIf(state, "test", np.random.default_rng(0)).tried
    utilities = make_strategy(name).utilities(state, np.random.default_rng(0))
    rest = np.setdiff1d(state.open, tried)
    assert len(tried) > 0
    assert len(rest) > 1
    assert utilities[rest].max() < utilities[tried].min()
    ranked = rest[np.argsort(-utilities[rest], kind="stable")]
    two = np.sort(state.proba[ranked], axis=1)
    assert (np.diff(two[:, -1] - two[:, -2]) >= -1e-12).all()
