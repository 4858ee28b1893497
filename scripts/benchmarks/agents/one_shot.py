"""Active one-shot learning on classes never seen: asking and accuracy by instance, returns.

``python -m scripts.benchmark one_shot --runs runs/one-shot-0``; the folders are those of
``scripts.train --agent active_one_shot``.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.class_banks import Split, load_bank
from envs.one_shot.episodes import draw_episodes
from envs.one_shot.evaluation import play
from lal.policies.kinds import load_as
from lal.policies.predict_or_ask_policy import PredictOrAskPolicy
from lal.rng import generator
from scripts.benchmarks.base import Benchmark, Results, interval

INSTANCES = (1, 2, 3, 5, 10)
"""Numbers of an item within its class that are shown."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which policies, on how many episodes."""

    runs: tuple[Path, ...] = ()
    """Folders of training runs, or policy files."""

    split: Split = "test"
    """Classes: "test" are the ones that no training saw."""

    episodes: int = 1000
    """Episodes, the same for every policy of a bank."""

    n_items: int = 30
    """T, items of an episode."""

    wrong: float = -1.0
    """Reward of a wrong answer."""

    ask: float = -0.05
    """Reward of asking."""

    seed: int = 9_000_000
    """Of the episodes; no training uses it."""


def run(config: Config, results: Results) -> None:
    """Add a row for each policy."""
    results.note(
        f"{config.episodes} episodes of {config.split} classes; asks and right answers in %"
    )
    for path in config.runs:
        policy = load_as(PredictOrAskPolicy, path / "policy.safetensors" if path.is_dir() else path)
        results.add(str(policy.card["bank"]), {"run": path.name, **_row(policy, config)})


def _row(policy: PredictOrAskPolicy, config: Config) -> dict[str, str]:
    C = policy.size("classes")
    rng = generator(config.seed, "one_shot", "benchmark")
    episodes = draw_episodes(
        load_bank(str(policy.card["bank"])), rng, n=config.episodes, T=config.n_items, C=C,
        split=config.split,
    )  # fmt: skip
    actions = play(policy, episodes)
    asked, right = actions == C, actions == episodes.labels
    cells = {}
    for k in INSTANCES:
        at = episodes.instances == k
        told = at & ~asked
        cells[f"asks at {k}"] = f"{100 * asked[at].mean():.1f}"
        cells[f"right at {k}"] = f"{100 * right[told].mean():.1f}" if told.any() else "none"
    returns = np.where(asked, config.ask, np.where(right, 1.0, config.wrong)).sum(axis=1)
    guesses = rng.integers(C, size=actions.shape) == episodes.labels
    random = np.where(guesses, 1.0, config.wrong).sum(axis=1)
    return cells | {
        "return": interval(returns),
        "minus always asking": interval(returns - config.ask * config.n_items),
        "minus random answers": interval(returns - random),
    }


main = Benchmark("one_shot", Config, run)
