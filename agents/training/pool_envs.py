"""The environments of agents that act in ``lal/Pool-v0``, on the compiled backend."""

from abc import abstractmethod
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from agents.training.config import PoolEnvConfig
from agents.training.tasks import training_tasks
from envs.pool_vec_env import PoolVecEnv
from envs.pool_vector_env import PoolVectorEnv
from lal.rng import generator, integer_seed

Features = tuple[tuple[str, ...], tuple[str, ...]]

MOST_THREADS = 4
"""Threads that share the episodes, at most; results do not depend on their number."""

REMEMBERED = 1000
"""Rewards that a shuffled one is drawn from."""


def make_pool_vector_env(
    config: PoolEnvConfig, features: Features, segment: int | str, *, group_size: int = 1
) -> PoolVectorEnv:
    """Return the environments of a segment; they are a function of the arguments alone.

    Args:
        config: Tasks, slates, reward and number of the environments.
        features: Ids of the candidate features, then of the context features.
        segment: Names the tasks, together with the seed.
        group_size: Neighbouring environments that run the same task from the same labels.
    """
    return PoolVectorEnv(
        config.n_envs, group_size=group_size, **_options(config, features, segment)
    )


def make_pool_envs(
    config: PoolEnvConfig, features: Features, segment: int, *, reward_scale: float = 1.0
) -> VecEnv:
    """Return the same environments for stable-baselines3.

    Args:
        config: See `make_pool_vector_env`.
        features: Ids of the candidate features, then of the context features.
        segment: Names the tasks and the streams of shuffled rewards.
        reward_scale: Rewards are multiplied by it.
    """
    envs: VecEnv = PoolVecEnv(config.n_envs, **_options(config, features, segment))
    if config.control == "shuffled_reward":
        envs = ShuffledRewards(envs, seed=integer_seed(config.seed, "shuffle", segment))
    return envs if reward_scale == 1.0 else ScaledRewards(envs, reward_scale)


def _options(config: PoolEnvConfig, features: Features, segment: int | str) -> dict[str, Any]:
    return {
        "tasks": training_tasks(config),
        "candidate_features": features[0],
        "context_features": features[1],
        "slate_size": config.slate_size,
        "slate_rule": config.slate_rule,
        "reward": config.reward,
        "n_tasks": config.n_tasks,
        "refresh": max(1, round(config.episodes_per_task * config.n_tasks / config.n_envs)),
        "task_seed": integer_seed(config.seed, "tasks", segment),
        "threads": min(MOST_THREADS, cpu_count()),
    }


class _Rewards(VecEnvWrapper):
    """Pays other rewards than the environments do; a subclass says which."""

    def reset(self) -> Any:
        """Begin new episodes."""
        return self.venv.reset()

    def step_wait(self) -> Any:
        """Take the step and exchange its rewards."""
        observations, rewards, done, infos = self.venv.step_wait()
        return observations, self.exchange(rewards), done, infos

    @abstractmethod
    def exchange(self, rewards: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is paid in place of `rewards`, shape (E,)."""


class ScaledRewards(_Rewards):
    """Pays rewards times a number.

    Args:
        venv: The environments.
        scale: The number.
    """

    def __init__(self, venv: VecEnv, scale: float) -> None:
        super().__init__(venv)
        self.scale = scale

    def exchange(self, rewards: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the rewards times the scale."""
        scaled: NDArray[np.float32] = (self.scale * rewards).astype(np.float32)
        return scaled


class ShuffledRewards(_Rewards):
    """Pays rewards that were earned at other times: what they depend on is lost.

    A control that a policy which learned something must beat.

    Args:
        venv: The environments.
        seed: Names the draws.
    """

    def __init__(self, venv: VecEnv, *, seed: int) -> None:
        super().__init__(venv)
        self._rng = generator(seed, "shuffled rewards")
        self._earned: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def exchange(self, rewards: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return draws from the latest rewards."""
        self._earned = np.concatenate([self._earned, rewards])[-max(REMEMBERED, len(rewards)) :]
        return self._rng.choice(self._earned, len(rewards))
