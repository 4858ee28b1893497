"""LAL-RL as an agent: data sets to a policy file with its verdict on sets that were left out."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from agents.lal_rl.config import FastDQNConfig
from agents.lal_rl.export import to_policy
from agents.lal_rl.network import QNetwork
from agents.lal_rl.train import train, view_of
from agents.lal_rl.verdict import judge
from agents.training.run_folder import RunFolder
from lal.data.dataset import Dataset
from lal.data.datasets import load_dataset
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator
from lal.serialization import config_hash, versions, write_json

N_UNTRAINED = 5
"""Untrained copies whose mean a policy has to beat."""

NAMES = {"symmetric": "lal-rl", "published": "lal-rl-published"}
"""Policy of each variant; the symmetric one is ours and the default."""


def train_policy(config: FastDQNConfig, folder: Path, *, progress: bool = False) -> Path:
    """Train into `folder`; see `agents.registry.Agent.train`. Fast, so it restarts."""
    run = RunFolder(folder, agent="lal_rl", config=config)
    if run.finished:
        return run.policy_path
    datasets = training_datasets(config)
    run.begin()
    about = card(config, datasets)
    write_json(folder / "data.json", about["data"])
    result = train(config, data=pairs_of(datasets), progress=_report if progress else None)
    if config.judge_on and config.n_judged:
        about |= judge(config, result.network, controls(config, datasets))
        sys.stdout.write(f"percent fewer labels than: {about['did_it_learn']}\n")
    name = NAMES[config.variant]
    to_policy(result.network, view_of(config), name=name, card=about).save(run.policy_path)
    result.network.save(folder / "network.safetensors", symmetric=config.variant == "symmetric")
    metrics = {"n_steps": result.n_steps, "n_episodes": len(result.lengths)}
    run.write_metrics([metrics])
    run.finish({"config_hash": run.hash, "policy": run.policy_path.name, **metrics})
    return run.policy_path


def _report(n_steps: int, length: float, loss: float) -> None:
    sys.stderr.write(f"\r{n_steps:,} steps, {length:.1f} labels an episode, TD error^2 {loss:.1f} ")
    sys.stderr.flush()


def controls(config: FastDQNConfig, datasets: list[Dataset]) -> dict[str, list[QNetwork]]:
    """Return what a policy has to beat: one that was told of others' ends, untrained ones."""
    shuffled = replace(config, control="shuffled_reward")
    return {
        "shuffled": [train(shuffled, data=pairs_of(datasets)).network],
        "untrained": untrained(config, N_UNTRAINED),
    }


def untrained(config: FastDQNConfig, n: int) -> list[QNetwork]:
    """Return networks with random weights."""
    return [QNetwork.random(generator(config.seed, "untrained", i)) for i in range(n)]


def export_untrained(config: FastDQNConfig, n: int) -> list[PoolPolicy]:
    """Return `n` policies of the same architecture with random weights."""
    about = {**card(config, []), "control": "untrained"}
    return [
        to_policy(
            network, view_of(config), name=f"{NAMES[config.variant]}-untrained-{i}", card=about
        )
        for i, network in enumerate(untrained(config, n))
    ]


class Sets(Protocol):
    """What a config says of data sets; see `FastDQNConfig`."""

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of those to train on."""
        ...

    @property
    def hold_out(self) -> tuple[str, ...]:
        """Names or families of those left out."""
        ...

    @property
    def judge_on(self) -> tuple[str, ...]:
        """Names of those judged on."""
        ...


def training_datasets(config: Sets) -> list[Dataset]:
    """Return the data sets of the config without those held out, by name or family."""
    found = [load_dataset(name) for name in config.datasets]
    kept = [d for d in found if not {d.name, d.family} & set(config.hold_out)]
    if not kept:
        raise UsageError("hold_out leaves no data set to train on; name others in datasets")
    shared = {d.family for d in kept} & {load_dataset(name).family for name in config.judge_on}
    if shared:
        raise UsageError(
            f"family {sorted(shared)[0]!r} is both trained and judged on; take it out of one"
        )
    return kept


def pairs_of(datasets: list[Dataset]) -> list[tuple[Any, Any]]:
    """Return samples and labels."""
    return [(np.asarray(d.X), np.asarray(d.y)) for d in datasets]


def card(config: FastDQNConfig, datasets: list[Dataset]) -> dict[str, Any]:
    """Return what the policy's card says of its training."""
    published = config.variant == "published"
    asymmetric = "asymmetric: swapping the two classes changes what is asked"
    limits = ["there are more than two classes"] if published else []
    n_columns = [int(np.asarray(d.X).shape[1]) for d in datasets] or [1, 512]
    return {
        "summary": f"LAL-RL ({config.variant}): labels to 98 % of full quality, by double DQN.",
        "source": "Konyushkova, Sznitman and Fua (2018), arXiv 1810.04114"
        + ("" if published else "; symmetric inputs are ours"),
        "trained_on": f"{len(datasets)} binary data sets, pools of 100, from two labels on",
        "learners": ["logistic_regression"],
        "class_symmetry": asymmetric if published else "symmetric",
        "do_not_use_when": [
            *limits,
            "the learner's probabilities are far from those of logistic regression",
            "the pool is much larger than 100 and its distances to labels differ from those",
        ],
        "ranges": {"n_classes": [2, 2], "n_columns": [min(n_columns), max(n_columns)]},
        "differs_from_training": "the state is 30 quantiles over the pool's reference set, in "
        "training 30 points held aside; cosines are taken in the pool's own view",
        "config_hash": config_hash(config),
        "control": config.control,
        "seed": config.seed,
        "data": {d.name: {"family": d.family, "sha256": d.sha256} for d in datasets},
        "families_held_out": sorted(config.hold_out),
        "versions": versions(),
    }
