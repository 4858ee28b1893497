from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from envs.pool_env import PoolEnv
from envs.wrappers import NextStepAutoreset, ShuffleReward
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


def vector_env(name, **options):
    if name == "lal/Pool-v0":
        options = {"slate_size": 8, "n_tasks": 2, **options}
    return gymnasium.make_vec(name, num_envs=3, **options)


@pytest.mark.parametrize("name", ["lal/Pool-v0", "lal/LalRl-v0"])
def test_an_episode_can_end_a_step_before_the_next_begins(name):
    """The same first episodes; then the last observation, an empty step and a fresh start."""
    options = {"max_episode_steps": 4}
    same, later = vector_env(name, **options), NextStepAutoreset(vector_env(name, **options))
    assert later.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    seen, seen_later = same.reset(seed=3)[0], later.reset(seed=3)[0]
    for _ in range(4):
        actions = seen["mask"].argmax(axis=1)
        seen, rewards, _, truncated, infos = same.step(actions)
        seen_later, rewards_later, terminated, truncated_later, infos_later = later.step(actions)
        np.testing.assert_array_equal(rewards, rewards_later)
        np.testing.assert_array_equal(truncated, truncated_later)
    assert truncated.all()
    for e in range(3):
        for key, values in infos["final_obs"][e].items():
            np.testing.assert_array_equal(values, seen_later[key][e])
    np.testing.assert_array_equal(infos["final_info"]["accuracy"], infos_later["accuracy"])
    assert not {"final_obs", "final_info", "_final_obs"} & set(infos_later)
    begun, rewards, terminated, truncated, infos = later.step(np.zeros(3, dtype=np.int64))
    assert not rewards.any()
    assert not (terminated | truncated).any()
    assert later.observation_space.contains(begun)
    for _ in range(4):
        begun, _, _, truncated, infos = later.step(begun["mask"].argmax(axis=1))
    assert truncated.all()  # a whole new episode of four steps: none was lost at its start


def test_environments_end_at_different_times():
    env = NextStepAutoreset(vector_env("lal/LalRl-v0"))
    observation, _ = env.reset(seed=0)
    ended, empty = np.zeros(3, dtype=bool), 0
    for _ in range(120):
        observation, rewards, terminated, truncated, infos = env.step(
            observation["mask"].argmax(axis=1)
        )
        assert (rewards[ended] == 0).all()
        assert (rewards[~ended] == -1).all()
        assert not (terminated | truncated)[ended].any()
        empty += int(ended.sum())
        ended = terminated | truncated
        assert (infos["_length"] == ended).all() if ended.any() else True
    assert empty > 3


def test_only_what_begins_in_the_same_step_is_changed():
    env = gymnasium.make_vec("lal/Design-v0", num_envs=2, vectorization_mode="sync")
    with pytest.raises(UsageError, match=r"must begin episodes in the same step, got .*NEXT_STEP"):
        NextStepAutoreset(env)


def test_infos_without_text_hold_numbers_alone():
    env = vector_env("lal/Pool-v0", text_infos=False, max_episode_steps=2)
    observation, infos = env.reset(seed=0)
    for _ in range(2):
        assert all(values.dtype.kind in "iufb" for values in infos.values())
        observation, *_, infos = env.step(observation["mask"].argmax(axis=1))
    assert all(values.dtype.kind in "iufb" for values in infos["final_info"].values())
    assert "task" in vector_env("lal/Pool-v0").reset(seed=0)[1]
