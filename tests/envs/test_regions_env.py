"""lal/Regions-v0: the contracts of lal/Pool-v0 over regions of images."""

from typing import Any

import gymnasium
import numpy as np
import pytest

import envs  # noqa: F401  (registers the ids)
from envs.checks import check_pool_env
from envs.regions_env import RegionsEnv
from lal.data.scenes import count_clicks
from lal.errors import UsageError
from lal.tasks.regions import RegionSampler
from lal.tasks.sampler import default_tasks

TASKS = RegionSampler(budget=4, n_pool=2, n_reward=2)


@pytest.mark.parametrize("options", [{"batch_size": 3}, {"batch_size": 3, "redraw": False}])
def test_all_contracts_and_both_checkers(options):
    check_pool_env(RegionsEnv(TASKS, slate_size=5, render_mode="rgb_array", **options))


def test_many_episodes_side_by_side():
    env = gymnasium.make_vec("lal/Regions-v0", num_envs=2, tasks=TASKS, slate_size=5)
    observations, _ = env.reset(seed=0)
    observations, rewards, *_, info = env.step(observations["mask"].argmax(axis=1))
    assert observations["candidates"].shape == (2, 5, 23)
    assert np.isfinite(rewards).all()
    assert (info["clicks"] > 0).all()


def test_rewards_add_up_to_what_was_gained():
    env: Any = RegionsEnv(TASKS, slate_size=5, batch_size=2)
    _, info = env.reset(seed=3)
    first, total, over = info["mean_iou"], 0.0, False
    while not over:
        _, reward, over, _, info = env.step(int(np.flatnonzero(env.action_masks())[0]))
        total += reward
    assert total == pytest.approx(info["mean_iou"] - first)
    assert info["clicks"] == count_clicks(env.task.pool.pixels[env.state.labelled]).sum()


def test_a_click_costs_its_price():
    free: Any = RegionsEnv(TASKS, slate_size=5)
    paid: Any = RegionsEnv(TASKS, slate_size=5, price=0.1)
    for env in (free, paid):
        env.reset(seed=1)
    for action in (3, 0):
        clicks = count_clicks(paid.task.pool.pixels[[int(paid._slate[action])]])[0]
        gain, net = (env.step(action)[1] for env in (free, paid))
        assert net == pytest.approx(gain - 0.1 * clicks)


def test_a_batch_takes_one_region_from_each_of_several_slates():
    env = RegionsEnv(TASKS, slate_size=5, batch_size=3)
    _, info = env.reset(seed=0)
    before, taken = info["pool_indices"], []
    for _ in range(2):
        _, reward, *_, info = env.step(0)
        taken.append(info["queried"])
        assert reward == 0.0
        assert not np.isin(taken, info["pool_indices"]).any()
        assert not info["invalid_action"]
        assert (info["pool_indices"] >= 0).all()
        assert set(info["pool_indices"]) - set(before)  # other regions are offered
        before = info["pool_indices"]


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="price must not be negative, got -1"):
        RegionsEnv(price=-1.0)
    plain = RegionsEnv(default_tasks(), slate_size=5, reward="accuracy_gain")
    with pytest.raises(UsageError, match=r"has rows without pixels; make it with lal\.tasks"):
        plain.reset(seed=0)
