"""Control tests over training seeds: does an agent learn, every time it is trained?

``python -m scripts.benchmark seeds --agent grpo --preset full`` trains a policy and its controls
for every seed, evaluates all of them in one paired evaluation on data sets that no training saw,
and decides for every seed whether the policy learned. It can be stopped and run again at any time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lal.evaluation import Evaluation, EvaluationConfig, evaluate
from lal.evaluation.analysis.control_tests import REQUIRED, Comparison, compare, find_controls
from lal.evaluation.analysis.tables import drop_seen
from lal.evaluation.holdout.locked import load_evaluated
from scripts.benchmarks.base import Benchmark, Results, show_interval
from scripts.trained import Trained, get_settings, train_with_controls


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is trained, how often, and on what it is compared."""

    agent: str = "grpo"
    """Name of an agent that trains on tasks with a pool."""

    preset: str = "full"
    """Its settings."""

    changes: tuple[str, ...] = ()
    """Fields of the preset to change, as name=value with JSON values: gamma=0."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of training."""

    suite: tuple[str, ...] = ("bundled",)
    """Suites or data sets; families that training could see are held out of it."""

    datasets: tuple[str, ...] = ()
    """Names of the suites' data sets to take; all when empty."""

    learners: tuple[str, ...] = ("logistic_regression",)
    """Learners that the policies are plugged into."""

    baselines: tuple[str, ...] = ("random", "margin", "default")
    """What is compared beside the policies and their controls."""

    runs: int = 6
    """Paired runs of every data set and learner."""

    budget: int | None = None
    """Labels acquired in a run after its start; the protocol's when not given."""

    max_pool: int | None = 300
    """Larger pools are sub-sampled."""

    n_untrained: int = 5
    """Copies with random weights; their mean is a control. 0 for agents that tune a policy."""

    out: Path = Path("runs/seeds")
    """Folder of the policies and of the evaluation."""

    jobs: int = 2
    """Processes of the evaluation."""


def run(config: Config, results: Results) -> None:
    """Add one row per seed and, over all seeds, one per control."""
    trained = _train(config)
    evaluation = _evaluate(config, trained)
    differences: dict[str, list[float]] = {}
    for seed in config.seeds:
        found = _compare(evaluation, seed, config)
        row: dict[str, Any] = {"seed": seed}
        for name, comparison in found.items():
            row[f"minus {name}"] = show_interval(comparison.interval)
            differences.setdefault(name, []).append(comparison.interval.mean)
        learned = all(name in found and found[name].low > 0 for name in REQUIRED)
        results.add("seeds", {**row, "learned": "yes" if learned else "no"})
    results.note("AUBC points, 95 % intervals over new data sets; mean and range over the seeds:")
    for name, means in differences.items():
        shown = [f"{100 * x:+.2f}" for x in (sum(means) / len(means), min(means), max(means))]
        row = dict(zip(("mean", "lowest", "highest"), shown, strict=True))
        results.add("over-seeds", {"minus": name, **row})


def _train(config: Config) -> list[Trained]:
    """Return the policies of all seeds with their controls."""
    datasets = load_evaluated(config.suite, config.datasets, {})
    trained = []
    for seed in config.seeds:
        options = get_settings(config.agent, config.preset, seed, datasets, config.changes)
        folder = config.out / f"seed-{seed}"
        trained.append(
            train_with_controls(
                config.agent, options, folder, n_untrained=config.n_untrained, jobs=config.jobs
            )
        )
    return trained


def _evaluate(config: Config, trained: Sequence[Trained]) -> Evaluation:
    from envs.simulator.engine import CompiledEngine  # loads numba

    seeds = zip(config.seeds, trained, strict=True)
    return evaluate(
        EvaluationConfig(
            suite=config.suite,
            datasets=config.datasets,
            strategies=(*config.baselines, *(s for i, t in seeds for s in t.strategies(str(i)))),
            learners=config.learners,
            runs=config.runs,
            budget=config.budget,
            max_pool=config.max_pool,
            out=config.out / "evaluation",
            jobs=config.jobs,
        ),
        engine=CompiledEngine(config.jobs),
        command=f"python -m scripts.benchmark seeds --agent {config.agent} --preset "
        f"{config.preset}",
    )


def _compare(evaluation: Evaluation, seed: int, config: Config) -> dict[str, Comparison]:
    """Return the policy of a seed against controls and baselines, by name."""
    policy = f"policy{seed}"
    table = drop_seen(evaluation.table, evaluation.seen.get(policy, ()))
    own = [f"shuffled{seed}", *(f"untrained{seed}-{i}" for i in range(config.n_untrained))]
    groups = find_controls(table, own) | {name: [name] for name in config.baselines}
    found = {name: compare(table, policy, group, control=name) for name, group in groups.items()}
    for name in [name for name in config.baselines if name != "random"]:
        found[f"{name}, accuracy"] = compare(
            table, policy, name, control=name, column="area_accuracy"
        )
    return found


main = Benchmark("seeds", Config, run)
