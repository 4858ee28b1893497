"""Gaussian designs: determinants by brute force, Frank-Wolfe's residual, the probit's formula."""

import numpy as np
import pytest
from scipy.special import entr, ndtr

from lal.checks import sample_state
from lal.errors import UsageError
from lal.strategies.base import make_strategy, select
from lal.strategies.frank_wolfe import frank_wolfe, likelihood_vectors
from lal.strategies.gaussian_design import kernel
from lal.strategies.probit import probit_information
from scripts.row_checks.base import make_state


def streams() -> tuple[np.random.Generator, np.random.Generator]:
    return np.random.default_rng(0), np.random.default_rng(1)


def log_det(K, rows):
    return np.linalg.slogdet(K[np.ix_(rows, rows)])[1]


@pytest.mark.parametrize("name", ["max_determinant", "matrix_partition"])
def test_each_pick_changes_the_objective_most(name):
    state = sample_state(3, 12)
    K, L = kernel(state.Z), state.labelled.tolist()
    taken: list[int] = []

    def value(rows):
        rest = sorted(set(range(state.N)) - set(L) - set(rows))
        return log_det(K, [*L, *rows]) + (log_det(K, rest) if name == "matrix_partition" else 0.0)

    for row in select(make_strategy(name), state, *streams(), 4).tolist():
        values = {r: value([*taken, r]) for r in state.open.tolist() if r not in taken}
        assert values[row] == pytest.approx(max(values.values()), abs=1e-8)
        taken.append(row)


def test_the_residual_of_frank_wolfe_never_grows_and_few_rows_have_weight():
    vectors = np.random.default_rng(0).normal(size=(60, 20))
    weights, residuals = frank_wolfe(vectors, 8)
    assert (np.diff(residuals) <= 1e-9).all()
    assert residuals[-1] < residuals[0]
    assert 1 <= (weights > 0).sum() <= 8
    assert (weights >= 0).all()


def test_likelihood_vectors_by_hand():
    members = np.array([[[0.9, 0.1]], [[0.5, 0.5]]])
    mean = np.array([0.7, 0.3])
    entropy = -(mean * np.log(mean)).sum()
    expected = [mean @ np.log([0.9, 0.1]) + entropy, np.log(0.5) + entropy]
    np.testing.assert_allclose(likelihood_vectors(members)[0], np.array(expected) / np.sqrt(2))


def test_the_probit_s_information_agrees_with_monte_carlo():
    rng = np.random.default_rng(0)
    for mean, variance in [(0.0, 1.0), (0.7, 0.3), (-1.5, 4.0), (2.5, 0.05)]:
        p = ndtr(mean + np.sqrt(variance) * rng.normal(size=400_000))
        average = p.mean()
        exact = entr(average) + entr(1 - average) - (entr(p) + entr(1 - p)).mean()
        found = probit_information(np.array([mean]), np.array([variance]))[0]
        assert found == pytest.approx(exact / np.log(2), abs=0.005)
    np.testing.assert_allclose(probit_information(np.zeros(1), np.zeros(1)), 0.0, atol=1e-9)


def test_probit_bald_prefers_what_the_model_does_not_know_of_two_equally_uncertain_rows():
    means, variances = np.zeros(2), np.array([0.1, 5.0])
    assert np.diff(probit_information(means, variances))[0] > 0.3


def test_a_kernel_machine_asks_what_it_does_not_know_and_what_lies_between_classes():
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.0], [4.0, 4.0], [0.1, 0.0], [-0.1, 0.1]])
    state = make_state(X, np.array([0, 1, 0, 2, 0, 0]), np.array([0, 1]))
    rng = np.random.default_rng(0)
    known, border = (
        make_strategy("kmc", boundary=w).utilities(state, rng) for w in (0.0, 1.0)
    )  # fmt: skip
    assert known.argmax() == 3
    assert known[0] < 0.011  # the noise is all that is left where there is a label
    assert known[3] == pytest.approx(1.0, abs=0.05)
    assert border.argmax() == 2
    assert border[3] < 0.1
    both = make_strategy("kmc").utilities(state, rng)
    np.testing.assert_allclose(both, 0.7 * known + 0.3 * border)
    assert set(select(make_strategy("kmc"), state, *streams(), 2).tolist()) == {2, 3}
    unlabelled = make_state(X, np.array([0, 1, 0, 2, 0, 0]), np.zeros(0, dtype=np.int64))
    np.testing.assert_allclose(make_strategy("kmc").utilities(unlabelled, rng), 0.7)
    with pytest.raises(UsageError, match=r"boundary must lie in \[0, 1\], got 2"):
        make_strategy("kmc", boundary=2)


def test_wrong_draws_and_models_without_a_variance_are_refused():
    with pytest.raises(UsageError, match="expected at least 2 draws, got 1"):
        make_strategy("acs_fw", n_draws=1)
    state = sample_state(learner="random_forest")
    with pytest.raises(UsageError, match="ProbitBald needs a learner with variance"):
        make_strategy("probit_bald").utilities(state, np.random.default_rng(0))
