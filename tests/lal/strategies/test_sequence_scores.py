"""Scores of sequences against the enumeration of all of them."""

from itertools import pairwise, product

import numpy as np
import pytest

from lal.errors import UsageError
from lal.strategies.sequence_scores import (
    chain_marginals,
    expected_gradient_length,
    information_density,
    least_confident_sequence,
    n_best,
    n_best_entropy,
    sequence_entropy,
    total_token_entropy,
)
from scripts.row_checks.refits import gradient_length_error


def enumerated(emission, transition):
    """Return all sequences with their probabilities, likeliest first."""
    T, K = emission.shape
    paths = list(product(range(K), repeat=T))
    scores = np.array(
        [
            sum(emission[t, y] for t, y in enumerate(path))
            + sum(transition[a, b] for a, b in pairwise(path))
            for path in paths
        ]
    )
    proba = np.exp(scores - scores.max())
    order = np.argsort(-proba)
    return [paths[i] for i in order], proba[order] / proba.sum()


@pytest.mark.parametrize("seed", range(8))
def test_all_scores_are_those_of_enumeration(seed):
    rng = np.random.default_rng(seed)
    T, K = int(rng.integers(1, 7)), int(rng.integers(2, 4))
    emission, transition = 2.0 * rng.normal(size=(T, K)), rng.normal(size=(K, K))
    paths, proba = enumerated(emission, transition)
    assert sequence_entropy(emission, transition) == pytest.approx(-(proba * np.log(proba)).sum())
    found, likely = n_best(emission, transition, 5)
    np.testing.assert_allclose(likely, proba[:5])
    assert [tuple(path) for path in found] == paths[:5]
    assert least_confident_sequence(emission, transition) == pytest.approx(1 - proba[0])
    five = -(proba[:5] * np.log(proba[:5])).sum()
    assert n_best_entropy(emission, transition, 5) == pytest.approx(five)
    tokens = np.zeros((T, K))
    for path, p in zip(paths, proba, strict=True):
        tokens[np.arange(T), path] += p
    np.testing.assert_allclose(chain_marginals(emission, transition).tokens, tokens)
    entropy = -(tokens * np.log(tokens)).sum()
    assert total_token_entropy(emission, transition) == pytest.approx(entropy)


def test_density_by_hand():
    vectors = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0]])
    found = information_density(np.array([1.0, 2.0, 3.0]), vectors)
    np.testing.assert_allclose(found, [2 / 3, 4 / 3, 1.0])
    flat = information_density(np.array([1.0, 2.0, 3.0]), vectors, beta=0.0)
    np.testing.assert_allclose(flat, [1.0, 2.0, 3.0])


def test_no_sequence_is_refused():
    with pytest.raises(UsageError, match="expected at least one sequence, got 0"):
        n_best(np.zeros((2, 2)), np.zeros((2, 2)), 0)


def test_the_gradient_length_is_that_of_finite_differences():
    assert gradient_length_error() < 1e-6
    # of two equally likely tags, whichever comes: (1/2, -1/2) times the length of the token
    one = expected_gradient_length(np.zeros((1, 2)), np.zeros((2, 2)), np.array([[2.0]]), 2)
    assert one == pytest.approx(np.sqrt(2.0))
