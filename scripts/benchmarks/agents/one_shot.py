"""Active one-shot learning on classes never seen: asking and accuracy by instance, returns.

``python -m scripts.benchmark one_shot --runs runs/one-shot-0``; the folders are those of
``scripts.train --agent active_one_shot``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.class_banks import Split, load_bank
from envs.one_shot.episodes import Episodes, draw_episodes
from lal.policies.kinds import load_as
from lal.policies.predict_or_ask_policy import PredictOrAskPolicy
from lal.rng import generator
from scripts.benchmarks.agents.design import interval
from scripts.entry import run_main

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


def run(config: Config) -> None:
    """Print a row a policy."""
    heads = "".join(f" asks at {k} | right at {k} |" for k in INSTANCES)
    print(f"{config.episodes} episodes of {config.split} classes; asks and right answers in %")
    print(f"| run |{heads} return | minus always asking | minus random answers |")
    print("|---" * (4 + 2 * len(INSTANCES)) + "|")
    for path in config.runs:
        policy = load_as(PredictOrAskPolicy, path / "policy.safetensors" if path.is_dir() else path)
        print(_row(path.name, policy, config), flush=True)


def _row(name: str, policy: PredictOrAskPolicy, config: Config) -> str:
    C = policy.size("classes")
    rng = generator(config.seed, "one_shot", "benchmark")
    episodes = draw_episodes(
        load_bank(str(policy.card["bank"])), rng, n=config.episodes, T=config.n_items, C=C,
        split=config.split,
    )  # fmt: skip
    actions = play(policy, episodes)
    asked, right = actions == C, actions == episodes.labels
    cells = []
    for k in INSTANCES:
        at = episodes.instances == k
        told = at & ~asked
        answer = f"{100 * right[told].mean():.1f}" if told.any() else "none"
        cells.append(f"{100 * asked[at].mean():.1f} | {answer}")
    returns = np.where(asked, config.ask, np.where(right, 1.0, config.wrong)).sum(axis=1)
    guesses = rng.integers(C, size=actions.shape) == episodes.labels
    random = np.where(guesses, 1.0, config.wrong).sum(axis=1)
    ends = [interval(returns), interval(returns - config.ask * config.n_items)]
    return f"| {name} | {' | '.join(cells)} | {' | '.join(ends)} | {interval(returns - random)} |"


def play(policy: PredictOrAskPolicy, episodes: Episodes) -> np.ndarray:
    """Return the greedy actions, shape (E, T); all episodes are played at once."""
    E, T = episodes.labels.shape
    memory = policy.start({"episodes": E})
    actions = np.empty((E, T), dtype=np.int64)
    for t in range(T):
        item = episodes.items[:, t].astype(np.float64)
        actions[:, t] = policy.act(memory, item)
        bought = actions[:, t] == policy.size("classes")
        memory = policy.update(
            memory, {"item": item, "label": np.where(bought, episodes.labels[:, t], -1)}
        )
    return actions


def main(arguments: Sequence[str]) -> int:
    """Run the sub-command; returns the exit code."""
    return run_main(run, Config, arguments)
