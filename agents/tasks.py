"""The tasks an agent learns on and is validated on, both from its own side of the families."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.base import TrainConfig
from envs.tasks import TaskSampler
from lal.data.datasets import Dataset, load_dataset
from lal.features import DEFAULT_CANDIDATE_FEATURES, DEFAULT_CONTEXT_FEATURES
from lal.loop import run_episode
from lal.records import config_hash, versions
from lal.rng import generator, integer_seed
from lal.state import Strategy
from lal.task import Task

SUITE = "suite:"


def training_datasets(config: TrainConfig) -> list[Dataset]:
    """Return the real data sets of the config, suites spelled out, held-out families left out."""
    loaded = [dataset for name in config.datasets for dataset in _load(name)]
    return [d for d in loaded if d.family not in config.hold_out]


def _load(name: str) -> Sequence[Dataset]:
    if not name.startswith(SUITE):
        return [load_dataset(name)]
    from lal.data.suites import load_suite

    return list(load_suite(name.removeprefix(SUITE)))


def training_tasks(config: TrainConfig) -> TaskSampler:
    """Return the sampler of training tasks; classes and budget are unknown in half of them."""
    return TaskSampler(
        datasets=training_datasets(config),
        learners=config.learners,
        budget=config.budget,
        hold_out=config.hold_out,
        share_synthetic=config.share_synthetic,
        max_pool=config.max_pool,
    )


def dev_tasks(config: TrainConfig) -> list[Task]:
    """Return the tasks that choose the best policy: fresh draws of the training distribution."""
    sampler = training_tasks(config)
    return [sampler(generator(config.seed, "dev", i)) for i in range(config.n_dev_tasks)]


def mean_area(strategy: Strategy, tasks: Sequence[Task], *, seed: int) -> float:
    """Return the mean area under the accuracy curve on the reward parts.

    Args:
        strategy: Ranks whole pools, as in evaluation.
        tasks: What is played; test parts are not looked at.
        seed: Pairs strategies: equal seeds meet equal starts.
    """
    areas = [
        run_episode(strategy, task, seed=integer_seed(seed, "dev_episode", i), part="reward").area()
        for i, task in enumerate(tasks)
    ]
    return float(np.mean(areas))


def feature_lists(config: TrainConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the ids of the candidate and the context features of the config."""
    return (
        config.candidate_features or DEFAULT_CANDIDATE_FEATURES,
        config.context_features or DEFAULT_CONTEXT_FEATURES,
    )


def training_card(config: TrainConfig) -> dict[str, Any]:
    """Return what a policy's card says of its training."""
    datasets = training_datasets(config)
    return {
        "config_hash": config_hash(config),
        "control": config.control,
        "seed": config.seed,
        "data": {d.name: {"family": d.family, "sha256": d.sha256} for d in datasets},
        "share_synthetic": config.share_synthetic,
        "families_held_out": list(config.hold_out),
        "learners": list(config.learners),
        "budget": config.budget,
        "max_pool": config.max_pool,
        "versions": versions(),
    }
