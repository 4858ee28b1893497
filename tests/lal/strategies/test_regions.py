"""Rules for regions of images: formulas by hand, clicks, views of one surface."""

from typing import Any

import numpy as np
import pytest

import lal
from lal.data.scenes import draw_scene, draw_style
from lal.data.view import make_geometry
from lal.errors import UsageError
from lal.state import QueryState
from lal.strategies.base import select
from lal.strategies.region_clusters import RegionClusters
from lal.strategies.regions import RegionBald, RegionEntropy, shares_entropy, view_scores
from lal.strategies.seg_propagation import SegmentationPropagation, reach
from lal.tasks.regions import RegionSampler, make_region_task

HALF, SURE = [0.5, 0.5], [1.0, 0.0]
OTHER = [0.0, 1.0]
REGIONS = np.array([[SURE] * 4, [SURE, SURE, HALF, HALF], [SURE, OTHER, OTHER, OTHER]])
LOG2 = np.log(2.0)


class Pixels:
    """A model that says what it is given."""

    n_classes = 2
    asked = 0

    def __init__(self, proba: Any, samples: Any = None, names: Any = None) -> None:
        self.proba, self.samples, self.names = proba, samples, names

    def pixel_proba(self, X: Any) -> Any:
        self.asked += 1
        return self.proba

    def pixel_samples(self, X: Any, n: int, rng: Any) -> Any:
        return self.samples

    def pixel_names(self, X: Any) -> Any:
        return self.names


def state(model, labelled=()):
    X = np.arange(len(model.proba), dtype=np.float64)[:, None]
    rows = np.array(labelled, dtype=np.int64)
    return QueryState(
        X=X, geometry=make_geometry(X), labelled=rows, labels=np.zeros(len(rows), dtype=np.int64),
        n_classes=2, classes_known=True, proba=model.proba.mean(axis=1), model=model,
    )  # fmt: skip


def utilities(name, model, **options):
    made = lal.make_strategy(name, **options)
    return made.utilities(state(model), np.random.default_rng(0))


def test_pixels_by_hand():
    model = Pixels(REGIONS)
    np.testing.assert_allclose(utilities("region_entropy", model), [0.0, LOG2 / 2, 0.0], atol=1e-12)
    np.testing.assert_allclose(utilities("region_margin", model), [-1.0, -0.5, -1.0])
    mixed = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    np.testing.assert_allclose(shares_entropy(REGIONS), [0.0, 0.0, mixed], atol=1e-12)
    doubtful = REGIONS.copy()
    doubtful[2, 1] = [0.4, 0.6]
    entropy = -(0.4 * np.log(0.4) + 0.6 * np.log(0.6)) / 4
    found = utilities("region_impurity", Pixels(doubtful))
    np.testing.assert_allclose(found, [0.0, 0.0, mixed * entropy], atol=1e-12)


def test_entropy_per_click_divides_by_what_the_prediction_would_take():
    doubtful = 0.9 * REGIONS + 0.05
    plain, paid = RegionEntropy(), RegionEntropy(per_click=True)
    both = [
        rule.utilities(state(Pixels(doubtful)), np.random.default_rng(0)) for rule in (plain, paid)
    ]
    # one piece; one piece, as equal probabilities go to the first class; two pieces and a corner
    np.testing.assert_allclose(both[0] / both[1], [1.0, 1.0, 3.0])


def test_bald_is_zero_where_draws_agree_and_log_2_where_they_are_opposite():
    draws = np.array([[[SURE, SURE], [SURE, SURE]], [[SURE, SURE], [OTHER, SURE]]])
    model = Pixels(draws.mean(axis=0), samples=draws)
    np.testing.assert_allclose(utilities("region_bald", model), [0.0, LOG2 / 2], atol=1e-12)
    with pytest.raises(UsageError, match="n_draws must be at least 2, got 1"):
        RegionBald(n_draws=1)


def test_view_scores_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.ones(3), size=(4, 5))
    points = rng.integers(6, size=(4, 5))
    entropy, divergence = np.zeros((4, 5)), np.zeros((4, 5))
    for i in range(4):
        for p in range(5):
            views = proba[points == points[i, p]]
            mean = views.mean(axis=0)
            entropy[i, p] = -(mean * np.log(mean)).sum()
            divergence[i, p] = np.mean(
                [(proba[i, p] * np.log(proba[i, p] / v)).sum() for v in views]
            )
    found = view_scores(proba, points)
    np.testing.assert_allclose(found[0], entropy.mean(axis=1))
    np.testing.assert_allclose(found[1], divergence.mean(axis=1))


def test_a_surface_is_asked_once_and_in_the_view_that_differs_most():
    proba = np.array([[SURE] * 2, [SURE] * 2, [[0.1, 0.9]] * 2, [[0.6, 0.4]] * 2])
    names = np.array([[0, 1], [1, 0], [0, 1], [2, 3]])[:, :, None]
    model: Any = Pixels(np.clip(proba, 0.01, 0.99), names=names)
    rngs = np.random.default_rng(0), np.random.default_rng(1)
    picked = select(lal.make_strategy("viewal"), state(model), *rngs, 2)
    assert picked.tolist() == [3, 2]
    after = lal.make_strategy("viewal").utilities(state(model, [2]), rngs[0])
    np.testing.assert_array_equal(after[:3], -1.0)


def test_pixels_are_predicted_once_for_a_batch():
    names = np.arange(12).reshape(3, 4)[:, :, None]
    for name in ("region_entropy", "region_margin", "region_impurity", "viewal"):
        model = Pixels(0.9 * REGIONS + 0.05, names=names)
        rngs = np.random.default_rng(0), np.random.default_rng(1)
        select(lal.make_strategy(name), state(model), *rngs, 3, batch_rule="greedy")
        assert model.asked == 1, name


def clustered(labelled=(), proba=None):
    """Two clusters of a line, at 0 and 10, of four regions each; regions 3 and 7 lie off."""
    X = np.array([[0.0], [0.1], [-0.1], [1.5], [10.0], [10.1], [9.9], [8.5]])
    rows = np.array(labelled, dtype=np.int64)
    given: Any = None if proba is None else np.asarray(proba)
    model: Any = None if proba is None else Pixels(given)
    return QueryState(
        X=X, geometry=make_geometry(X), labelled=rows, labels=np.zeros(len(rows), dtype=np.int64),
        n_classes=2, classes_known=True, proba=None if given is None else given.mean(axis=1),
        model=model,
    )  # fmt: skip


def test_clusters_take_turns_from_a_cold_start_and_typical_regions_go_first():
    rngs = np.random.default_rng(0), np.random.default_rng(1)
    rule = RegionClusters(n_clusters=2)
    found = select(rule, clustered(), *rngs, 4)
    assert [row // 4 for row in found] in ([0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1])
    assert not {3, 7} & set(found.tolist())
    utilities = rule.utilities(clustered([0, 1, 4]), rngs[0])
    assert np.floor(utilities).tolist() == [-2.0] * 4 + [-1.0] * 4


def test_of_a_cluster_the_uncertain_region_goes_first():
    proba = np.array([[SURE] * 2] * 8)
    proba[[3, 6]] = HALF
    rule, rng = RegionClusters(n_clusters=2), np.random.default_rng(0)
    utilities = rule.utilities(clustered([0], proba), rng)
    state = clustered([0])
    _, typical = rule.clusters(state)
    np.testing.assert_allclose(utilities[[3, 6]], typical[[3, 6]] - [1.0, 0.0])
    np.testing.assert_allclose(utilities[[1, 4, 5]], [-1.0, 0.0, 0.0], atol=1e-12)
    assert utilities.argmax() == 6
    with pytest.raises(UsageError, match="n_clusters must be at least 2, got 1"):
        RegionClusters(1)


def test_reach_by_hand():
    points = np.array([[0.0], [1.0], [3.0]])
    squares = np.array([[0.0, 1.0], [1.0, 0.0], [4.0, 0.0]])  # of the two nearest
    weights = np.exp(-squares / (6.0 / 6.0))
    found = reach(points, np.arange(3), 1)
    np.testing.assert_allclose(found[0], [weights[0, 0], weights[0, 1], 0.0])
    np.testing.assert_allclose(found[2], [0.0, np.exp(-4.0), 1.0])


def test_every_image_has_the_same_number_of_edges_to_others():
    points = np.arange(9.0)[:, None] ** 1.1
    found = reach(points, np.array([0, 2, 3, 4, 6, 8]), 3)
    assert (found > 0).sum(axis=1).tolist() == [4, 3, 4, 4, 4, 3, 4, 3, 4]
    assert (reach(points, np.array([0]), 3) > 0).all()


def test_images_that_reach_hard_ones_go_first_and_what_is_reached_counts_once():
    proba = np.array([[SURE] * 2] * 8)
    proba[4:] = HALF
    model: Any = Pixels(proba)
    model.embed = lambda X: X
    there = clustered([0])
    state = QueryState(
        X=there.X, geometry=there.geometry, labelled=there.labelled, labels=there.labels,
        n_classes=2, classes_known=True, proba=proba.mean(axis=1), model=model,
    )  # fmt: skip
    rule, rng = SegmentationPropagation(3), np.random.default_rng(0)
    utilities = rule.utilities(state, rng)
    np.testing.assert_allclose(utilities[:4], 0.0, atol=1e-12)  # nobody there is hard
    assert utilities.argmax() == 4
    later = rule.utilities(state.assume_label(4, 0), rng)
    assert later.max() < utilities.max()
    assert later.argmax() == 7  # reached least by region 4
    plain = SegmentationPropagation(3, difficulty=False).utilities(state, rng)
    assert plain[3] > 0.0
    with pytest.raises(UsageError, match="n_neighbors must be at least 1, got 0"):
        SegmentationPropagation(0)


def test_the_points_of_a_surface_are_columns_of_the_pool_and_not_learned_from():
    rng = np.random.default_rng(0)
    style = draw_style(rng)
    scene = draw_scene(style, rng)
    points = [np.arange(1024).reshape(32, 32), np.arange(1024).reshape(32, 32)[:, ::-1]]
    flipped = scene._replace(image=scene.image[:, ::-1], classes=scene.classes[:, ::-1])
    task = make_region_task(
        [scene, flipped], test=[scene], n_classes=4, points=points, budget=6, start=4
    )
    curve = lal.run_episode(lal.make_strategy("viewal"), task, seed=0, batch_size=3)
    names = task.pool.X.reshape(32, 64, -1)[curve.queried[4:], :, -1]
    assert len(np.unique(names)) == names.size
    plain = RegionSampler(n_pool=1, n_reward=0, n_test=1, budget=2)(rng)
    with pytest.raises(UsageError, match="viewal needs the point of the surface that each pixel"):
        lal.run_episode(lal.make_strategy("viewal"), plain, seed=0)
