"""Uncertainty herding: brute force on tiny pools, the shrinking radius, greedy batches."""

from dataclasses import replace

import numpy as np
import pytest

from lal.checks import check_strategy
from lal.data.view import make_geometry
from lal.features import coverage as coverage_features
from lal.features.coverage import coverage_gain, covering_radius
from lal.learners import make_learner
from lal.state import QueryState
from lal.strategies.base import make_strategy, select
from lal.strategies.uncertainty_herding import unit_rows


def state_with(X, labelled, proba):
    return QueryState(
        X=X, geometry=make_geometry(X), labelled=np.array(labelled, dtype=np.int64),
        labels=np.arange(len(labelled), dtype=np.int64) % 2, n_classes=2, classes_known=True,
        proba=proba,
    )  # fmt: skip


def coverage(state, chosen, radius):
    """The definition, row by row: mean of uncertainty times the largest kernel to those chosen."""
    total = 0.0
    for i in range(state.N):
        weight = 1.0 if state.proba is None else 1.0 - abs(state.proba[i, 0] - state.proba[i, 1])
        near = [np.exp(-np.sum((state.Z[i] - state.Z[j]) ** 2) / radius**2) for j in chosen]
        total += weight * max(near, default=0.0)
    return total / state.N


def brute_force(state, chosen, radius):
    base = coverage(state, chosen, radius)
    return [coverage(state, [*chosen, j], radius) - base for j in range(state.N)]


def small_pool(seed=0, n=14):
    rng = np.random.default_rng(seed)
    first = rng.random(n)
    return rng.normal(size=(n, 2)), np.column_stack([first, 1.0 - first])


def utilities(state):
    return make_strategy("uncertainty_herding").utilities(state, np.random.default_rng(0))


@pytest.mark.parametrize("options", [{}, {"normalise": True, "calibrate": True}])
def test_contract(options):
    check_strategy(make_strategy("uncertainty_herding", **options))


def test_gain_by_hand():
    kernel = np.array([[1.0, 0.5], [0.25, 1.0]], dtype=np.float32)
    covered, weights = np.array([[0.5, 0.75], [1.0, 0.5]], dtype=np.float32)
    gain, plain = coverage_gain(kernel, covered, weights, np.ones(2, np.float32))
    np.testing.assert_allclose(plain, [(0.5 + 0.0) / 2, (0.0 + 0.25) / 2])
    np.testing.assert_allclose(gain, [(0.5 * 1.0 + 0.0) / 2, (0.0 + 0.25 * 0.5) / 2])


def test_radius_is_the_smallest_distance_above_zero():
    Z = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [0.0, 2.0]])
    assert covering_radius(Z, 9.0) == pytest.approx(2.0)
    assert covering_radius(Z[[0, 2]], 9.0) == 9.0
    assert covering_radius(Z[:0], 9.0) == 9.0


@pytest.mark.parametrize("labelled", [[2, 7], [0, 1, 5, 9, 13]])
@pytest.mark.parametrize("with_model", [True, False])
def test_utilities_are_the_gains_of_the_definition(labelled, with_model):
    X, proba = small_pool()
    state = state_with(X, labelled, proba if with_model else None)
    radius = min(
        np.linalg.norm(state.Z[i] - state.Z[j]) for i in labelled for j in labelled if i < j
    )
    np.testing.assert_allclose(utilities(state), brute_force(state, labelled, radius), atol=1e-6)


def test_first_query_covers_most_of_the_pool():
    X = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.1], [-0.1, 0.0], [5.0, 5.0]])
    assert utilities(state_with(X, [], None)).argmax() != 4


def test_a_small_radius_leaves_uncertainty_alone():
    X, proba = small_pool(n=30)
    X[1] = X[0] + 1e-4
    proba[:2] = [0.9, 0.1]
    found = utilities(state_with(X, [0, 1], proba))
    assert found.argmax() == np.abs(proba[:, 0] - 0.5).argmin()


def test_large_pools_are_measured_in_parts(monkeypatch):
    X, proba = small_pool(n=300)
    whole = utilities(state_with(X, [2, 7], proba))
    monkeypatch.setattr(coverage_features, "PAIRS", 0)
    np.testing.assert_allclose(utilities(state_with(X, [2, 7], proba)), whole, atol=1e-7)


@pytest.mark.parametrize("limit", [0, coverage_features.PAIRS])
def test_a_batch_updates_the_coverage_and_keeps_the_radius(monkeypatch, limit):
    monkeypatch.setattr(coverage_features, "PAIRS", limit)
    X, proba = small_pool(seed=3)
    labelled = [2, 7]
    state = state_with(X, labelled, proba)
    radius = np.linalg.norm(state.Z[2] - state.Z[7])
    wanted, chosen = [], list(labelled)
    for _ in range(4):
        gains = np.array(brute_force(state, chosen, radius))
        gains[chosen] = -1.0
        wanted.append(int(gains.argmax()))
        chosen.append(wanted[-1])
    rng = np.random.default_rng
    strategy = make_strategy("uncertainty_herding")
    assert select(strategy, state, rng(0), rng(1), 4).tolist() == wanted


def test_rows_of_unit_length_measure_directions():
    Z = np.array([[3.0, 4.0], [0.0, 0.0], [-6.0, -8.0]])
    np.testing.assert_allclose(unit_rows(Z), [[0.6, 0.8], [0.0, 0.0], [-0.6, -0.8]])
    X, proba = small_pool(n=30)
    state = state_with(X, [2, 7], proba)
    strategy = make_strategy("uncertainty_herding", normalise=True)
    found = strategy.utilities(state, np.random.default_rng(0))
    Z = unit_rows(state.Z)
    squares = ((Z[:, None] - Z[None]) ** 2).sum(axis=2)
    kernel = np.exp(-squares / squares[2, 7])
    covered = kernel[[2, 7]].max(axis=0)
    weight = 1.0 - np.abs(proba[:, 0] - proba[:, 1])
    np.testing.assert_allclose(found, np.maximum(kernel - covered, 0) @ weight / 30, atol=1e-6)


def test_overconfident_probabilities_are_softened_and_the_others_left_alone():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    labels = (X[:, 0] + 1.5 * rng.normal(size=200) > 0).astype(np.int64)
    learner = make_learner("gaussian_nb")
    model = learner.fit(X[:60], labels[:60], n_classes=2)
    state = QueryState(
        X=X, geometry=make_geometry(X), labelled=np.arange(60), labels=labels[:60], n_classes=2,
        classes_known=True, proba=model.predict_proba(X), learner=learner,
    )  # fmt: skip
    plain, scaled = (
        make_strategy("uncertainty_herding", calibrate=calibrate).utilities(state, rng)
        for calibrate in (False, True)
    )
    assert not np.allclose(plain, scaled)
    few = replace(state, labelled=np.arange(5), labels=labels[:5])
    plain, scaled = (
        make_strategy("uncertainty_herding", calibrate=calibrate).utilities(few, rng)
        for calibrate in (False, True)
    )
    assert np.array_equal(plain, scaled)
