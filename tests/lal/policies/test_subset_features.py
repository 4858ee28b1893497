"""Features of few-shot policies by hand; nothing else in the core's tests reaches them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lal.policies.subset_features import (
    N_COVERAGE,
    N_DIVERSITY,
    N_KNOWN,
    N_NODE,
    SHARP,
    Similarities,
    coverage_gains,
    coverage_order,
    covered_by,
    diversity_features,
    known_features,
    nearest,
    neighbours,
    node_features,
    order_features,
    prototype_statistics,
    similarities,
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


POINTS = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [0.0, 0.0]])
ROOT = np.sqrt(0.5)
COSINES = np.array([[1, 0, ROOT, 0], [0, 1, ROOT, 0], [ROOT, ROOT, 1, 0], [0, 0, 0, 0]])
"""Of `POINTS`; nothing is like the point at 0."""


def test_similarities_are_cosines_and_kernels_of_them():
    found = similarities(POINTS)
    np.testing.assert_allclose(found.S, COSINES, atol=1e-12)
    for k, sharpness in enumerate((2.0, 4.0, 8.0)):
        np.testing.assert_allclose(found.K[k], np.exp(sharpness * (COSINES - 1)), atol=1e-12)
    np.testing.assert_allclose(found.density, [ROOT / 3, ROOT / 3, 2 * ROOT / 3, 0.0], atol=1e-12)
    assert found.near.shape == (3, 4)
    assert not found.near.any()
    assert not similarities(POINTS, POINTS[:0]).near.any()
    near = similarities(POINTS, np.array([[5.0, 0.0], [4.0, 4.0]])).near
    best = np.array([1.0, ROOT, 1.0, 0.0])
    np.testing.assert_allclose(near, [np.exp(s * (best - 1)) for s in (2.0, 4.0, 8.0)])


def test_several_sets_are_looked_at_one_by_one():
    given = similarities(np.stack([POINTS, POINTS[::-1]]), np.ones((2, 1, 2)))
    chosen = np.array([[True, False, False, True], [False, False, True, False]])
    labels = np.array([[0, 1, 0, 0], [1, 1, 0, 0]])
    for i in range(2):
        alone = Similarities(*(part[i] for part in given))
        for make in (known_features, diversity_features):
            np.testing.assert_allclose(make(given, chosen)[i], make(alone, chosen[i]))
        nodes = node_features(given, chosen, labels)[i]
        np.testing.assert_allclose(nodes, node_features(alone, chosen[i], labels[i]))


def make_given() -> Any:
    rng = np.random.default_rng(0)
    S = rng.uniform(-1.0, 1.0, (5, 5))
    K = rng.uniform(0.0, 1.0, (3, 5, 5))
    return Similarities(S, K, rng.random(5), rng.random((3, 5)))


CHOSEN = np.array([False, True, False, True, True])


def test_coverage_is_the_kernel_to_the_nearest_chosen_item():
    given = make_given()
    found = covered_by(given.K, CHOSEN)
    np.testing.assert_allclose(found, given.K[:, :, CHOSEN].max(axis=2))
    assert not covered_by(given.K, np.zeros(5, dtype=bool)).any()
    added = np.maximum(given.K - found[:, None, :], 0.0)
    plain = added.sum(axis=2)
    wanted = (plain / plain.max(axis=1, keepdims=True)).T
    np.testing.assert_allclose(coverage_gains(given.K, found), wanted)
    heavy = (added * given.near[:, None, :]).sum(axis=2)
    wanted = (heavy / heavy.max(axis=1, keepdims=True)).T
    np.testing.assert_allclose(coverage_gains(given.K, found, given.near), wanted)
    assert not coverage_gains(given.K, np.ones((3, 5))).any()  # nothing is left to cover


def test_known_features_by_hand():
    given = make_given()
    found = known_features(given, CHOSEN)
    assert found.shape == (5, N_KNOWN)
    inside, outside = given.S[:, CHOSEN], given.S[:, ~CHOSEN]
    columns = [
        inside.max(axis=1), inside.mean(axis=1), inside.min(axis=1),
        outside.max(axis=1), outside.mean(axis=1), outside.min(axis=1), given.density,
    ]  # fmt: skip
    np.testing.assert_allclose(found[:, :7], SHARP * np.column_stack(columns))
    gains = coverage_gains(given.K, covered_by(given.K, CHOSEN))
    np.testing.assert_allclose(found[:, 7:], SHARP * gains)
    none = known_features(given, np.zeros(5, dtype=bool))
    assert not none[:, :3].any()
    np.testing.assert_allclose(none[:, 4], SHARP * given.S.mean(axis=1))
    assert not known_features(given, np.ones(5, dtype=bool))[:, 3:6].any()


def test_diversity_features_by_hand():
    given = make_given()
    found = diversity_features(given, CHOSEN)
    known = known_features(given, CHOSEN)
    assert found.shape == (5, N_DIVERSITY)
    np.testing.assert_allclose(found[:, :2], known[:, :2])
    np.testing.assert_allclose(found[:, 2:5], known[:, 7:])
    covered = np.maximum(covered_by(given.K, CHOSEN), given.near)
    np.testing.assert_allclose(found[:, 5:8], SHARP * coverage_gains(given.K, covered))
    weighed = coverage_gains(given.K, covered, given.near)
    np.testing.assert_allclose(found[:, 8:], SHARP * weighed)


def test_node_features_by_hand():
    """Of the three chosen items two are of class 1 and one is of class 0."""
    given, labels = make_given(), np.array([1, 1, 0, 1, 0])
    found = node_features(given, CHOSEN, labels)
    assert found.shape == (5, N_NODE)
    np.testing.assert_allclose(found[:, :-2], known_features(given, CHOSEN))
    np.testing.assert_allclose(found[:, -2], [0, 1, 0, 1, 1])
    np.testing.assert_allclose(found[:, -1], [0, 2 / 3, 0, 2 / 3, 1 / 3])
    assert not node_features(given, np.zeros(5, dtype=bool), labels)[:, -2:].any()


def test_neighbours_share_one():
    found = neighbours(COSINES)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    wanted = np.exp(8.0 * COSINES[0])
    np.testing.assert_allclose(found[0], wanted / wanted.sum())
