"""Preferences: the kernel of pairs, the posterior given answers, and what a question tells."""

import numpy as np
import pytest
from scipy.special import log_ndtr

from lal.errors import UsageError
from lal.strategies.preference import (
    preference_information,
    preference_kernel,
    preference_posterior,
)
from lal.strategies.probit import probit_information

PAIRS = np.array([[0, 1], [1, 0], [2, 3], [0, 3]])
X = np.random.default_rng(0).normal(size=(4, 2))
K = np.exp(-0.5 * np.square(X[:, None] - X).sum(axis=2))


def test_the_kernel_of_pairs_is_that_of_differences():
    Z = X[PAIRS[:, 0]] - X[PAIRS[:, 1]]
    np.testing.assert_allclose(preference_kernel(X @ X.T, PAIRS, PAIRS), Z @ Z.T, atol=1e-12)


def test_without_answers_it_is_the_prior():
    nothing = np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.int64)
    mean, variance = preference_posterior(K, PAIRS, *nothing)
    np.testing.assert_array_equal(mean, 0.0)
    np.testing.assert_allclose(variance, np.diag(preference_kernel(K, PAIRS, PAIRS)))
    told = preference_information(K, PAIRS, *nothing)
    np.testing.assert_allclose(told, probit_information(mean, variance))


def test_one_answer_against_a_grid():
    asked, answer = PAIRS[:1], np.array([1])
    prior = float(preference_kernel(K, asked, asked)[0, 0])
    f = np.linspace(-8, 8, 200_001)
    mode = f[np.argmax(log_ndtr(f) - 0.5 * f**2 / prior)]
    mean, variance = preference_posterior(K, PAIRS[:2], asked, answer)
    assert mean[0] == pytest.approx(mode, abs=1e-4)
    log = log_ndtr(f) - 0.5 * f**2 / prior
    i = int(np.argmax(log))
    curvature = -(log[i + 100] - 2 * log[i] + log[i - 100]) / (100 * (f[1] - f[0])) ** 2
    assert variance[0] == pytest.approx(1 / curvature, rel=1e-3)
    assert mean[1] == pytest.approx(-mean[0])  # the same pair the other way round
    assert variance[1] == pytest.approx(variance[0])


def test_a_question_that_was_asked_tells_less():
    nothing = np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.int64)
    before = preference_information(K, PAIRS, *nothing)
    after = preference_information(K, PAIRS, PAIRS[:1], np.array([0]))
    assert after[0] < before[0]
    assert after[0] == pytest.approx(after[1])


def test_answers_have_to_be_as_many_as_pairs():
    with pytest.raises(UsageError, match="2 pairs have 1 answers; expected as many"):
        preference_posterior(K, PAIRS, PAIRS[:2], np.array([1]))
