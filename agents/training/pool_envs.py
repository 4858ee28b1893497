"""The environments of agents that act in ``lal/Pool-v0``."""

from typing import Any

import gymnasium
from gymnasium.wrappers import TransformReward
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from agents.training.config import PoolEnvConfig
from agents.training.tasks import training_tasks
from envs.registration import POOL_ID, register_envs
from envs.wrappers import ShuffleReward
from lal.rng import integer_seed


def make_pool_envs(
    config: PoolEnvConfig,
    features: tuple[tuple[str, ...], tuple[str, ...]],
    segment: int,
    *,
    reward_scale: float = 1.0,
) -> VecEnv:
    """Return the environments of a segment; they are a function of the arguments alone.

    Args:
        config: Tasks, slates, reward and number of the environments.
        features: Ids of the candidate features, then of the context features.
        segment: Names the streams of the shuffled rewards.
        reward_scale: Rewards are multiplied by it.
    """
    tasks = training_tasks(config)
    register_envs()

    def make(index: int) -> gymnasium.Env[Any, Any]:
        env = gymnasium.make(
            POOL_ID,
            disable_env_checker=True,
            tasks=tasks,
            candidate_features=features[0],
            context_features=features[1],
            slate_size=config.slate_size,
            slate_rule=config.slate_rule,
            reward=config.reward,
        )
        if config.control == "shuffled_reward":
            env = ShuffleReward(env, seed=integer_seed(config.seed, "shuffle", segment, index))
        return Monitor(TransformReward(env, lambda reward: reward_scale * float(reward)))

    return DummyVecEnv([lambda i=i: make(i) for i in range(config.n_envs)])  # type: ignore[misc]
