"""lal/PoolRegression-v0: the contracts of lal/Pool-v0, with numbers for labels."""

from typing import Any

import gymnasium
import numpy as np
import pytest

import envs  # noqa: F401  (registers the ids)
from envs.checks import check_pool_env
from envs.pool_regression_env import PoolRegressionEnv
from lal.errors import UsageError
from lal.tasks.regression_sampler import RegressionSampler
from lal.tasks.sampler import default_tasks

TASKS = RegressionSampler(("ridge",), budget=5, max_pool=40)


def test_all_contracts_and_both_checkers():
    check_pool_env(PoolRegressionEnv(TASKS, slate_size=8))
    check_pool_env(PoolRegressionEnv(TASKS, slate_size=8, batch_size=2, reward="rmse_area"))


def test_the_sum_of_rewards_is_the_fall_of_the_error():
    env = gymnasium.make("lal/PoolRegression-v0", tasks=TASKS, slate_size=8)
    _, first = env.reset(seed=3)
    total, over = 0.0, False
    while not over:
        _, reward, over, _, info = env.step(int(np.argmax(info_mask(env))))
        total += float(reward)
    assert total == pytest.approx(info["rmse_skill"] - first["rmse_skill"])
    assert info["n_labelled"] == first["n_labelled"] + 5


def info_mask(env):
    return env.unwrapped.action_masks()


def test_many_episodes_side_by_side():
    env = gymnasium.make_vec("lal/PoolRegression-v0", num_envs=2, tasks=TASKS, slate_size=8)
    observations, _ = env.reset(seed=0)
    assert observations["candidates"].shape == (2, 8, 24)
    for _ in range(6):
        actions = observations["mask"].argmax(axis=1)
        observations, rewards, *_ = env.step(actions)
    assert np.isfinite(rewards).all()


def test_a_picture_is_drawn():
    env = PoolRegressionEnv(TASKS, slate_size=8, render_mode="rgb_array")
    env.reset(seed=0)
    env.step(0)
    picture: Any = env.render()
    assert picture.shape == (400, 320, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 4


def test_noise_is_that_of_numbers():
    quiet, noisy = (PoolRegressionEnv(TASKS, slate_size=8, label_noise=s) for s in (0.0, 0.5))
    for env in (quiet, noisy):
        env.reset(seed=1)
    a, b = quiet.state.labels, noisy.state.labels
    assert (a != b).all()
    assert np.abs(a - b).max() < 3.0 * quiet.task.pool.y.std()


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="looks at class probabilities"):
        PoolRegressionEnv(TASKS, slate_rule="half_uncertain")
    with pytest.raises(UsageError, match=r"use gymnasium.make\('lal/Pool-v0'"):
        PoolRegressionEnv(default_tasks()).reset(seed=0)
