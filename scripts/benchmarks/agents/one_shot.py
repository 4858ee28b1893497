"""Active one-shot learning on classes never seen: asking and accuracy by instance, returns.

``python -m scripts.benchmark one_shot --runs runs/one-shot-0``; the folders are those of
``scripts.train --agent active_one_shot``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from envs.class_banks import Split, load_bank
from envs.one_shot.episodes import Episodes, draw_episodes
from envs.one_shot.evaluation import play
from lal.arrays import Floats, Ints
from lal.policies.predict_or_ask_policy import PredictOrAskPolicy
from lal.rng import generator
from scripts.benchmarks.agents.controls import mean_by_control, with_untrained
from scripts.benchmarks.base import Benchmark, Results, add_comparisons, interval

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

    untrained: int = 0
    """Untrained copies of every trained run; their mean is a control."""

    seed: int = 9_000_000
    """Of the episodes; no training uses it."""


def run(config: Config, results: Results) -> None:
    """Add a row for each policy."""
    results.note(
        f"{config.episodes} episodes of {config.split} classes; asks and right answers in %"
    )
    found: dict[str, dict[str, Played]] = {}
    for path in config.runs:
        for name, policy in with_untrained(path, PredictOrAskPolicy, config.untrained):
            bank, played = str(policy.card["bank"]), _play(policy, config)
            results.add(bank, {"run": name, **_row(played, config)})
            found.setdefault(bank, {})[name] = played
    for several in found.values():
        _compare(several, config, results)


class Played(NamedTuple):
    """What a policy did (E, T), -1 for asking, and what it and random answers earned (E,)."""

    control: str
    episodes: Episodes
    actions: Ints
    returns: Floats
    random: Floats


def _compare(several: Mapping[str, Played], config: Config, results: Results) -> None:
    """Add what the card of every trained policy says."""
    groups = mean_by_control({name: (p.control, p.returns) for name, p in several.items()})
    for name, played in several.items():
        if played.control == "none":
            always = np.full(len(played.returns), config.ask * config.n_items)
            others = {"random": played.random, "always asking": always, **groups}
            differences = {other: played.returns - values for other, values in others.items()}
            add_comparisons(results, name, "return of an episode", differences)


def _play(policy: PredictOrAskPolicy, config: Config) -> Played:
    C = policy.size("classes")
    rng = generator(config.seed, "one_shot", "benchmark")
    episodes = draw_episodes(
        load_bank(str(policy.card["bank"])), rng, n=config.episodes, T=config.n_items, C=C,
        split=config.split,
    )  # fmt: skip
    actions = play(policy, episodes)
    asked, right = actions == C, actions == episodes.labels
    returns = np.where(asked, config.ask, np.where(right, 1.0, config.wrong)).sum(axis=1)
    guesses = rng.integers(C, size=actions.shape)
    random = np.where(guesses == episodes.labels, 1.0, config.wrong).sum(axis=1)
    control = str(policy.card.get("control", "none"))
    return Played(control, episodes, np.where(asked, -1, actions), returns, random)


def _row(played: Played, config: Config) -> dict[str, str]:
    episodes, returns = played.episodes, played.returns
    asked, right = played.actions < 0, played.actions == episodes.labels
    cells = {}
    for k in INSTANCES:
        at = episodes.instances == k
        told = at & ~asked
        cells[f"asks at {k}"] = f"{100 * asked[at].mean():.1f}"
        cells[f"right at {k}"] = f"{100 * right[told].mean():.1f}" if told.any() else "none"
    return cells | {
        "return": interval(returns),
        "minus always asking": interval(returns - config.ask * config.n_items),
        "minus random answers": interval(returns - played.random),
    }


main = Benchmark("one_shot", Config, run)
