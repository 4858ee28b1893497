"""Targets found in lal/Search-v0 by rules and by PPO, on the same searches, with controls.

``python -m scripts.benchmark search --timesteps 40000 --json docs/results/search.json`` trains
sb3-contrib's MaskablePPO with the PPO agent's network, and a copy on shuffled rewards.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.search.env import SearchEnv
from lal.arrays import Floats
from lal.rng import integer_seed
from lal.search.problems import ClusteredSearch
from scripts.benchmarks.base import Benchmark, Results, interval

Act = Callable[[SearchEnv, dict[str, Any], np.random.Generator], int]


@dataclass(frozen=True, kw_only=True)
class Config:
    """How long PPO trains, and on how many searches it is measured."""

    timesteps: int = 40_000
    """Environment steps of the training; 0 for the rules alone."""

    learning_rate: float = 3e-3
    """Of PPO."""

    episodes: int = 200
    """Searches run, the same for everybody."""

    budget: int = 15
    """Labels of a search."""

    n_untrained: int = 5
    """Untrained copies; their mean is the control."""

    seed: int = 0
    """Of the training."""


def run(config: Config, results: Results) -> None:
    """Print the targets found, and the paired differences to greedy and random."""
    found = {name: _found(config, _rule(name)) for name in ("random", "greedy", "two_step")}
    if config.timesteps:
        untrained = [_make(config, seed) for seed in range(config.n_untrained)]
        found["untrained"] = np.mean([_found(config, _policy(m)) for m in untrained], axis=0)
        for name, shuffled in (("PPO, shuffled rewards", True), ("PPO", False)):
            model = _make(config, config.seed, shuffled=shuffled)
            model.learn(config.timesteps)
            found[name] = _found(config, _policy(model))
    for name, counts in found.items():
        row = {"method": name, "targets": interval(counts)}
        for base in ("random", "greedy"):
            row[f"minus {base}"] = "" if name == base else interval(counts - found[base])
        results.add("targets", row)
    results.note(f"{config.episodes} searches of 60 rows, {config.budget} labels, mean and 95 %")


def _rule(name: str) -> Act:
    return lambda env, observation, rng: env.act(name, rng)


def _policy(model: Any) -> Act:
    def act(env: SearchEnv, observation: dict[str, Any], rng: np.random.Generator) -> int:
        masks = env.action_masks()
        return int(model.predict(observation, action_masks=masks, deterministic=True)[0])

    return act


def _found(config: Config, act: Act) -> Floats:
    """Return the targets found in searches that no training uses, shape (episodes,)."""
    env, counts = SearchEnv(ClusteredSearch(), budget=config.budget), []
    for episode in range(config.episodes):
        observation, info = env.reset(seed=9_000_000 + episode)
        rng, over = np.random.default_rng(episode), False
        while not over:
            observation, _, over, _, info = env.step(act(env, observation, rng))
        counts.append(float(info["found"]))
    return np.array(counts)


def _make(config: Config, seed: int, *, shuffled: bool = False) -> Any:
    """Return PPO with fresh weights in eight environments."""
    from sb3_contrib import MaskablePPO
    from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

    from agents.ppo.network import CandidatePPOPolicy
    from agents.training.pool_envs import ShuffledRewards

    envs: VecEnv = DummyVecEnv([lambda: SearchEnv(budget=config.budget)] * 8)
    if shuffled:
        envs = ShuffledRewards(envs, seed=integer_seed(seed, "shuffle"))
    return MaskablePPO(
        CandidatePPOPolicy, envs, n_steps=8 * config.budget, batch_size=240, n_epochs=4,
        learning_rate=config.learning_rate, gamma=1.0, gae_lambda=0.9, ent_coef=0.003, seed=seed,
        device="cpu",
    )  # fmt: skip


main = Benchmark("search", Config, run)
