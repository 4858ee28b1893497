"""Domain adaptation: source and target, the learner of both, and MADA."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import lal
from lal.episode import Episode
from lal.errors import UnknownNameError, UsageError
from lal.strategies.mada import MultiAnchor
from lal.tasks.domains import SHIFTS, adaptation_task
from lal.tasks.regions import RegionSampler


def iris(start=2, **options: Any) -> Any:
    task = lal.make_task(
        lal.load_dataset("sklearn:iris"), lal.make_learner("knn"), seed=0, budget=10, start=start
    )
    return task, adaptation_task(task, np.random.default_rng(0), **{"by": "inverted", **options})


def test_pool_rows_are_source_or_target_and_only_some_target_rows_are_shifted():
    plain, task = iris(source=0.4, share=0.5)
    rows = {row.tobytes() for row in np.asarray(plain.pool.X)}
    source = {row.tobytes() for row in task.learner.source_X}
    assert len(source) == round(0.4 * len(plain.pool)) == len(plain.pool) - len(task.pool)
    same = {row.tobytes() for row in task.pool.X[task.pool.groups == 0]}
    new = {row.tobytes() for row in task.pool.X[task.pool.groups == 1]}
    assert source | same <= rows
    assert not source & same
    assert not new & rows
    assert 0.3 < task.pool.groups.mean() < 0.7
    assert set(np.unique(task.test.groups)) == {0, 1}


def test_shifts_by_hand():
    rng = np.random.default_rng(0)
    X = np.array([[1.0, 2.0, 3.0, 4.0], [5.0, 2.0, 0.0, 4.0]])
    assert SHIFTS["inverted"](X, X, rng).tolist() == [[5.0, 2.0, 0.0, 4.0], [1.0, 2.0, 3.0, 4.0]]
    assert SHIFTS["rotated"](X[:1], X, rng).tolist() == [[2.0, 4.0, 1.0, 3.0]]
    assert SHIFTS["noisy"](X, X, rng).shape == X.shape
    with pytest.raises(UsageError, match="only square drawings can be rotated, got 3 columns"):
        SHIFTS["rotated"](X[:, :3], X, rng)


def test_all_parts_are_of_the_same_target_domain():
    plain, task = iris(share=1.0)
    X = np.asarray(plain.pool.X)
    np.testing.assert_allclose(task.test.X, X.min(axis=0) + X.max(axis=0) - plain.test.X)
    rows, rng = np.asarray(plain.test.X), np.random.default_rng(0)
    np.testing.assert_array_equal(SHIFTS["noisy"](rows, np.ones((3, rows.shape[1])), rng), rows)


def test_the_reward_part_does_not_depend_on_the_test_part():
    plain = lal.make_task(
        lal.load_dataset("sklearn:iris"), lal.make_learner("knn"), seed=0, budget=10,
        reward_share=0.3,
    )  # fmt: skip
    whole, blind = (
        adaptation_task(task, np.random.default_rng(0), by="noisy")
        for task in (plain, plain.blind())
    )
    assert whole.reward is not None
    assert blind.reward is not None
    np.testing.assert_array_equal(whole.pool.X, blind.pool.X)
    np.testing.assert_array_equal(whole.reward.X, blind.reward.X)


def test_the_task_says_what_was_done():
    plain, task = iris(source=0.4, share=0.5)
    n = round(0.4 * len(plain.pool))
    assert task.name == f"iris/with_source(knn, {n} rows)"
    assert task.info == (*plain.info, ("domain shift", "inverted, source=0.4, share=0.5"))


@pytest.mark.parametrize("name", ["expected_error_reduction", "mval"])
def test_strategies_that_refit_know_the_classes_of_the_source(name):
    _, task = iris()
    curve = lal.run_episode(lal.make_strategy(name), replace(task, budget=1), seed=0)
    assert len(curve.queried) == 3


def test_the_learner_is_fitted_to_source_and_labelled_rows():
    _, task = iris()
    episode = Episode(task, 0)
    rows, learner = episode.pool.labelled, task.learner
    X = np.concatenate([task.pool.X[rows], learner.source_X])
    y = np.append(task.pool.y[rows], learner.source_y)
    alone = learner.base.fit(X, y, n_classes=3, seed=episode.streams.learner_seed(len(rows)))
    found = episode.model.predict_proba(task.test.X)
    np.testing.assert_array_equal(found, alone.predict_proba(task.test.X))
    weighted = learner.fit(X[:0], y[:0], n_classes=3, sample_weight=None)
    assert (weighted.predict(learner.source_X) == learner.source_y).mean() > 0.8


def test_weights_of_labelled_rows_leave_those_of_the_source_at_one():
    X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    base = lal.make_learner("gaussian_nb")
    made = lal.make_learner("with_source", base=base, X=X[2:], y=y[2:])
    found: Any = made.fit(X[:2], y[:2], n_classes=2, sample_weight=np.array([3.0, 3.0]))
    wanted = base.fit(X, y, n_classes=2, sample_weight=np.array([3.0, 3.0, 1.0, 1.0]))
    np.testing.assert_allclose(found.predict_proba(X), wanted.predict_proba(X))


def test_one_anchor_is_the_distance_to_the_mean_of_the_source_and_more_come_nearer():
    _, task = iris()
    state = Episode(task, 0).state()
    rng = np.random.default_rng(0)
    source = state.geometry.encode(task.learner.source_X)
    one = MultiAnchor(1).utilities(state, rng)
    np.testing.assert_allclose(one, ((state.Z - source.mean(axis=0)) ** 2).sum(axis=1))
    many = MultiAnchor(len(source)).utilities(state, rng)
    nearest = ((state.Z[:, None] - source) ** 2).sum(axis=2).min(axis=1)
    np.testing.assert_allclose(many, nearest, atol=1e-9)
    assert many.mean() < one.mean()


def test_shifted_rows_are_asked_more_often_than_they_are_there():
    _, task = iris(by="noisy", share=0.3)
    picks = lal.run_episode(MultiAnchor(), task, seed=0, batch_size=10).queried[2:]
    assert task.pool.groups[picks].mean() > 1.5 * task.pool.groups.mean()


def test_what_does_not_fit_is_refused():
    plain, _ = iris()
    state = Episode(plain, 0).state()
    with pytest.raises(
        UsageError, match=r"mada needs a learner with labelled rows of a source .*kn"
    ):
        MultiAnchor().utilities(state, np.random.default_rng(0))
    X, y = np.zeros((2, 4)), np.array([0, 1])
    inner = lal.make_learner(
        "pseudo_labels",
        base=lal.make_learner("with_source", base=lal.make_learner("knn"), X=X, y=y),
    )
    state = Episode(replace(plain, learner=inner), 0).state()
    with pytest.raises(UsageError, match="learners that have it: 'with_source', around all others"):
        MultiAnchor().utilities(state, np.random.default_rng(0))
    with pytest.raises(UsageError, match="n_anchors must be at least 1, got 0"):
        MultiAnchor(0)
    with pytest.raises(
        UsageError, match=r"source must lie in \(0, 1\) and share in \[0, 1\], got 1"
    ):
        iris(source=1.0)
    with pytest.raises(UsageError, match=r"is no row; use source=0\.0\d+ or more"):
        iris(source=0.001)
    with pytest.raises(UsageError, match="has groups already"):
        adaptation_task(iris()[1], np.random.default_rng(0))
    with pytest.raises(UnknownNameError, match="unknown shift 'blurred'"):
        iris(by="blurred")
    with pytest.raises(UsageError, match="a label for every row, got 2 rows and 0 labels"):
        lal.make_learner("with_source", X=np.zeros((2, 1)))
    for wrong in (["a", "b"], [0.5, 1.0], [-1, 0]):
        with pytest.raises(UsageError, match="must be class codes, integers from 0, got"):
            lal.make_learner("with_source", X=X, y=np.array(wrong))
    with pytest.raises(UsageError, match=r"shape \(2, 3\) for a pool of shape \(\d+, 4\)"):
        lal.make_learner("with_source", X=X[:, :3], y=y).bind(plain.pool.X)
    regions = RegionSampler(budget=2, n_pool=1, n_reward=0)(np.random.default_rng(0))
    with pytest.raises(UsageError, match="is another kind of task"):
        adaptation_task(regions, np.random.default_rng(0))
