from dataclasses import replace

import numpy as np
import pytest

from envs.pool_env import PoolEnv
from envs.wrappers import RelabelClasses, ShuffleReward
from lal.errors import UsageError
from lal.tasks.sources import as_source, rename_classes


def test_renaming_permutes_codes_in_every_part(wine_task):
    renamed = [rename_classes(wine_task, np.random.default_rng(s)) for s in range(12)]
    assert len({tuple(t.pool.y) for t in renamed}) == 6  # 3! names
    for task in renamed:
        pairs = set()
        for part in ("pool", "reward", "test"):
            before, after = getattr(wine_task, part), getattr(task, part)
            pairs |= set(zip(before.y.tolist(), after.y.tolist(), strict=True))
            assert after.X is before.X
        assert len(pairs) == 3


def test_renaming_leaves_symmetric_observations(wine_task):
    """Default features are class-symmetric: same rows, same numbers (up to the solver's)."""
    plain = PoolEnv(wine_task, slate_size=10)
    env = PoolEnv(RelabelClasses(as_source(wine_task)), slate_size=10)
    (a, info_a), (b, info_b) = plain.reset(seed=1), env.reset(seed=1)
    assert info_a["pool_indices"].tolist() == info_b["pool_indices"].tolist()
    np.testing.assert_allclose(a["candidates"], b["candidates"], atol=0.02)
    names = set()
    for seed in range(10):
        env.reset(seed=seed)
        names.add(tuple(env.task.pool.y))
    assert len(names) > 1


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
