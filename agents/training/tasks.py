"""The tasks an agent learns on and is validated on, both from its own side of the families."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from agents.training.config import PoolConfig, PoolEnvConfig
from lal.arrays import Floats
from lal.data.datasets import Dataset, load_dataset
from lal.data.families import get_family
from lal.data.prior import PRIOR_VERSION, PriorConfig, sample_dataset
from lal.episode import run_episode
from lal.errors import DataError, UsageError
from lal.features import DEFAULT_CANDIDATE_FEATURES, DEFAULT_CONTEXT_FEATURES
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator, integer_seed
from lal.serialization import config_hash, versions
from lal.state import Strategy
from lal.task import Task
from lal.tasks.sampler import TaskSampler

SUITE = "suite:"

MOST_REDRAWS = 100
"""Draws of a task before a distribution that gives no playable one is reported."""

LEAST_REWARD_ROWS = 20
"""Rows that a reward has to be measured on at least."""


@dataclass(frozen=True)
class PlayableTasks:
    """Draws until the pool can pay the budget twice and the reward part is worth measuring on.

    A synthetic set of a few levelled columns can shrink to a handful of different rows; an episode
    on it would teach nothing.
    """

    sampler: TaskSampler
    budget: int

    def __call__(self, rng: np.random.Generator) -> Task:
        """Return the next playable task, without test part."""
        trouble = f"every pool had fewer than {2 * self.budget} rows or too few rewards"
        for _ in range(MOST_REDRAWS):
            try:
                task = self.sampler(rng)
            except (DataError, UsageError) as error:
                trouble = str(error)
                continue
            if len(task.pool) >= 2 * self.budget and len(task.reward or ()) >= LEAST_REWARD_ROWS:
                return task
        raise UsageError(
            f"{MOST_REDRAWS} draws gave no task for a budget of {self.budget} ({trouble}); lower "
            "the budget, raise max_pool, or give other data"
        )


def training_datasets(config: PoolConfig) -> list[Dataset]:
    """Return the real data sets of the config, suites spelled out, held-out families left out."""
    loaded = [dataset for name in config.datasets for dataset in _load(name)]
    kept = [d for d in loaded if d.family not in held_out_families(config)]
    if not kept and config.share_synthetic < 1.0:
        raise UsageError(
            f"holding out {', '.join(config.hold_out) or 'nothing'} leaves no real data set to "
            "train on; hold out fewer, give more datasets, or set share_synthetic to 1"
        )
    return kept


def held_out_families(config: PoolConfig) -> tuple[str, ...]:
    """Return the families that the names of `hold_out` stand for (``"wdbc"`` is an alias)."""
    return tuple(sorted({get_family(name) for name in config.hold_out}))


def _load(name: str) -> Sequence[Dataset]:
    if not name.startswith(SUITE):
        return [load_dataset(name)]
    from lal.data.suites import load_suite

    return list(load_suite(name.removeprefix(SUITE)))


def training_tasks(config: PoolConfig) -> PlayableTasks:
    """Return what draws training tasks; classes and budget are unknown in half of them."""
    chosen: dict[str, Any] = {}
    if isinstance(config, PoolEnvConfig):
        prior = PriorConfig(rows=config.rows, columns=config.columns, rare=config.rare)
        chosen["synthetic"] = partial(sample_dataset, config=prior)
        chosen["reward_share"] = config.reward_share
    sampler = TaskSampler(
        datasets=training_datasets(config),
        learners=config.learners,
        budget=config.budget,
        hold_out=held_out_families(config),
        share_synthetic=config.share_synthetic,
        max_pool=config.max_pool,
        **chosen,
    )
    return PlayableTasks(sampler, config.budget)


def dev_tasks(config: PoolConfig, n: int) -> list[Task]:
    """Return `n` tasks that choose the best policy: fresh draws of the training distribution."""
    sampler = training_tasks(config)
    return [sampler(generator(config.seed, "dev", i)) for i in range(n)]


def aubc(strategy: Strategy, tasks: Sequence[Task], *, seed: int) -> Floats:
    """Return the AUBC of accuracy on the reward part of every task, shape (T,).

    Args:
        strategy: Ranks whole pools, as in evaluation.
        tasks: What is run; test parts are not looked at.
        seed: Pairs strategies: equal seeds meet equal starts.
    """
    seeds = [integer_seed(seed, "dev_episode", i) for i in range(len(tasks))]
    curves = [
        run_episode(strategy, task, seed=s, part="reward")
        for task, s in zip(tasks, seeds, strict=True)
    ]
    return np.array([curve.area() for curve in curves])


def feature_lists(config: PoolConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the ids of the candidate and the context features of the config."""
    if config.control == "uncertainty_only":
        return ("margin@1",), config.context_features or DEFAULT_CONTEXT_FEATURES
    return (
        config.candidate_features or DEFAULT_CANDIDATE_FEATURES,
        config.context_features or DEFAULT_CONTEXT_FEATURES,
    )


def training_card(config: PoolConfig, start: PoolPolicy | None = None) -> dict[str, Any]:
    """Return what a policy's card says of its training.

    Args:
        config: The run's.
        start: The policy that is fine-tuned; what it was trained on was seen in training, too.
    """
    data = {d.name: {"family": d.family, "sha256": d.sha256} for d in training_datasets(config)}
    tuned = {} if start is None else {"tuned_from": start.name}
    seen = {} if start is None else dict(start.card.get("data", {}) or {})
    return {
        "config_hash": config_hash(config),
        "control": config.control,
        "seed": config.seed,
        "data": {**seen, **data},
        "share_synthetic": config.share_synthetic,
        "prior_version": PRIOR_VERSION,
        "families_held_out": list(held_out_families(config)),
        "learners": list(config.learners),
        "budget": config.budget,
        "max_pool": config.max_pool,
        "versions": versions(),
        **tuned,
    }
