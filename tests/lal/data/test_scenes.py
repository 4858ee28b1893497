"""Made-up scenes: what is drawn, cut into regions, and paid for in clicks."""

from dataclasses import replace

import numpy as np
import pytest

from lal.data.scenes import (
    FEATURES_OF_A_PIXEL,
    count_clicks,
    draw_layout,
    draw_scene,
    draw_slide,
    draw_style,
    paint,
    pixel_features,
    tiles,
)
from lal.errors import UsageError


def rng(seed=0):
    return np.random.default_rng(seed)


def test_a_scene_follows_from_its_seed_and_objects_have_one_class():
    scene, again = (draw_scene(draw_style(rng(1)), rng(2)) for _ in range(2))
    np.testing.assert_array_equal(scene.image, again.image)
    assert scene.image.shape == scene.classes.shape == scene.objects.shape == (32, 32)
    np.testing.assert_array_equal(scene.objects == 0, scene.classes == 0)
    for one in np.unique(scene.objects):
        assert len(np.unique(scene.classes[scene.objects == one])) == 1


def test_the_last_class_is_as_rare_as_asked():
    for rare, least, most in ((0.0, 0, 0), (1.0, 20, 20)):
        drawn = [draw_layout(rng(seed), 4, rare=rare)[0] for seed in range(20)]
        assert least <= sum(bool((classes == 3).any()) for classes in drawn) <= most


def test_without_noise_and_light_a_class_is_its_grating():
    style = replace(draw_style(rng(3)), noise=0.0, light=0.0)
    classes = draw_layout(rng(4), 4)[0]
    image = paint(classes, style, rng(5))
    for code in np.unique(classes):
        mean, contrast = style.texture[code, :2]
        assert np.abs(image[classes == code] - mean).max() <= contrast + 1e-12


def test_another_domain_keeps_the_classes():
    style = draw_style(rng(6))
    np.testing.assert_array_equal(style.shifted(rng(7), 0.0).texture, style.texture)
    assert style.shifted(rng(7), 1.0).n_classes == 4
    assert np.abs(style.shifted(rng(7), 1.0).texture - style.texture).max() > 0.1


def test_the_rare_tissue_of_a_slide_is_there_and_rare():
    slide = draw_slide(draw_style(rng(8)), rng(9), size=64)
    assert 0 < (slide.classes == 3).mean() < 0.15


def test_regions_keep_every_pixel_at_its_place():
    image = np.arange(64).reshape(8, 8)
    cut = tiles(image, 4)
    np.testing.assert_array_equal(cut[1].reshape(4, 4), image[:4, 4:])
    np.testing.assert_array_equal(cut[2].reshape(4, 4), image[4:, :4])
    features = pixel_features(rng(0).normal(size=(8, 8)))
    assert tiles(features, 4).shape == (4, 16, FEATURES_OF_A_PIXEL)
    np.testing.assert_array_equal(tiles(features, 4)[3, 0], features[4, 4])
    with pytest.raises(UsageError, match="an image of 8 pixels cannot be cut into regions of 3"):
        tiles(image, 3)


def test_features_by_hand():
    flat = pixel_features(np.full((12, 12), 2.0))
    np.testing.assert_allclose(flat[..., :2], 2.0)
    np.testing.assert_allclose(flat[..., 2:], 0.0, atol=1e-6)
    ramp = pixel_features(np.tile(np.arange(20.0), (20, 1)))[8, 8]
    np.testing.assert_allclose(ramp, [8.0, 8.0, np.sqrt(2.0), 1.0, 0.0, 1.0], atol=1e-6)


def test_clicks_by_hand():
    one = np.zeros((4, 4), dtype=np.int64)
    halves, quarter, islands = one.copy(), one.copy(), one.copy()
    halves[:, 2:] = 1  # a straight border: one click a class
    quarter[2:, 2:] = 1  # one corner
    islands[0, 0] = islands[3, 3] = 1  # two corners, two pieces and the rest
    regions = np.stack([one, halves, quarter, islands]).reshape(4, 16)
    np.testing.assert_array_equal(count_clicks(regions), [1, 2, 3, 5])


def test_a_style_needs_two_classes():
    with pytest.raises(UsageError, match="got n_classes=1"):
        draw_style(rng(0), 1)
