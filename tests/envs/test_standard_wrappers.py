"""The wrappers that people put around environments, of Gymnasium and of stable-baselines3."""

from typing import Any

import gymnasium
import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("stable_baselines3")
from gymnasium.wrappers import FlattenObservation, RecordEpisodeStatistics, TransformReward
from gymnasium.wrappers.vector import RecordEpisodeStatistics as VectorEpisodeStatistics
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.callbacks import MaskableEvalCallback
from stable_baselines3 import DQN
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from envs.pool_vec_env import PoolVecEnv

OPTIONS: dict[str, Any] = {"slate_size": 8}


@pytest.fixture
def pool(wine_task):
    return gymnasium.make("lal/Pool-v0", tasks=wine_task, **OPTIONS)


def play(env, seed=0):
    env.reset(seed=seed)
    rewards, ended = [], False
    while not ended:
        _, reward, terminated, truncated, info = env.step(0)
        rewards.append(reward)
        ended = terminated or truncated
    return rewards, info


def test_flattened_observations_hold_all_numbers(pool):
    env = FlattenObservation(pool)
    flat, _ = env.reset(seed=3)
    plain, _ = pool.reset(seed=3)
    assert flat.shape == env.observation_space.shape
    assert env.observation_space.contains(flat)
    assert flat.sum() == pytest.approx(sum(float(v.sum()) for v in plain.values()), rel=1e-4)


def test_episode_statistics_are_those_of_the_episode(pool):
    rewards, info = play(RecordEpisodeStatistics(pool))
    assert info["episode"]["l"] == len(rewards)
    assert info["episode"]["r"] == pytest.approx(sum(rewards), abs=1e-6)


def test_rewards_are_transformed(pool):
    plain, _ = play(pool)
    scaled, _ = play(TransformReward(pool, lambda reward: 10.0 * float(reward)))
    np.testing.assert_allclose(scaled, 10.0 * np.array(plain))


def test_episodes_are_filmed(wine_task, tmp_path):
    pytest.importorskip("moviepy")
    from gymnasium.wrappers import RecordVideo

    env = gymnasium.make("lal/Pool-v0", tasks=wine_task, render_mode="rgb_array", **OPTIONS)
    film = RecordVideo(env, str(tmp_path), episode_trigger=lambda episode: episode == 0)
    rewards, _ = play(film)
    film.close()
    assert rewards
    assert [path.suffix for path in tmp_path.iterdir()] == [".mp4"]


def test_frames_are_those_that_a_film_would_show(wine_task):
    env = gymnasium.make("lal/Pool-v0", tasks=wine_task, render_mode="rgb_array", **OPTIONS)
    env.reset(seed=0)
    first: Any = env.render()
    env.step(0)
    then: Any = env.render()
    assert first.dtype == np.uint8
    assert first.shape == then.shape
    assert (first != then).any()


def test_vector_episode_statistics(wine_task):
    envs = VectorEpisodeStatistics(
        gymnasium.make_vec("lal/Pool-v0", num_envs=3, tasks=wine_task, **OPTIONS)
    )
    envs.reset(seed=0)
    total = np.zeros(3)
    for _ in range(wine_task.budget):
        _, reward, terminated, truncated, infos = envs.step(np.zeros(3, dtype=np.int64))
        total += reward
    assert (terminated | truncated).all()
    np.testing.assert_allclose(infos["episode"]["r"], total, atol=1e-6)
    assert infos["episode"]["l"].tolist() == [wine_task.budget] * 3


def test_normalised_rewards_train(wine_task):
    envs = VecNormalize(
        VecMonitor(PoolVecEnv(4, tasks=wine_task, **OPTIONS)),
        norm_obs_keys=["candidates", "context"],
    )
    model = DQN("MultiInputPolicy", envs, learning_starts=8, seed=0, device="cpu")
    model.learn(40)
    assert envs.ret_rms.count > 40
    assert model.ep_info_buffer
    observation = envs.reset()
    assert set(np.unique(observation["mask"])) <= {0.0, 1.0}  # a mask is not normalised


def test_evaluation_callbacks_see_episodes(wine_task, tmp_path):
    def make():
        return VecMonitor(PoolVecEnv(2, tasks=wine_task, **OPTIONS))

    callback = EvalCallback(
        make(), n_eval_episodes=2, eval_freq=10, log_path=str(tmp_path), verbose=0
    )
    DQN("MultiInputPolicy", make(), learning_starts=4, device="cpu").learn(20, callback=callback)
    found = np.load(tmp_path / "evaluations.npz")
    assert (found["ep_lengths"] == wine_task.budget).all()
    masked = MaskableEvalCallback(make(), n_eval_episodes=2, eval_freq=8, verbose=0)
    model = MaskablePPO("MultiInputPolicy", make(), n_steps=8, batch_size=8, device="cpu")
    model.learn(16, callback=masked)
    assert np.isfinite(masked.last_mean_reward)
