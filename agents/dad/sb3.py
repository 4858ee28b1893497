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


def train_sb3(
    algorithm: Literal["ppo", "sac"], *, model: str, n_steps: int, timesteps: int, seed: int
) -> BaseAlgorithm:
    """Return a trained algorithm; the histories are padded vectors, its networks perceptrons."""
    torch.set_num_threads(1)

    def make() -> gymnasium.Env[Any, Any]:
        return DesignEnv(model, n_steps=n_steps)

    if algorithm == "sac":
        learner: BaseAlgorithm = SAC(
            "MlpPolicy", DummyVecEnv([make]), gamma=1.0, learning_starts=1000, seed=seed,
            device="cpu", policy_kwargs={"net_arch": [64, 64]},
        )  # fmt: skip
    else:
        learner = PPO(
            "MlpPolicy", DummyVecEnv([make] * 16), n_steps=160, batch_size=640, n_epochs=5,
            gamma=1.0, gae_lambda=0.95, learning_rate=1e-3, seed=seed, device="cpu",
            policy_kwargs={"net_arch": [64, 64], "log_std_init": -0.7},
        )  # fmt: skip
    return learner.learn(timesteps)


def sb3_rule(algorithm: BaseAlgorithm, *, model: str, n_steps: int) -> Rule:
    """Return the rule of the deterministic policy."""
    env = DesignEnv(model, n_steps=n_steps)

    def rule(designs: Floats, outcomes: Floats, rng: np.random.Generator) -> Floats:
        history = np.zeros((n_steps, env.model.n_design + 2), dtype=np.float32)
        for t, (design, outcome) in enumerate(zip(designs, outcomes, strict=True)):
            history[t] = [*design, outcome, 1.0]
        action, _ = algorithm.predict(history.ravel(), deterministic=True)
        return env.to_design(np.asarray(action, dtype=np.float64))

    return rule
