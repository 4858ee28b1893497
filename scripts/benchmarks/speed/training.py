"""Environment steps a second of reinforcement learning, environment and learner apart.

``python -m scripts.benchmark training`` trains every agent for a part of its preset on the compiled
``lal/Pool-v0`` and, last, PPO on the reference backend, all in one process and one after the other.
Speeds are of processor time, so that other work beside it counts little.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from agents import AGENTS
from agents.ppo.learner import PPOLearner
from agents.training.pool_envs import make_pool_envs
from agents.training.tasks import training_tasks
from envs.pool_env import PoolEnv
from lal.rng import generator
from scripts.benchmarks.base import Benchmark, Results

MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Config:
    """How much is measured."""

    agents: tuple[str, ...] = ("dqn", "ppo", "grpo")
    """Agents."""

    preset: str = "full"
    """Their settings."""

    total_timesteps: int = 102_400
    """Environment steps of each."""

    reference_steps: int = 1_280
    """Environment steps of PPO on the reference backend."""

    torch_threads: int = 1
    """Threads of the learner's matrix products; the environments use as many as there are cores."""


def run(config: Config, results: Results) -> None:
    """Add one row per agent, then that of PPO on the reference backend with the ratio."""
    torch.set_num_threads(config.torch_threads)
    for name in config.agents:
        options = AGENTS[name].preset(config.preset)
        steps = min(config.total_timesteps, options.total_timesteps)
        options = replace(options, total_timesteps=steps, n_segments=1)
        environment = _environment(options, steps)  # first: it loads what is compiled
        _add(results, name, steps, environment, *_train(name, options))
    _add_reference(config, results)


def _add(
    results: Results, name: str, steps: int, environment: float, seconds: float, elapsed: float
) -> None:
    learner = max(seconds - environment, 1e-9)
    results.add(
        "training",
        {
            "agent": name,
            "steps/s": f"{steps / seconds:.0f}",
            "environment alone, steps/s": f"{steps / environment:.0f}",
            "learner alone, steps/s": f"{steps / learner:.0f}",
            "seconds of a million steps, by the clock": f"{MILLION * elapsed / steps:.0f}",
        },
    )


def _add_reference(config: Config, results: Results) -> None:
    options = replace(AGENTS["ppo"].preset(config.preset), n_segments=1)
    fast = replace(options, total_timesteps=config.total_timesteps)
    slow = replace(options, n_envs=8, total_timesteps=config.reference_steps)
    speeds = [
        fast.total_timesteps / _train("ppo", fast)[0],
        slow.total_timesteps / _train("ppo", slow, _ReferencePPO)[0],
    ]
    results.add(
        "backends",
        {
            "PPO on the compiled backend, steps/s": f"{speeds[0]:.0f}",
            "on the reference backend": f"{speeds[1]:.0f}",
            "ratio": f"{speeds[0] / speeds[1]:.0f}x",
        },
    )


class _ReferencePPO(PPOLearner):
    """PPO as anyone would set it up without the compiled backend."""

    def make_envs(self, segment: int) -> VecEnv:
        """Return reference environments in one process."""
        config = self.config
        make = partial(
            PoolEnv,
            training_tasks(config),
            candidate_features=self.features[0],
            context_features=self.features[1],
            slate_size=config.slate_size,
            slate_rule=config.slate_rule,
            reward=config.reward,
        )
        return DummyVecEnv([make] * config.n_envs)


def _train(
    name: str, options: Any, learner_type: Callable[[Any], Any] | None = None
) -> tuple[float, float]:
    """Return the processor time and the wall time of all steps; networks are made before."""
    learner = (learner_type or AGENTS[name].learner_type)(options)
    learner.progress = _Silent()
    began = time.process_time(), time.perf_counter()
    learner.train_segment(0)
    return time.process_time() - began[0], time.perf_counter() - began[1]


def _environment(options: Any, steps: int) -> float:
    """Return the processor time of the same environments under random legal actions."""
    learner = PPOLearner(AGENTS["ppo"].preset("smoke"))
    envs = make_pool_envs(options, learner.features, 0)
    rng = generator(0, "actions")
    observation: Any = envs.reset()
    began = time.process_time()
    for _ in range(steps // options.n_envs):
        mask = observation["mask"]
        actions = np.argmax(rng.random(mask.shape) * mask, axis=1)
        observation, *_ = envs.step(actions)
    seconds = time.process_time() - began
    envs.close()
    return seconds


class _Silent:
    """Stands in for a progress bar."""

    def at(self, step: int) -> None:
        """Ignore the progress."""


main = Benchmark("training", Config, run)
