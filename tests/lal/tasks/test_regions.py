"""Regions of images as tasks: what is asked, what is learned from, what is measured."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import lal
from lal.data.scenes import Scene, draw_scene, draw_style, paint
from lal.episode import Episode, measure_model
from lal.errors import DataError, FirewallError, UsageError
from lal.evaluation.runs.oracles import halve_test, run_oracle
from lal.evaluation.transfer import transfer_curve
from lal.features import FEATURES
from lal.features.regions import border_share, divergence_histogram
from lal.metrics import class_ious, mean_iou, rare_iou
from lal.oracle import Oracle
from lal.task import Part, Task
from lal.tasks.conditions import apply_conditions
from lal.tasks.regions import RegionSampler, commonest_class, make_region_task

TASK: Any = RegionSampler(budget=6, n_pool=3, n_reward=1, n_test=2)(np.random.default_rng(0))


def test_the_label_of_a_region_is_its_commonest_class():
    pixels = np.array([[0, 1, 1, 2], [2, 2, 0, 0], [3, 3, 3, 0]])
    assert commonest_class(pixels, 4).tolist() == [1, 0, 3]


def test_iou_by_hand():
    y = np.array([0, 0, 0, 1, 1, 2])
    proba = np.eye(4)[[0, 0, 1, 1, 1, 3]]
    np.testing.assert_allclose(class_ious(y, proba), [2 / 3, 2 / 3, 0.0])
    assert mean_iou(y, proba) == pytest.approx(4 / 9)
    assert rare_iou(y, np.eye(3)[[0, 0, 2, 1, 1, 2]]) == pytest.approx(0.5)


def test_a_learner_is_fitted_to_the_pixels_of_the_regions_asked_and_to_no_others():
    episode = Episode(TASK, 0)
    for row in (5, 40):
        if row in episode.pool.open:
            episode.label(row)
    rows = episode.pool.labelled
    np.testing.assert_array_equal(episode.pool.targets, TASK.pool.pixels[rows])
    np.testing.assert_array_equal(episode.pool.labels, TASK.pool.y[rows])
    seed = episode.streams.learner_seed(len(rows))
    model = TASK.learner.fit(TASK.pool.X[rows], TASK.pool.pixels[rows], n_classes=4, seed=seed)
    state: Any = episode.state()
    np.testing.assert_array_equal(state.pixel_proba, model.pixel_proba(TASK.pool.X))
    np.testing.assert_allclose(state.proba, state.pixel_proba.mean(axis=1))


@pytest.mark.parametrize("known", [True, False])
def test_one_commonest_class_of_two_pixel_classes_gives_a_model(known):
    task: Any = RegionSampler(budget=6, n_pool=3, n_reward=1, n_test=1)(np.random.default_rng(4))
    episode = Episode(replace(task, start=2, classes_known=known), 4)
    assert np.unique(episode.pool.labels).tolist() == [0]
    assert np.unique(episode.pool.targets).tolist() == [0, 2]
    state: Any = episode.state()
    assert state.n_classes == (4 if known else 2)
    assert state.pixel_proba.shape == (48, 64, state.n_classes)
    np.testing.assert_allclose(state.proba, state.pixel_proba.mean(axis=1))
    utilities = lal.make_strategy("region_entropy").utilities(state, np.random.default_rng(0))
    assert len(np.unique(utilities)) > 1
    two = Episode(replace(task, start="two_classes"), 4)
    assert two.n_start == next(
        n for n in range(1, 9) if len(np.unique(task.pool.pixels[two.pool.order[:n]])) > 1
    )


def test_whole_images_of_mostly_background_are_a_task():
    rng = np.random.default_rng(0)
    style = draw_style(rng, 2)
    corner = np.zeros((8, 8), dtype=np.int64)
    corner[:2, :2] = 1
    scenes = [Scene(paint(corner, style, rng), corner, corner) for _ in range(4)]
    task = make_region_task(scenes, n_classes=2, side=8, budget=2, start=1)
    assert np.unique(task.pool.y).tolist() == [0]
    assert Episode(task, 0).state().proba is not None
    empty = [scene._replace(classes=0 * corner) for scene in scenes]
    with pytest.raises(DataError, match="holds one class only; active learning needs two"):
        make_region_task(empty, n_classes=2, side=8, budget=2, start=1)


def test_labels_are_of_classes_seen_so_far_where_the_number_is_unknown():
    task = replace(TASK, classes_known=False, start=4)
    episode = Episode(task, 0)
    seen = np.unique(episode.pool.targets)
    assert 1 < len(seen) < 4
    state: Any = episode.state()
    assert state.n_classes == len(seen)
    np.testing.assert_array_equal(seen[state.labels], episode.pool.labels)
    curve = lal.run_episode(lal.make_strategy("margin"), task, seed=0, batch_size=3)
    n: Any = curve.n_all_seen
    missing = [set(task.pool.pixels.flat) - set(task.pool.pixels[curve.queried[:m]].flat)
               for m in (n - 1, n)]  # fmt: skip
    assert [len(one) > 0 for one in missing] == [True, False]


def test_a_fork_goes_its_own_way():
    episode = Episode(TASK, 0)
    twin = episode.fork()
    first, second = episode.pool.open[:2]
    episode.label(first)
    twin.label(second)
    assert np.setdiff1d(episode.pool.labelled, twin.pool.labelled).tolist() == [first]
    np.testing.assert_array_equal(twin.pool.targets, TASK.pool.pixels[twin.pool.labelled])


def test_pixels_stay_hidden_until_their_region_is_asked():
    oracle = Oracle(TASK.pool.y, TASK.pool.pixels)
    with pytest.raises(FirewallError, match="sample 3 was not acquired; call reveal first"):
        oracle.pixels(3)
    assert oracle.reveal(3) == TASK.pool.y[3]
    np.testing.assert_array_equal(oracle.pixels(3), TASK.pool.pixels[3])


def test_a_wrong_answer_is_of_one_class():
    episode = Episode(TASK, 0, corrupt=1.0)
    rows = episode.pool.labelled
    wrong = episode.pool.labels != TASK.pool.y[rows]
    assert wrong.any()
    answers = episode.pool.targets[wrong]
    np.testing.assert_array_equal(answers, np.repeat(answers[:, :1], answers.shape[1], axis=1))


def test_curves_are_of_pixels_and_transfer_to_the_same_learner():
    curve = lal.run_episode(lal.make_strategy("margin"), TASK, seed=1, batch_size=3)
    assert next(iter(curve.metrics)) == "mean_iou"
    rows = np.sort(curve.queried)
    model: Any = TASK.learner.fit(TASK.pool.X[rows], TASK.pool.pixels[rows], n_classes=4)
    hit = model.pixel_proba(TASK.test.X).argmax(axis=2) == TASK.test.pixels
    assert curve.metrics["accuracy"][-1] == pytest.approx(hit.mean())
    again = transfer_curve(curve, TASK, TASK.learner, seed=1)
    np.testing.assert_array_equal(again.metrics["mean_iou"], curve.metrics["mean_iou"])


def test_rows_of_a_part_keep_groups_and_pixels():
    part: Any = replace(TASK.test, groups=np.arange(len(TASK.test)) % 3)
    some = part.at(np.array([4, 1]))
    assert some.groups.tolist() == [1, 1]
    np.testing.assert_array_equal(some.pixels, part.pixels[[4, 1]])
    halves: Any = [half.test_part() for half in halve_test(replace(TASK, test=part), 0)]
    assert sum(len(half.pixels) for half in halves) == len(part)


def test_features_by_hand():
    codes = np.array([[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 2, 3]])
    np.testing.assert_allclose(border_share(codes), [0.0, 0.5, 1.0])
    one, two = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5], [1.0, 0.0]])
    found = divergence_histogram(one, two)[0]  # 1 - exp(-log 2) is 1/2, in the fifth bin of eight
    assert found[0] == 0.5
    assert found[3] + found[4] == 0.5
    assert (divergence_histogram(one, two[:0]) == 0.0).all()


def test_region_features_are_undefined_without_pixels():
    task = lal.make_task(
        lal.load_dataset("sklearn:iris"), lal.make_learner("gaussian_nb"), seed=0, budget=2
    )
    state = Episode(task, 0).state()
    assert not FEATURES["region_entropy@1"].values(state, np.arange(3)).any()


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="needs an image whose regions may be asked, got none"):
        make_region_task([], n_classes=3)
    with pytest.raises(UsageError, match="at least one image in the pool and one base, got n_pool"):
        RegionSampler(n_pool=0)
    rng = np.random.default_rng(0)
    scene = draw_scene(draw_style(rng), rng)
    with pytest.raises(UsageError, match="cannot be cut into regions of 5"):
        make_region_task([scene], n_classes=4, side=5)
    with pytest.raises(UsageError, match="are regions of pixels; leave the oracles out"):
        run_oracle(TASK, seed=0)
    with pytest.raises(
        UsageError, match="are regions of pixels; change the scenes before make_reg"
    ):
        apply_conditions(TASK, ["redundancy"], seed=0)
    plain = lal.make_learner("gaussian_nb")
    curve = lal.run_episode(lal.make_strategy("random"), TASK, seed=0, batch_size=6)
    with pytest.raises(UsageError, match="are regions of 64 pixels, and its learner is not for"):
        transfer_curve(curve, TASK, plain, seed=0)
    model = plain.fit(TASK.pool.X, TASK.pool.y, n_classes=4)
    with pytest.raises(UsageError, match="regions of 64 pixels, and SklearnModel does not predict"):
        measure_model(model, TASK.test, TASK.kind, {})
    part = Part(TASK.pool.X, TASK.pool.y, pixels=TASK.pool.pixels)
    with pytest.raises(UsageError, match="are regions of 64 pixels, and its learner is not for"):
        Task("t", "t", lal.make_learner("gaussian_nb"), 4, part, part, budget=2, start=4)
