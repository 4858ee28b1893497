import copy

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("stable_baselines3")
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from sklearn.datasets import load_wine
from stable_baselines3 import DQN
from stable_baselines3.common.vec_env import VecMonitor

from envs.pool_vec_env import PoolVecEnv
from envs.pool_vector_env import PoolVectorEnv
from lal.data.dataset import make_dataset
from lal.errors import UsageError
from lal.learners import make_learner
from lal.tasks.splits import make_task


def wine_task(budget=6):
    dataset = make_dataset("wine", *load_wine(return_X_y=True), source="test")
    learner = make_learner("gaussian_nb")
    return make_task(dataset, learner, seed=0, budget=budget, reward_share=0.4, test_share=0.0)


TASK = wine_task()


def make(num_envs=3, **options):
    return PoolVecEnv(num_envs, tasks=TASK, **{"slate_size": 10, **options})


def test_it_goes_the_way_of_the_vector_environment():
    env, vector = make(), PoolVectorEnv(3, tasks=TASK, slate_size=10)
    env.seed(4)
    observation = env.reset()
    expected, infos = vector.reset(seed=4)
    assert [i["task"] for i in env.reset_infos] == infos["task"].tolist()
    returns = np.zeros(3)
    for step in range(8):
        for key, values in expected.items():
            np.testing.assert_array_equal(observation[key], values)
        actions = np.argmax(observation["mask"], axis=1)
        observation, rewards, done, listed = env.step(actions)
        expected, earned, terminated, truncated, infos = vector.step(actions)
        returns += earned
        assert rewards.dtype == np.float32
        np.testing.assert_allclose(rewards, earned, rtol=1e-6)
        assert done.tolist() == (terminated | truncated).tolist()
        assert done.all() == (step == 5)
        for e in np.flatnonzero(done):
            last = infos["final_obs"][e]
            np.testing.assert_array_equal(
                listed[e]["terminal_observation"]["candidates"], last["candidates"]
            )
            assert listed[e]["TimeLimit.truncated"] is False
            assert listed[e]["episode"] == {"r": pytest.approx(returns[e]), "l": 6}
            assert listed[e]["accuracy"] == infos["final_info"]["accuracy"][e]


def test_a_cut_episode_says_so():
    env = make(max_episode_steps=2)
    env.reset()
    env.step(np.zeros(3, dtype=int))
    _, _, done, infos = env.step(np.ones(3, dtype=int))
    assert done.all()
    assert all(info["TimeLimit.truncated"] for info in infos)
    assert all(info["episode"]["l"] == 2 for info in infos)


def test_masks_are_visible_and_are_copies():
    env = make(slate_size=150)
    assert is_masking_supported(env)
    observation = env.reset()
    masks = get_action_masks(env)
    np.testing.assert_array_equal(masks, observation["mask"] == 1)
    kept = copy.deepcopy(masks), env.get_attr("action_masks", 1)[0]()
    env.step(np.argmax(masks, axis=1))
    np.testing.assert_array_equal(masks, kept[0])
    assert kept[1].sum() == env.env_method("action_masks", indices=[1])[0].sum() + 1


def test_what_single_environments_have_and_these_do_not():
    env = make()
    env.reset()
    assert env.get_attr("strict") == [False] * 3
    assert not env.has_attr("no_such_thing")
    assert env.env_is_wrapped(VecMonitor) == [False] * 3
    assert env.get_images() == [None] * 3
    with pytest.raises(UsageError, match="share one simulator"):
        env.set_attr("strict", True)
    with pytest.raises(UsageError, match="no method 'render'"):
        env.env_method("render")
    with pytest.raises(UsageError, match=r"actions must have shape \(3,\)"):
        env.step(np.zeros(2, dtype=int))


def test_a_copy_goes_on_alone():
    env = make()
    observation = env.reset()
    twin = copy.copy(env)
    actions = np.argmax(observation["mask"], axis=1)
    theirs = [twin.step(actions) for _ in range(3)]
    for step in theirs:
        np.testing.assert_array_equal(env.step(actions)[0]["candidates"], step[0]["candidates"])


@pytest.mark.parametrize("kind", [DQN, MaskablePPO])
def test_stock_algorithms_train_on_it(kind):
    options = {"n_steps": 16, "batch_size": 16} if kind is MaskablePPO else {"buffer_size": 500}
    if kind is DQN:
        options["learning_starts"] = 32
    model = kind("MultiInputPolicy", VecMonitor(make(4)), device="cpu", seed=0, **options)
    model.learn(128)
    assert model.num_timesteps >= 128
    assert len(model.ep_info_buffer) > 10
    observation = model.env.reset()
    masks = {"action_masks": get_action_masks(model.env)} if kind is MaskablePPO else {}
    actions, _ = model.predict(observation, deterministic=True, **masks)
    assert actions.shape == (4,)
