"""Confident cells in lal/Explore-v0 by rules and by PPO, with controls, and what self-labels bring.

``python -m scripts.benchmark explore --json docs/results/explore.json`` trains sb3-contrib's
MaskablePPO with the PPO agent's network, and a copy on shuffled rewards. All are measured in rooms
of worlds that no training used. In the second table the detector of a world is fitted again, to
the self-labels of a few walks, and measured on glances at other rooms from any side.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.explore_env import ExploreEnv
from lal.arrays import Floats
from lal.exploration.detector import MadeUpRooms, any_side, pretrained
from lal.exploration.observer import Observer
from lal.exploration.rooms import make_looks, make_room
from lal.exploration.self_labels import improve
from lal.rng import generator, integer_seed
from scripts.benchmarks.base import Benchmark, Results, interval

Act = Callable[[ExploreEnv, dict[str, Any], np.random.Generator], int]

RULES = ("random_walk", "frontier", "lookout")

UNSEEN = 1000
"""Number of the first world that no training uses."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How long PPO trains, and in how many rooms it is measured."""

    timesteps: int = 24_000
    """Environment steps of the training; 0 for the rules alone."""

    learning_rate: float = 3e-3
    """Of PPO."""

    episodes: int = 60
    """Rooms of unseen worlds, the same for everybody."""

    worlds: int = 20
    """Unseen worlds in which a detector is fitted to self-labels."""

    walks: int = 4
    """Rooms walked through for the self-labels of a world."""

    n_untrained: int = 5
    """Untrained copies; their mean is the control."""

    seed: int = 0
    """Of the training."""


def run(config: Config, results: Results) -> None:
    """Print confident cells, then the accuracy of detectors before and after self-labels."""
    actors = {name: rule(name) for name in RULES}
    found = {name: confident_cells(config, act) for name, act in actors.items()}
    if config.timesteps:
        untrained = [_policy(make_ppo(config, seed)) for seed in range(config.n_untrained)]
        found["untrained"] = np.mean([confident_cells(config, act) for act in untrained], axis=0)
        for name, shuffled in (("PPO, shuffled rewards", True), ("PPO", False)):
            actors[name] = train_ppo(config, shuffled=shuffled)
            found[name] = confident_cells(config, actors[name])
    ours = found.get("PPO", np.full(config.episodes, np.nan))
    for name, counts in found.items():
        row = {"method": name, "confident cells": interval(counts, 2)}
        for base in ("random_walk", "frontier"):
            row[f"minus {base}"] = "" if name == base else interval(counts - found[base], 2)
        row["PPO minus it"] = "" if name == "PPO" else interval(ours - counts, 2)
        results.add("cells", row)
    for name, act in actors.items():
        if name != "PPO, shuffled rewards":
            results.add("detector", _detector_row(name, accuracies(config, act)))
    results.note(f"{config.episodes} rooms and {config.worlds} worlds unseen in training, 95 %")


def _detector_row(name: str, found: Floats) -> dict[str, str]:
    before, by_map, own = 100.0 * found.T
    return {
        "walks by": name, "before, %": interval(before, 1, sign=""),
        "map's labels minus before": interval(by_map - before, 1),
        "better in": f"{100 * np.mean(by_map > before):.0f} %",
        "own labels minus before": interval(own - before, 1),
    }  # fmt: skip


def rule(name: str) -> Act:
    """Return the actions of a rule of `lal.exploration.strategies.EXPLORERS`."""
    return lambda env, observation, rng: env.act(name, rng)


def _policy(model: Any) -> Act:
    def act(env: ExploreEnv, observation: dict[str, Any], rng: np.random.Generator) -> int:
        masks = env.action_masks()
        return int(model.predict(observation, action_masks=masks, deterministic=True)[0])

    return act


def walk(env: ExploreEnv, act: Act, seed: int) -> Observer:
    """Return the observer at the end of an episode."""
    observation, _ = env.reset(seed=seed)
    rng, over = np.random.default_rng(seed), False
    while not over:
        observation, _, over, _, _ = env.step(act(env, observation, rng))
    return env.observer


def confident_cells(config: Config, act: Act) -> Floats:
    """Return the objects with a confident score at the end of each episode, shape (episodes,)."""
    env = ExploreEnv(MadeUpRooms(first=UNSEEN))
    seeds = 9_000_000 + np.arange(config.episodes)
    return np.array([float(walk(env, act, int(seed)).confident.sum()) for seed in seeds])


def accuracies(config: Config, act: Act) -> Floats:
    """Return accuracies before, after labels of the map and after own labels, (worlds, 3)."""
    found = []
    for world in range(UNSEEN, UNSEEN + config.worlds):
        env = ExploreEnv(MadeUpRooms(1, world))
        observers = [walk(env, act, seed) for seed in range(config.walks)]
        rng = generator(0, "explore", world)
        rooms = [make_room(make_looks(world), rng) for _ in range(20)]
        glances, codes = any_side(rooms, rng)
        detectors = [pretrained(world), improve(world, observers)]
        detectors.append(improve(world, observers, by_map=False))
        found.append([detector.accuracy(glances, codes) for detector in detectors])
    return np.array(found)


def train_ppo(config: Config, *, shuffled: bool = False) -> Act:
    """Return the actions of a PPO that was trained."""
    model = make_ppo(config, config.seed, shuffled=shuffled)
    model.learn(config.timesteps)
    return _policy(model)


def make_ppo(config: Config, seed: int, *, shuffled: bool = False) -> Any:
    """Return PPO with fresh weights in eight environments."""
    from sb3_contrib import MaskablePPO
    from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

    from agents.ppo.network import CandidatePPOPolicy
    from agents.training.pool_envs import ShuffledRewards

    envs: VecEnv = DummyVecEnv([ExploreEnv] * 8)
    if shuffled:
        envs = ShuffledRewards(envs, seed=integer_seed(seed, "shuffle"))
    return MaskablePPO(
        CandidatePPOPolicy, envs, n_steps=80, batch_size=160, n_epochs=4,
        learning_rate=config.learning_rate, gamma=0.95, gae_lambda=0.9, ent_coef=0.003, seed=seed,
        device="cpu",
    )  # fmt: skip


main = Benchmark("explore", Config, run)
