"""PPO and SAC of stable-baselines3 on lal/Design-v0, beside DAD."""

from typing import Any, Literal

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import DummyVecEnv

from envs.design.env import DesignEnv
from envs.design.evaluation import Rule
from lal.arrays import Floats


class ScaledHistory(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Histories in numbers of about one: perceptrons see designs and outcomes on one scale."""

    def __init__(self, env: DesignEnv) -> None:
        super().__init__(env)
        self.scale = history_scale(env)

    def observation(self, observation: Any) -> Any:
        """Return the scaled history."""
        return (observation * self.scale).astype(np.float32)


def history_scale(env: DesignEnv) -> Floats:
    """Return the factors of a padded history: designs by half the box, outcomes by a third."""
    row = [*[2.0 / env.model.high] * env.model.n_design, 0.3, 1.0]
    return np.tile(np.array(row), env.n_steps)


def train_sb3(
    algorithm: Literal["ppo", "sac"], *, model: str, n_steps: int, timesteps: int, seed: int
) -> BaseAlgorithm:
    """Return a trained algorithm; the histories are padded vectors, its networks perceptrons.

    PPO updates after 640 steps: with 2 560 the same number of steps holds too few updates to leave
    the plateau of repeating one design, which is worse than random.
    """
    torch.set_num_threads(1)

    def make() -> gymnasium.Env[Any, Any]:
        return ScaledHistory(DesignEnv(model, n_steps=n_steps, n_contrast=256))

    if algorithm == "sac":
        learner: BaseAlgorithm = SAC(
            "MlpPolicy", DummyVecEnv([make] * 8), gamma=1.0, learning_starts=1000, seed=seed,
            train_freq=1, gradient_steps=2, learning_rate=1e-3, device="cpu",
            policy_kwargs={"net_arch": [64, 64]},
        )  # fmt: skip
    else:
        learner = PPO(
            "MlpPolicy", DummyVecEnv([make] * 16), n_steps=40, batch_size=160, n_epochs=10,
            gamma=1.0, gae_lambda=0.95, learning_rate=1e-3, seed=seed, device="cpu",
            policy_kwargs={"net_arch": [64, 64], "log_std_init": -0.7},
        )  # fmt: skip
    return learner.learn(timesteps)


def sb3_rule(algorithm: BaseAlgorithm, *, model: str, n_steps: int) -> Rule:
    """Return the rule of the deterministic policy."""
    env = DesignEnv(model, n_steps=n_steps)
    scale = history_scale(env)

    def rule(designs: Floats, outcomes: Floats, rng: np.random.Generator) -> Floats:
        history = np.zeros((n_steps, env.model.n_design + 2), dtype=np.float32)
        for t, (design, outcome) in enumerate(zip(designs, outcomes, strict=True)):
            history[t] = [*design, outcome, 1.0]
        seen = (history.ravel() * scale).astype(np.float32)
        action, _ = algorithm.predict(seen, deterministic=True)
        return env.to_design(np.asarray(action, dtype=np.float64))

    return rule
