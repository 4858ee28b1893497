from functools import partial

import gymnasium
import numpy as np
import pytest

import envs
from envs.pool_env import PoolEnv
from envs.sanity_task import giveaway_task
from lal.errors import UnknownNameError

make = partial(PoolEnv, giveaway_task(), slate_size=12)
"""Module-level, so that a spawned process can unpickle it."""


def first_legal(mask):
    return np.argmax(mask, axis=-1)


def test_bare_make_works():
    env = gymnasium.make("lal/Pool-v0")
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    rewards, steps, over = 0.0, 0, False
    while not over:
        observation, reward, terminated, truncated, _ = env.step(
            int(first_legal(observation["mask"]))
        )
        rewards, steps, over = rewards + float(reward), steps + 1, terminated or truncated
    assert steps == 20
    assert np.isfinite(rewards)


def test_make_passes_options():
    env = gymnasium.make("lal/Pool-v0", tasks=giveaway_task(), slate_size=5, reward="area")
    assert env.observation_space["candidates"].shape[0] == 5  # type: ignore[index]
    with pytest.raises(UnknownNameError, match="unknown reward"):
        gymnasium.make("lal/Pool-v0", tasks=giveaway_task(), reward="none")


def test_ids_are_registered_once():
    envs.register_envs()
    assert "lal/Pool-v0" in envs.registered_ids()


def test_make_vec_equals_single_environments():
    vector = gymnasium.make_vec(
        "lal/Pool-v0",
        num_envs=3,
        vectorization_mode="sync",
        tasks=giveaway_task(),
        slate_size=12,
    )
    singles = [make() for _ in range(3)]
    observation, info = vector.reset(seed=5)
    alone = [env.reset(seed=5 + i)[0] for i, env in enumerate(singles)]
    assert observation["candidates"].shape == (3, 12, 25)
    for _ in range(4):
        for i in range(3):
            for key in observation:
                np.testing.assert_array_equal(observation[key][i], alone[i][key])
        actions = first_legal(observation["mask"])
        observation, rewards, _, _, info = vector.step(actions)
        stepped = [env.step(int(a)) for env, a in zip(singles, actions, strict=True)]
        alone = [s[0] for s in stepped]
        assert rewards.tolist() == [s[1] for s in stepped]
    assert info["pool_indices"].shape == (3, 12)
    vector.close()


def play_with_stable_baselines3(vector, n_steps: int) -> None:
    observation = vector.reset()
    dones = 0
    for _ in range(n_steps):
        masks = np.stack(vector.env_method("action_masks"))
        np.testing.assert_array_equal(masks, observation["mask"].astype(bool))
        observation, rewards, done, infos = vector.step(first_legal(masks))
        assert rewards.shape == (2,)
        assert not any(info["invalid_action"] for info in infos)
        dones += int(done.sum())
        for ended, info in zip(done, infos, strict=True):
            assert ("terminal_observation" in info) == bool(ended)
    assert dones == 2 * (n_steps // 6)
    vector.close()


def test_dummy_vec_env():
    from stable_baselines3.common.vec_env import DummyVecEnv

    vector = DummyVecEnv([make, make])
    vector.seed(0)
    play_with_stable_baselines3(vector, 14)


@pytest.mark.slow
def test_subproc_vec_env():
    from stable_baselines3.common.vec_env import SubprocVecEnv

    vector = SubprocVecEnv([make, make], start_method="spawn")
    vector.seed(0)
    play_with_stable_baselines3(vector, 14)


def test_masks_are_visible_to_maskable_ppo():
    from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
    from stable_baselines3.common.vec_env import DummyVecEnv

    vector = DummyVecEnv([make, make])
    vector.reset()
    assert is_masking_supported(vector)
    assert get_action_masks(vector).shape == (2, 12)
