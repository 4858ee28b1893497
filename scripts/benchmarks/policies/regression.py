"""Regression policies and rules side by side: areas of RMSE relative to random, paired.

``python -m scripts.benchmark regression`` evaluates the shipped policy and the rules on the suite
``regression`` and on columns of further tables (``--columns FILE.npz:COLUMN``). A difference is the
paired difference of the areas under the RMSE curves in per cent of random's mean area on that data
set; higher is better. It can be stopped and run again at any time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lal.data.dataset import Dataset, make_dataset
from lal.data.families import get_family
from lal.data.regression_sets import REGRESSION_NAMES
from lal.errors import UsageError
from lal.evaluation import EvaluationConfig, evaluate
from lal.evaluation.analysis.bootstrap import Paired, bootstrap_interval
from lal.evaluation.analysis.tables import Table, paired, set_areas
from lal.task_kind import REGRESSION
from scripts.benchmarks.base import Benchmark, Results

AREA = "area_neg_rmse"

LEVEL = 1.0
"""Per cent of random's area within which two methods count as level on a data set."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is compared on what."""

    policy: str = "default-regression"
    """Policy (shipped name or file); label=... names it."""

    against: tuple[str, ...] = ("random", "improved_greedy_sampling", "predictive_variance")
    """Rules that it is compared with."""

    untrained: tuple[str, ...] = ()
    """Untrained copies of the policy, files; their mean is one control."""

    shuffled: str = ""
    """A copy trained on shuffled gains, a file."""

    suite: tuple[str, ...] = REGRESSION_NAMES
    """Suites or data sets."""

    columns: tuple[str, ...] = ()
    """Further data sets, FILE:COLUMN: a .npz with X and feature_names, and what to predict."""

    learners: tuple[str, ...] = ("gp",)
    """Learners by name."""

    runs: int = 20
    """Paired runs of every data set and learner."""

    budget: int = 30
    """Labels acquired after the first two."""

    max_pool: int = 200
    """Larger pools are sub-sampled."""

    out: Path = Path("runs/regression")
    """Run store; finished runs in it are never repeated."""

    jobs: int = 2
    """Processes."""


def run(config: Config, results: Results) -> None:
    """Add the table of areas, and one row per comparison."""
    policy = config.policy.partition("=")[0]
    copies = {f"untrained{i}": path for i, path in enumerate(config.untrained)}
    extra = [f"{label}={path}" for label, path in copies.items()]
    extra += [f"shuffled={config.shuffled}"] if config.shuffled else []
    found = evaluate(
        EvaluationConfig(
            task=REGRESSION,
            suite=config.suite,
            strategies=(*config.against, config.policy, *extra),
            learners=config.learners,
            runs=config.runs,
            budget=config.budget,
            max_pool=config.max_pool,
            out=config.out,
            jobs=config.jobs,
        ),
        data=[column_dataset(spec) for spec in config.columns],
        command="python -m scripts.benchmark regression",
    )
    table = found.table
    controls: dict[str, Sequence[str]] = {name: (name,) for name in config.against}
    if copies:
        controls["untrained"] = tuple(copies)
    if config.shuffled:
        controls["shuffled"] = ("shuffled",)
    for name, members in controls.items():
        results.add("gains", _gain_row(table, policy, name, members))
    for row in _area_rows(table, [*config.against, policy]):
        results.add("areas", row)


def column_dataset(spec: str) -> Dataset:
    """Return the data set that predicts one column of a table of numbers.

    Raises:
        UsageError: The text is not FILE:COLUMN, or there is no such column.
    """
    path, colon, column = spec.rpartition(":")
    if not colon:
        raise UsageError(f"expected FILE.npz:COLUMN, got {spec!r}")
    with np.load(path, allow_pickle=False) as file:
        names, X = [str(n) for n in file["feature_names"]], np.asarray(file["X"], np.float64)
    if column not in names:
        raise UsageError(f"{path} has no column {column!r}; it has {', '.join(names)}")
    place = names.index(column)
    return make_dataset(
        f"{Path(path).stem}-{column}",
        np.delete(X, place, axis=1),
        X[:, place],
        source=f"file:{spec}",
        family=get_family(f"dev:{Path(path).stem}"),
        task=REGRESSION,
    )


def relative(table: Table, first: str, second: Sequence[str]) -> Paired:
    """Return paired gains of area in per cent of random's mean area on the same data set."""
    difference = paired(table, first, list(second), AREA)
    random = -set_areas(table, AREA)["random"]
    size = np.array([float(random[name]) for name in difference.names])
    return replace(difference, values=100.0 * difference.values / size[difference.dataset])


def _gain_row(table: Table, policy: str, name: str, members: Sequence[str]) -> Mapping[str, str]:
    sample = relative(table, policy, members)
    rng = np.random.default_rng(0)
    new, these = (bootstrap_interval(sample, rng, scope=s) for s in ("new_sets", "these_sets"))
    means = sample.set_means()
    won, lost = int((means > LEVEL).sum()), int((means < -LEVEL).sum())
    return {
        "policy": policy,
        "minus": name,
        "per cent of random's RMSE area": f"{new.mean:+.2f} [{new.low:+.2f}, {new.high:+.2f}]",
        "these data sets only": f"[{these.low:+.2f}, {these.high:+.2f}]",
        "won / level / lost": f"{won} / {len(means) - won - lost} / {lost}",
        "runs": str(len(sample)),
    }


def _area_rows(table: Table, methods: Sequence[str]) -> Iterator[Mapping[str, str]]:
    areas = -set_areas(table, AREA)
    for dataset, row in areas.iterrows():
        shown = {m: f"{100.0 * float(row[m]) / float(row['random']):.1f}" for m in methods}
        yield {"data set": str(dataset), "random, units of y": f"{float(row['random']):.4g}", **{
            m: text for m, text in shown.items() if m != "random"}}  # fmt: skip


main = Benchmark("regression", Config, run)
