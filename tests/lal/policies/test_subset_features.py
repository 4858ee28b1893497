"""Features of few-shot policies by hand; nothing else in the core's tests reaches them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lal.policies.subset_features import (
    N_COVERAGE,
    SHARP,
    coverage_order,
    nearest,
    order_features,
    prototype_statistics,
)

LINE = np.array([0.0, 1.0, 2.0, 10.0])
NEAR = np.exp(-np.abs(LINE[:, None] - LINE))
"""Kernel of four items on a line; the second is in the middle of the first three."""


def test_nearest_leaves_the_item_itself_out():
    S = np.array([[1.0, 0.2, 0.8], [0.2, 1.0, 0.5], [0.8, 0.5, 1.0]])
    np.testing.assert_allclose(nearest(S, k=1), [0.8, 0.5, 0.8])
    np.testing.assert_allclose(nearest(S, k=2), [0.5, 0.35, 0.65])
    np.testing.assert_allclose(nearest(S), nearest(S, k=2))  # there are no five others


@pytest.mark.parametrize("seed", range(5))
def test_the_order_by_coverage_takes_what_adds_most(seed):
    Z = np.random.default_rng(seed).normal(size=(7, 3))
    K = np.exp(-np.sqrt(((Z[:, None] - Z) ** 2).sum(axis=-1)))
    place, worth = coverage_order(np.stack([K] * N_COVERAGE), Z)
    assert sorted(place) == list(range(7))
    covered, left, first = np.zeros(7), set(range(7)), K.sum(axis=1).max()
    for item in np.argsort(place):
        gains = {i: np.maximum(K[i] - covered, 0.0).sum() for i in left}
        assert gains[item] >= max(gains.values()) - 1e-8
        np.testing.assert_allclose(worth[item], gains[item] / first, atol=1e-8)
        covered = np.maximum(covered, K[item])
        left.remove(item)


def test_ties_follow_the_items_and_not_their_rows():
    K = np.stack([NEAR[:2, :2]] * N_COVERAGE)
    Z = np.array([[0.3], [-0.7]])
    first = coverage_order(K, Z)[0]
    assert sorted(first) == [0, 1]
    np.testing.assert_array_equal(coverage_order(K, Z[::-1])[0], first[::-1])


def test_order_features_look_at_those_before_and_behind():
    given: Any = SimpleNamespace(S=NEAR, density=np.array([0.1, 0.2, 0.3, 0.4]))
    found = order_features(given, np.array([1, 0, 2, 3]), np.ones((4, 3))) / SHARP
    before = [NEAR[0, 1], -1.0, NEAR[2, 1], NEAR[3, 2]]
    behind = [NEAR[0, 2], NEAR[1, 0], NEAR[2, 3], -1.0]
    np.testing.assert_allclose(found[:, 0], before)
    np.testing.assert_allclose(found[:, 1], behind)
    np.testing.assert_allclose(found[:, 2], NEAR.mean(axis=1))
    np.testing.assert_allclose(found[:, 3], given.density)
    np.testing.assert_allclose(found[:, 4:], 1.0)


def test_prototype_statistics_by_hand():
    """Prototypes are at 0 (the mean of -1 and 1) and 4; the items are on one, and between them."""
    Z = np.array([[0.0], [2.0]])
    support, labels = np.array([[-1.0], [1.0], [4.0]]), np.array([0, 0, 1])
    density = np.array([0.5, 0.6])
    found = prototype_statistics(Z, density, support, labels, 2)
    mean = (0 + 4 + 2 + 2) / 4
    p = np.exp(-8 * 4 / mean) / (1 + np.exp(-8 * 4 / mean))
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    np.testing.assert_allclose(
        found[0], [0, 4 / mean, 2 / mean, entropy, 1 - 2 * p, 0.5], atol=1e-9
    )
    np.testing.assert_allclose(found[1], [2 / mean, 0, 2 / mean, np.log(2), 0, 0.6], atol=1e-9)
    renamed = prototype_statistics(Z, density, support, 1 - labels, 2)
    np.testing.assert_allclose(renamed, found, atol=1e-12)
