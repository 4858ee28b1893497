"""Strategies and policies side by side on a suite, by kind of data set, paired.

``python -m scripts.benchmark compare --strategies default --against margin uncertainty_herding``
evaluates them, in the compiled engine unless told otherwise, and writes the differences over all
data sets and over those of two and of more classes, and with ``--at 100 200`` those at so many
labels. It can be stopped and run again at any time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lal.data.dataset import Dataset
from lal.evaluation import EvaluationConfig, evaluate
from lal.evaluation.analysis.control_tests import compare
from lal.evaluation.analysis.tables import Table, drop_seen
from lal.evaluation.holdout.locked import load_evaluated
from lal.evaluation.runs.methods import parse_method
from lal.evaluation.runs.protocol import Regime
from scripts.benchmarks.base import Benchmark, Results, show_interval
from scripts.benchmarks.policies.imbalanced import suffix, write_thinned
from scripts.evaluate import EngineName, make_engine

METRICS = ("balanced_accuracy", "accuracy")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is compared on what."""

    strategies: tuple[str, ...] = ("default",)
    """Strategies, shipped policies or files; label=... names one apart."""

    against: tuple[str, ...] = ("margin",)
    """What each is compared with, in the same form."""

    suite: tuple[str, ...] = ("bundled",)
    """Suites or data sets."""

    datasets: tuple[str, ...] = ()
    """Names of the suites' data sets to take; all when empty."""

    learners: tuple[str, ...] = ("logistic_regression",)
    """Learners by name."""

    regime: Regime = "cold"
    """Start, budget and batch."""

    runs: int = 3
    """Paired runs of every data set and learner."""

    seed: int = 0
    """Names the splits and initial labelled sets; another one checks what was chosen on these."""

    start: int | None = None
    """Random labels that a run begins with; the regime's start when not given."""

    budget: int | None = None
    """Labels acquired in a run after its start; the regime's when not given."""

    rare_shares: tuple[float, ...] = ()
    """Take the data sets of two classes alone, the rarer class thinned out to each of these shares
    (0.1 and 0.03, say); as they are when empty."""

    at: tuple[int, ...] = ()
    """Labels at which the methods are compared, too, beside their areas."""

    max_pool: int | None = 1000
    """Larger pools are sub-sampled."""

    engine: EngineName = "compiled"
    """What executes the runs; the compiled one acquires one label at a time."""

    out: Path = Path("runs/compare")
    """Run store; finished runs in it are never repeated."""

    jobs: int = 2
    """Processes."""


def run(config: Config, results: Results) -> None:
    """Add one row per pair and kind of data set."""
    suite, datasets = config.suite, config.datasets
    if config.rare_shares:
        sources = load_evaluated(suite, datasets, {})
        folder = write_thinned(sources, config.rare_shares, config.out / "thinned")
        suite, datasets = (str(folder),), ()
    found = evaluate(
        EvaluationConfig(
            suite=suite,
            datasets=datasets,
            strategies=tuple(dict.fromkeys((*config.strategies, *config.against))),
            learners=config.learners,
            regime=config.regime,
            runs=config.runs,
            seed=config.seed,
            start=config.start,
            budget=config.budget,
            max_pool=config.max_pool,
            out=config.out,
            jobs=config.jobs,
        ),
        engine=make_engine(config.engine, config.jobs),
        command="python -m scripts.benchmark compare",
    )
    kinds = _kinds(load_evaluated(suite, datasets, {}), config.rare_shares)
    for ours in map(parse_method, config.strategies):
        for other in map(parse_method, config.against):
            if ours.label == other.label:
                continue
            seen = {*found.seen.get(ours.label, ()), *found.seen.get(other.label, ())}
            table = drop_seen(found.table, seen)
            for kind, names in kinds.items():
                part = table[table["dataset"].isin(names)]
                if len(part):
                    results.add("compare", _row(part, kind, ours.label, other.label))
            for labels in config.at:
                results.add("at", _row_at(table, labels, ours.label, other.label))


def _kinds(
    datasets: Sequence[Dataset], rare_shares: Sequence[float]
) -> Mapping[str, Sequence[str]]:
    """Return the names of the data sets of every kind."""
    names = [dataset.name for dataset in datasets]
    if rare_shares:
        parts = {f"{100 * s:g} % rare": suffix(s) for s in rare_shares}
        return {"all": names} | {
            kind: [name for name in names if name.endswith(end)] for kind, end in parts.items()
        }
    return {
        "all": names,
        "two classes": [dataset.name for dataset in datasets if dataset.n_classes == 2],
        "more classes": [dataset.name for dataset in datasets if dataset.n_classes > 2],
    }


def _row(table: Table, kind: str, ours: str, other: str) -> dict[str, str | int]:
    row: dict[str, str | int] = {"strategy": ours, "minus": other, "data sets": kind}
    for metric in METRICS:
        found = compare(table, ours, other, control=other, column=f"area_{metric}")
        row[metric.replace("_", " ")] = show_interval(found.interval)
        row[f"won / level / lost, {metric.replace('_', ' ')}"] = (
            f"{found.wins} / {found.ties} / {found.losses}"
        )
    return row


def _row_at(table: Table, labels: int, ours: str, other: str) -> dict[str, str | int]:
    """Return the differences at a number of labels, on the data sets whose runs go on that far."""
    part = table[table["n_labels"] == labels]
    row: dict[str, str | int] = {"strategy": ours, "minus": other, "labels": labels}
    row["data sets"] = int(part["dataset"].nunique())
    for metric in METRICS:
        found = compare(part, ours, other, control=other, column=metric)
        row[metric.replace("_", " ")] = show_interval(found.interval)
    return row


main = Benchmark("compare", Config, run)
