"""How much design policies learn, in nats, on the same draws: DAD, PPO, static, random.

``python -m scripts.benchmark design --runs runs/dad-0 runs/static-0``; the folders are those of
``scripts.train --agent dad``. PPO and SAC are trained here when asked for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from envs.design.evaluation import Rule, play, policy_rule, random_rule, spce
from envs.design.models import make_model
from lal.policies.design_policy import DesignPolicy
from lal.policies.kinds import load_as
from scripts.benchmarks.base import Benchmark, Results, interval


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which policies, on how many episodes."""

    runs: tuple[Path, ...] = ()
    """Folders of training runs, or policy files."""

    model: str = "location_finding"
    """Name of the design model."""

    n_steps: int = 5
    """T, experiments in an episode."""

    episodes: int = 500
    """Episodes run, the same for every rule."""

    n_contrast: int = 20_000
    """L of the bounds."""

    sb3: tuple[Literal["ppo", "sac"], ...] = ()
    """Algorithms of stable-baselines3 to train first."""

    sb3_steps: int = 100_000
    """Environment steps of each."""

    sb3_seeds: tuple[int, ...] = (0,)
    """Training seeds of each."""

    seed: int = 9_000_000
    """Of the episodes; no training uses it."""


def run(config: Config, results: Results) -> None:
    """Print both bounds of every rule, and the paired difference to random."""
    model = make_model(config.model)
    base = None
    results.note(f"{config.model}, T = {config.n_steps}, {config.episodes} episodes, nats")
    for name, rule in _rules(config).items():
        played = play(
            model, rule, n_steps=config.n_steps, n_episodes=config.episodes, seed=config.seed
        )
        bounds = spce(model, played, n_contrast=config.n_contrast, seed=config.seed)
        row = {
            "rule": name,
            "sPCE (lower)": interval(bounds.lower),
            "sNMC (upper)": interval(bounds.upper),
            "lower minus random": None if base is None else interval(bounds.lower - base),
        }
        results.add(config.model, row)
        base = bounds.lower if base is None else base


def _rules(config: Config) -> dict[str, Rule]:
    rules = {"random": random_rule(make_model(config.model))}
    for path in config.runs:
        policy = load_as(DesignPolicy, path / "policy.safetensors" if path.is_dir() else path)
        rules[str(path.name)] = policy_rule(policy)
    for algorithm in config.sb3:
        from agents.dad.sb3 import sb3_rule, train_sb3

        for seed in config.sb3_seeds:
            trained = train_sb3(
                algorithm, timesteps=config.sb3_steps, seed=seed,
                model=config.model, n_steps=config.n_steps,
            )  # fmt: skip
            rules[f"{algorithm}-{seed}"] = sb3_rule(
                trained, model=config.model, n_steps=config.n_steps
            )
    return rules


main = Benchmark("design", Config, run)
