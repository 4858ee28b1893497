from dataclasses import replace

import numpy as np
import pytest

from envs.pool_env import PoolEnv
from envs.wrappers import ShuffleReward
from lal.errors import UsageError


def test_shuffled_rewards_come_from_earlier_ones(wine_task):
    env = ShuffleReward(PoolEnv(replace(wine_task, budget=30)), seed=0)
    env.reset(seed=0)
    earned, paid = [], []
    for _ in range(30):
        _, reward, _, _, info = env.step(np.int64(0))
        earned.append(info["earned_reward"])
        paid.append(reward)
        assert reward in earned
    assert paid != earned


def test_shuffle_reward_forgets(tiny_task, tiny_seed):
    env = ShuffleReward(PoolEnv(tiny_task, slate_size=4), memory=1)
    for seed in range(tiny_seed, tiny_seed + 3):
        env.reset(seed=seed)
        _, reward, _, _, info = env.step(np.int64(0))
        assert reward == info["earned_reward"]
    with pytest.raises(UsageError, match="memory must be at least 1"):
        ShuffleReward(PoolEnv(tiny_task), memory=0)
