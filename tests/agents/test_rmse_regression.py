"""Gain regression for regression: gains in closed form, and a smoke run with its control."""

from dataclasses import replace

import numpy as np
import pytest

import lal
from agents.imitation.number_states import make_samples, rmse_gains
from agents.imitation.trees_config import NUMBER_PRESETS, NUMBERS, NumberTreesConfig
from lal.checks import check_policy
from lal.episode import Episode
from lal.errors import UsageError
from lal.metrics import REGRESSION_METRICS
from lal.task_kind import REGRESSION
from lal.tasks.regression_sampler import RegressionSampler

SMOKE = NUMBER_PRESETS["smoke"]


def get_episode(learner):
    task = RegressionSampler((learner,), budget=20, max_pool=60)(np.random.default_rng(3))
    episode = Episode(task, 0)
    for row in episode.pool.open[:12]:
        episode.label(int(row))
    return episode


def refitted(episode, rows):
    """Return what each label takes off the error, by a refit for each."""
    part, skill = episode.task.reward_part(), {"rmse_skill": REGRESSION_METRICS["rmse_skill"]}
    before = episode.measure(part, skill)["rmse_skill"]
    found = []
    for row in rows:
        fork = episode.fork()
        fork.label(int(row))
        found.append(fork.measure(part, skill)["rmse_skill"] - before)
    return np.array(found)


def gains(episode, rows):
    labels = episode.task.pool.y[rows]
    part = episode.task.reward_part()
    return rmse_gains(episode.model, episode.state(), part, rows, labels)


def test_gains_of_ridge_are_those_of_refits():
    episode = get_episode("ridge")
    rows = episode.pool.open[:8]
    np.testing.assert_allclose(gains(episode, rows), refitted(episode, rows), atol=1e-9)


def test_gains_of_a_gaussian_process_are_those_of_a_held_kernel():
    episode = get_episode("gp")
    fitted = episode.model.estimator
    rows = episode.pool.open[:8]
    part, y = episode.task.reward_part(), episode.task.pool.y
    known = episode.pool.labelled
    X, scale, noise = episode.task.pool.X, fitted.length_scale_, fitted.noise_

    def k(A, B):
        return np.exp(-0.5 * ((A[:, None] - B[None]) ** 2).sum(-1) / X.shape[1] / scale**2)

    def error(rows):
        K = k(X[rows], X[rows]) + noise * np.eye(len(rows))
        weights = np.linalg.solve(K, y[rows] - fitted.mean_)
        answer = fitted.mean_ + k(part.X, X[rows]) @ weights
        return np.sqrt(np.mean((answer - part.y) ** 2))

    expected = [error(known) - error(np.append(known, row)) for row in rows]
    np.testing.assert_allclose(gains(episode, rows), np.array(expected) / part.y.std(), atol=1e-8)


def test_other_learners_have_no_closed_form():
    with pytest.raises(UsageError, match="for ridge and gp, got RandomForestRegressor"):
        gains(get_episode("random_forest"), np.array([0, 1]))


def test_blocks_are_functions_of_config_and_number():
    first, again = make_samples(SMOKE, 1), make_samples(SMOKE, 1)
    np.testing.assert_array_equal(first.inputs, again.inputs)
    np.testing.assert_array_equal(first.gains, again.gains)
    assert len(np.unique(first.state)) == SMOKE.n_states // SMOKE.n_blocks
    assert not np.array_equal(first.gains, make_samples(SMOKE, 0).gains)


def test_smoke_run_gives_a_policy_for_regression(tmp_path):
    policy = lal.load_policy(NUMBERS.train(SMOKE, tmp_path / "run"))
    assert policy.kinds == (REGRESSION,)
    assert policy.card["trained_on"] == "synthetic functions alone"
    check_policy(policy)
    control = replace(SMOKE, control="shuffled_reward")
    shuffled = lal.load_policy(NUMBERS.train(control, tmp_path / "shuffled"))
    assert shuffled.card["control"] == "shuffled_reward"


def test_real_data_are_refused():
    with pytest.raises(UsageError, match="learn from synthetic functions"):
        NumberTreesConfig(datasets=("sklearn:iris",))
