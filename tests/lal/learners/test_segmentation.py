"""Segmentation: regions in, pixels out."""

from typing import Any

import numpy as np
import pytest

from lal.checks import check_learner
from lal.data.scenes import draw_scene, draw_style, pixel_features, tiles
from lal.episode import _Seen
from lal.errors import UsageError
from lal.learners import make_learner
from lal.learners.pool_aware import bind_pool

SIDE = 8


def regions(n_images, seed=0):
    """Return regions of some images of one style, shape (n, P f), and their pixels (n, P)."""
    rng = np.random.default_rng(seed)
    style = draw_style(rng)
    scenes = [draw_scene(style, rng) for _ in range(n_images)]
    X = np.concatenate([tiles(pixel_features(s.image), SIDE) for s in scenes])
    y = np.concatenate([tiles(s.classes, SIDE) for s in scenes])
    return X.reshape(len(X), -1), y


def segmentation(**options: Any) -> Any:
    return make_learner("segmentation", **options)


def test_it_segments_images_it_has_not_seen():
    X, y = regions(12)
    model = segmentation(n_pixels=SIDE**2).fit(X[:128], y[:128], n_classes=4)
    hit = (model.pixel_proba(X[128:]).argmax(axis=2) == y[128:]).mean()
    background = (y[128:] == 0).mean()
    assert hit > background + 0.1


def test_a_region_is_the_mean_of_its_pixels():
    X, y = regions(3)
    learner = segmentation(base="random_forest", n_pixels=SIDE**2)
    model = learner.fit(X[:24], y[:24], n_classes=4, seed=1)
    pixels = model.pixel_proba(X)
    assert pixels.shape == (48, 64, 4)
    np.testing.assert_allclose(model.predict_proba(X), pixels.mean(axis=1))
    members = model.pixel_samples(X, 5, np.random.default_rng(0))
    np.testing.assert_allclose(members.mean(axis=0), pixels, atol=1e-9)
    np.testing.assert_allclose(model.committee_proba(X), members.mean(axis=2))


def test_pixels_over_the_classes_seen_sum_to_one():
    X, y = regions(2)
    model = segmentation(n_pixels=64).fit(X[:16], y[:16] % 3, n_classes=4)
    seen: Any = _Seen(model, np.array([0, 2]))
    pixels = seen.pixel_proba(X)
    assert pixels.shape == (32, 64, 2)
    np.testing.assert_allclose(pixels.sum(axis=2), 1.0)
    kept = model.pixel_proba(X)[..., [0, 2]]
    np.testing.assert_allclose(pixels, kept / kept.sum(axis=2, keepdims=True))
    assert seen.pixel_samples(X, 3, np.random.default_rng(0)).shape == (3, 32, 64, 2)


def test_one_class_for_a_region_is_that_class_for_all_its_pixels():
    X, _ = regions(2)
    learner, codes = segmentation(n_pixels=64), np.arange(32) % 4
    short = learner.fit(X, codes, n_classes=4).pixel_proba(X)
    long = learner.fit(X, np.repeat(codes[:, None], 64, axis=1), n_classes=4).pixel_proba(X)
    np.testing.assert_array_equal(short, long)


def test_columns_that_only_name_a_pixel_are_not_learned_from():
    X, y = regions(2)
    blocks = X.reshape(32, 64, -1)
    names = np.arange(32 * 64.0).reshape(32, 64, 1)
    named = np.concatenate([blocks, names], axis=2).reshape(32, -1)
    plain = segmentation(n_pixels=64).fit(X, y, n_classes=4)
    model = segmentation(n_pixels=64, n_names=1).fit(named, y, n_classes=4)
    np.testing.assert_array_equal(model.pixel_proba(named), plain.pixel_proba(X))
    np.testing.assert_array_equal(model.pixel_names(named), names)
    assert plain.pixel_names(X) is None


def test_a_base_that_looks_at_the_pool_is_given_its_pixels():
    X, y = regions(2)
    learner = segmentation(base="pseudo_labels", n_pixels=64)
    bound: Any = bind_pool(learner, X)
    np.testing.assert_array_equal(bound.base.pool, X.reshape(32 * 64, -1))
    assert learner.base.pool is None
    assert bound.fit(X[:8], y[:8], n_classes=4).pixel_proba(X).shape == (32, 64, 4)


def test_it_passes_the_checks_with_several_pixels():
    check_learner(segmentation(n_pixels=2))


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="n_pixels must be at least 1"):
        segmentation(n_pixels=0)
    with pytest.raises(UsageError, match="rows of 4 columns are not 3 pixels of more than 0"):
        segmentation(n_pixels=3).fit(np.zeros((2, 4)), [0, 1], n_classes=2)
