"""Policies on fresh synthetic tasks, paired: differences too small for real data sets to show.

``python -m scripts.benchmark fresh --policies new=runs/grpo/policy.safetensors`` runs policies and
rules in the compiled simulator on the same tasks from the same initial labelled sets. A label that
is given several times stands for the mean of its policies, one per training seed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from agents.training.config import SYNTHETIC_TASKS, PoolEnvConfig
from agents.training.tasks import training_tasks
from envs.simulator.engine import CompiledMethod
from envs.simulator.rollout import rollout
from lal.arrays import Floats
from lal.data.generators import GENERATORS
from lal.errors import UsageError
from lal.evaluation.runs.methods import parse_method
from lal.rng import generator
from lal.task import Task
from scripts.benchmarks.base import Benchmark, Results

METRICS = ("balanced_accuracy", "accuracy")

TOGETHER = 100
"""Tasks in memory at a time."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is compared on how many tasks."""

    policies: tuple[str, ...] = ("default",)
    """Strategies, shipped policies or files, as label=FILE; those of equal label are averaged."""

    against: tuple[str, ...] = ("margin",)
    """What each is compared with, in the same form."""

    tasks: int = 400
    """Synthetic tasks."""

    learners: tuple[str, ...] = ("logistic_regression",)
    """Learners of the tasks, drawn uniformly."""

    budget: int = 100
    """Labels acquired after the initial labelled set."""

    start: int | None = None
    """Random labels that a task begins with; one label each of two classes when not given."""

    max_pool: int = 300
    """Largest pool."""

    rows: tuple[int, int] = (1200, 3000)
    """Smallest and largest number of rows of a data set."""

    families: tuple[str, ...] = ()
    """Families of synthetic data that tasks come from, without "synthetic:"; none given: all."""

    seed: int = 999
    """Names the tasks; no preset trains with it."""


def run(config: Config, results: Results) -> None:
    """Add one row per pair of what is compared."""
    areas = _areas(config)
    groups: dict[str, list[Floats]] = {}
    for name, found in areas:
        groups.setdefault(name, []).append(found)
    means = {name: np.mean(found, axis=0) for name, found in groups.items()}
    ours, others = _labels(config.policies), _labels(config.against)
    for name in dict.fromkeys(ours):
        for other in dict.fromkeys(others):
            if name != other:
                results.add("fresh", _row(name, other, means, len(groups[name])))


def _row(name: str, other: str, means: Mapping[str, Floats], n: int) -> dict[str, str | int]:
    row: dict[str, str | int] = {"policy": name, "seeds": n, "minus": other}
    for metric, gaps in zip(METRICS, 100.0 * (means[name] - means[other]), strict=True):
        half = 1.96 * gaps.std(ddof=1) / np.sqrt(len(gaps))
        shown = f"{gaps.mean():+.2f} [{gaps.mean() - half:+.2f}, {gaps.mean() + half:+.2f}]"
        row[metric.replace("_", " ")] = shown
    return row


def _labels(given: tuple[str, ...]) -> list[str]:
    return [parse_method(text).label for text in given]


def _areas(config: Config) -> Iterator[tuple[str, Floats]]:
    """Yield label and areas, shape (metrics, tasks), of everything that was given."""
    given = [parse_method(text) for text in (*config.policies, *config.against)]
    methods = list(dict.fromkeys(given))  # what is on both sides counts once
    compiled = [(method.label, CompiledMethod(method)) for method in methods]
    found: list[list[Floats]] = [[] for _ in compiled]
    for first in range(0, config.tasks, TOGETHER):
        tasks = [_task(config, i) for i in range(first, min(first + TOGETHER, config.tasks))]
        for own, (_, method) in zip(found, compiled, strict=True):
            curves = rollout(tasks, [method.ranker], features=method.features, seed=config.seed)
            own.append(np.stack([curves.areas(metric)[0] for metric in METRICS]))
    for own, (label, _) in zip(found, compiled, strict=True):
        yield label, np.concatenate(own, axis=1)


def _task(config: Config, i: int) -> Task:
    fields = {**SYNTHETIC_TASKS, "max_pool": config.max_pool, "rows": config.rows}
    if config.families:
        unknown = sorted(set(config.families) - set(GENERATORS))
        if unknown:
            raise UsageError(f"no family {unknown[0]!r}; known: {', '.join(GENERATORS)}")
        others = [name for name in GENERATORS if name not in config.families]
        fields["hold_out"] = tuple(f"synthetic:{name}" for name in others)
    options = PoolEnvConfig(**fields, learners=config.learners, budget=config.budget)
    task = training_tasks(options)(generator(config.seed, "fresh", i))
    return task if config.start is None else replace(task, start=config.start)


main = Benchmark("fresh", Config, run)
