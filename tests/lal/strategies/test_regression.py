"""Rules for regression against brute force, and the kinds of task that a rule serves."""

from typing import Any

import numpy as np
import pytest

import lal
from lal.checks import check_strategy
from lal.checks.states import sample_regression_state, sample_state
from lal.errors import UsageError
from lal.strategies.base import STRATEGIES, select
from lal.task_kind import REGRESSION, served_kinds

FOR_NUMBERS = [n for n in STRATEGIES.names() if REGRESSION in served_kinds(lal.make_strategy(n))]


def rng(seed=0):
    return np.random.default_rng(seed)


def utilities(name, state, **options):
    return lal.make_strategy(name, **options).utilities(state, rng())


def test_which_rules_serve_regression():
    assert {
        "random", "core_set", "typiclust", "max_determinant", "matrix_partition",
        "greedy_sampling_x", "greedy_sampling_y", "improved_greedy_sampling",
        "predictive_variance", "committee_variance", "expected_model_change",
    } <= set(FOR_NUMBERS)  # fmt: skip


@pytest.mark.parametrize("name", [n for n in FOR_NUMBERS if "greedy" in n or "variance" in n])
def test_contract(name):
    check_strategy(name)


@pytest.mark.parametrize("n_labelled", [1, 2, 10])
def test_greedy_sampling_is_the_double_loop(n_labelled):
    state: Any = sample_regression_state(n_labelled)
    x, y, both = np.zeros((3, state.N))
    for n in range(state.N):
        far = [np.linalg.norm(state.Z[n] - state.Z[m]) for m in state.labelled]
        gap = [abs(state.prediction[n] - label) for label in state.labels]
        x[n], y[n] = min(far), min(gap)
        both[n] = min(a * b for a, b in zip(far, gap, strict=True))
    np.testing.assert_allclose(utilities("greedy_sampling_x", state), x, atol=1e-9)
    np.testing.assert_allclose(utilities("greedy_sampling_y", state), y, atol=1e-12)
    np.testing.assert_allclose(utilities("improved_greedy_sampling", state), both, atol=1e-6)


def test_before_any_label_greedy_sampling_asks_for_the_centre():
    state = sample_regression_state(0)
    away = np.linalg.norm(state.Z - state.Z[state.reference].mean(axis=0), axis=1)
    for name in ("greedy_sampling_x", "greedy_sampling_y", "improved_greedy_sampling"):
        assert int(select(lal.make_strategy(name), state, rng(), rng(1))[0]) == away.argmin()


def test_variance_of_ridge_and_gp_by_hand():
    for learner in ("ridge", "gp"):
        state: Any = sample_regression_state(10, learner)
        A, reg = state.X[state.labelled], state.model.estimator
        if learner == "ridge":
            centred, Z = A - A.mean(axis=0), state.X - A.mean(axis=0)
            inverse = np.linalg.inv(centred.T @ centred + np.eye(4))
            expected = 0.1 + np.array([z @ inverse @ z for z in Z])
            expected = expected * np.mean((state.labels - reg.predict(A)) ** 2)
        else:

            def k(a, b, scale=reg.length_scale_):
                return np.exp(-0.5 * ((a - b) ** 2).sum() / 4 / scale**2)

            K = np.array([[k(a, b) for b in A] for a in A]) + reg.noise_ * np.eye(10)
            q = np.array([[k(a, z) for a in A] for z in state.X])
            expected = reg.signal_ * (1 - np.einsum("ij,ij->i", q @ np.linalg.inv(K), q))
        np.testing.assert_allclose(utilities("predictive_variance", state), expected, rtol=1e-6)


def test_a_learner_without_variance_is_refused():
    from dataclasses import replace

    from sklearn.svm import SVR

    state = sample_regression_state()
    learner = lal.make_learner(SVR(), task=REGRESSION)
    model = learner.fit(state.X[state.labelled], state.labels)
    with pytest.raises(UsageError, match="a predictive variance"):
        utilities("predictive_variance", replace(state, model=model, learner=learner))


def test_committees_are_the_trees_of_a_forest():
    state: Any = sample_regression_state(10, "random_forest")
    trees = np.stack([t.predict(state.X) for t in state.model.estimator.estimators_])
    np.testing.assert_allclose(utilities("committee_variance", state), trees.var(axis=0))
    length = np.sqrt(1 + (state.Z**2).sum(axis=1))
    change = np.abs(trees - state.prediction).mean(axis=0) * length
    np.testing.assert_allclose(utilities("expected_model_change", state), change)


def test_rules_of_the_other_kind_are_refused():
    with pytest.raises(UsageError, match="Margin is for classification, and this is a regression"):
        select(lal.make_strategy("margin"), sample_regression_state(), rng(), rng())
    with pytest.raises(UsageError, match="is for regression, and this is a classification task"):
        select(lal.make_strategy("greedy_sampling_y"), sample_state(), rng(), rng())


def test_scikit_activeml_agrees_on_greedy_sampling():
    pytest.importorskip("skactiveml.pool", reason="scikit-activeml is not installed")
    from dataclasses import replace

    from lal.strategies.skactiveml import skactiveml_names

    state = sample_regression_state()
    state = replace(state, X=state.Z)  # the library measures distances in X
    model = state.learner.fit(state.X[state.labelled], state.labels)
    state = replace(state, model=model, prediction=model.predict(state.X))
    for method in ("GSy", "GSi"):
        theirs = lal.make_strategy("skactiveml:GreedySamplingTarget", method=method)
        ours = {"GSy": "greedy_sampling_y", "GSi": "improved_greedy_sampling"}[method]
        expected = utilities(ours, state)[state.open]
        found = theirs.utilities(state, rng())[state.open]
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert "KLDivergenceMaximization" in skactiveml_names(REGRESSION)
