"""LAL-RL by search, as an agent: data sets to a policy file with its verdict on other families."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agents.lal_rl.agent import pairs_of, training_datasets
from agents.lal_rl.search.config import SIZE, SearchConfig
from agents.lal_rl.search.export import to_policy
from agents.lal_rl.search.game import episode_lengths
from agents.lal_rl.search.search import free_weights, start, train
from agents.lal_rl.train import episode_lengths as random_lengths
from agents.lal_rl.verdict import NEEDED, saving
from agents.training.run_folder import RunFolder
from lal.arrays import Floats
from lal.data.dataset import Dataset
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator, integer_seed
from lal.serialization import config_hash, versions, write_json

NAME = "lal-rl-search"
N_UNTRAINED = 5
"""Untrained copies whose mean a policy has to beat."""


def train_policy(config: SearchConfig, folder: Path, *, progress: bool = False) -> Path:
    """Train into `folder`; see `agents.registry.Agent.train`. Minutes, so it restarts."""
    run = RunFolder(folder, agent="lal_rl_search", config=config)
    if run.finished:
        return run.policy_path
    datasets = training_datasets(config)
    run.begin()
    about = card(config, datasets)
    write_json(folder / "data.json", about["data"])
    result = train(config, pairs_of(datasets), _report if progress else None)
    if config.judge_on and config.n_judged:
        about |= judge(config, result.weights, controls(config, datasets))
        sys.stdout.write(f"percent fewer labels than: {about['did_it_learn']}\n")
    to_policy(result.weights, name=NAME, card=about).save(run.policy_path)
    metrics = {"n_steps": result.n_steps, "n_episodes": result.n_episodes}
    run.write_metrics([metrics])
    run.finish({"config_hash": run.hash, "policy": run.policy_path.name, **metrics})
    return run.policy_path


def _report(generation: int, labels: float) -> None:
    sys.stderr.write(f"\rgeneration {generation}, {labels:.2f} labels an episode ")
    sys.stderr.flush()


def controls(config: SearchConfig, datasets: list[Dataset]) -> dict[str, list[Floats]]:
    """Return what a policy has to beat: one whose differences were mixed up, untrained ones."""
    shuffled = replace(config, control="shuffled_reward")
    return {
        "shuffled": [train(shuffled, pairs_of(datasets)).weights],
        "untrained": untrained(config, N_UNTRAINED),
    }


def untrained(config: SearchConfig, n: int) -> list[Floats]:
    """Return random weights."""
    drawn = [generator(config.seed, "untrained", i).standard_normal(SIZE) for i in range(n)]
    return [weights * free_weights(config) for weights in drawn]


def export_untrained(config: SearchConfig, n: int) -> list[PoolPolicy]:
    """Return `n` policies of the same form with random weights."""
    about = {**card(config, []), "control": "untrained"}
    return [
        to_policy(weights, name=f"{NAME}-untrained-{i}", card=about)
        for i, weights in enumerate(untrained(config, n))
    ]


def judge(config: SearchConfig, weights: Floats, others: dict[str, list[Floats]]) -> dict[str, Any]:
    """Return the share of labels saved against each opponent; see `agents.lal_rl.verdict.judge`.

    Episodes, resampling and form are the same, so the cards of both can be compared.
    """
    opponents = {"uncertainty": [start()], **others}
    ours = [_lengths(config, name, [weights]) for name in config.judge_on]
    theirs = {
        "random": [_random(config, name) for name in config.judge_on],
        **{
            opponent: [_lengths(config, name, copies) for name in config.judge_on]
            for opponent, copies in opponents.items()
        },
    }
    found: dict[str, Any] = {}
    for opponent, lengths in theirs.items():
        percent, low, high = saving(ours, lengths, seed=config.seed)
        found[opponent] = [round(percent / 100, 4), round((high - low) / 200, 4)]
    learned = all(found[name][0] > found[name][1] for name in NEEDED)
    return {
        "did_it_learn": {**found, "learned": learned},
        "measure": "% fewer labels to the target",
        "judged_on": [name.rsplit("/", 1)[-1].removesuffix(".npz") for name in config.judge_on],
    }


def _seed(config: SearchConfig, name: str) -> int:
    return integer_seed(config.seed, "judge", name.rsplit("/", 1)[-1])


def _random(config: SearchConfig, name: str) -> Floats:
    lengths = random_lengths(None, name, n_episodes=config.n_judged, seed=_seed(config, name))
    return lengths.astype(np.float64)


def _lengths(config: SearchConfig, name: str, copies: list[Floats]) -> Floats:
    seed = _seed(config, name)
    played = [episode_lengths(w, name, n_episodes=config.n_judged, seed=seed) for w in copies]
    mean: Floats = np.mean(played, axis=0)
    return mean


def card(config: SearchConfig, datasets: list[Dataset]) -> dict[str, Any]:
    """Return what the policy's card says of its training."""
    n_columns = [int(np.asarray(d.X).shape[1]) for d in datasets] or [1, 512]
    return {
        "summary": "LAL-RL by search: labels to 98 % of full quality, a linear policy, paired "
        "episodes.",
        "source": "the game: Konyushkova, Sznitman and Fua (2018), arXiv 1810.04114; inputs and "
        "search are ours",
        "trained_on": f"{len(datasets)} binary data sets, pools of 100, from two labels on",
        "learners": ["logistic_regression"],
        "class_symmetry": "symmetric",
        "do_not_use_when": [
            "the learner's probabilities are far from those of logistic regression",
            "the pool is much larger than 100 and its distances to labels differ from those",
        ],
        "ranges": {"n_classes": [2, 2], "n_columns": [min(n_columns), max(n_columns)]},
        "config_hash": config_hash(config),
        "control": config.control,
        "seed": config.seed,
        "data": {d.name: {"family": d.family, "sha256": d.sha256} for d in datasets},
        "families_held_out": sorted(config.hold_out),
        "versions": versions(),
    }
