"""Tables: the tidy long table of a store, and paired differences taken from it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from lal.curve import aubc
from lal.errors import UsageError
from lal.evaluation.analysis import metrics
from lal.evaluation.analysis.bootstrap import Paired
from lal.evaluation.runs.methods import FULL_LABEL, RESERVED, Role, read_methods
from lal.evaluation.runs.run import DONE, RunResult
from lal.evaluation.runs.store import RunStore, read_results
from lal.registry import require

Table: TypeAlias = Any
"""A pandas data frame; pandas comes with the extra ``tables``."""

HORIZONS = (25, 100)
"""Labels after the start over which areas are also taken."""

ACCURACIES = ("accuracy", "balanced_accuracy")
"""Metrics between chance level, 1/C, and 1: areas over log2 of the labels are taken of these."""

PAIRED_BY = ["dataset", "learner", "split", "start"]
"""Columns that name what methods are paired over."""


def read_table(store: RunStore) -> Table:
    """Return the runs of a store's latest evaluation as a tidy data frame; see `long_table`.

    Areas are of the latest evaluation's headline metric, whichever it was when a run was executed:
    runs keep the curves of all metrics.
    """
    manifest = store.manifest()
    roles = {method.label: method.role for method in read_methods(manifest)}
    results: Iterable[RunResult] = read_results(store, store.listed()).values()
    headline = manifest.get("protocol", {}).get("metric")
    if headline is not None:
        results = [replace(r, about={**r.about, "metric": headline}) for r in results]
    return long_table(results, roles)


def long_table(results: Iterable[RunResult], roles: Mapping[str, Role] | None = None) -> Table:
    """Return one row per point of every run; runs without a curve have one row without values.

    Columns: run_key, dataset, family, learner, split, start, strategy, role, status, n_labels, one
    column per metric, ``area_<metric>``, ``area``, ``area_25``, ``area_100`` and ``area_all_seen``
    of the headline metric (nan where a curve is too short), ``area_all_seen_<metric>`` and
    ``area_log_<metric>`` (over log2 of the labels, 0 at chance) of the accuracies, seconds,
    query_seconds, query_p95, error.

    Args:
        results: Runs.
        roles: What each method is for, by label; hand-written strategies when not listed.
    """
    pandas = require("pandas", "tables")
    known: dict[str, Role] = {**(roles or {}), **RESERVED}
    frames = [_run_columns(result, known) for result in results]
    if not frames:
        raise UsageError("the run store holds no runs")
    names = list(dict.fromkeys(name for frame in frames for name in frame))
    sizes = [len(frame["n_labels"]) for frame in frames]
    columns = {name: _column(name, frames, sizes) for name in names}
    table = pandas.DataFrame(columns)
    order = ["strategy", *PAIRED_BY, "n_labels"]
    return table.sort_values(order, kind="stable", ignore_index=True)


def _column(name: str, frames: Sequence[dict[str, Any]], sizes: Sequence[int]) -> list[Any]:
    column: list[Any] = []
    for frame, size in zip(frames, sizes, strict=True):
        value = frame.get(name, float("nan"))
        column.extend(value if isinstance(value, list) else [value] * size)
    return column


def _run_columns(result: RunResult, roles: Mapping[str, Role]) -> dict[str, Any]:
    scalars = {
        "run_key": result.key,
        **{k: _number(v) for k, v in result.about.items()},
        "role": roles.get(result.about["strategy"], "strategy"),
        "status": result.status,
        "seconds": result.seconds,
        "query_seconds": result.query_seconds,
        "query_p95": result.query_p95,
        "error": result.error,
    }
    if result.status != DONE:
        return {**scalars, "n_labels": [-1]}
    points = {name: values.tolist() for name, values in result.metrics.items()}
    return {**scalars, **areas(result), "n_labels": result.n_labels.tolist(), **points}


def _number(value: Any) -> Any:
    return float("nan") if value is None else value


def areas(result: RunResult) -> dict[str, float]:
    """Return the areas of a finished run, by column."""
    n, headline = result.n_labels, result.metrics[result.about["metric"]]
    seen = result.about.get("n_all_seen")
    named = [name for name in ACCURACIES if name in result.metrics and n[0] >= 1]
    chance = 1 / (
        result.about.get("n_classes", 2) or 2
    )  # no classes, and no accuracies, in regression
    return {
        **{f"area_{name}": aubc(n, values) for name, values in result.metrics.items()},
        "area": aubc(n, headline),
        **{f"area_{h}": metrics.area_until(n, headline, h) for h in HORIZONS},
        "area_all_seen": metrics.area_from(n, headline, seen),
        **{f"area_all_seen_{m}": metrics.area_from(n, result.metrics[m], seen) for m in named},
        **{f"area_log_{m}": metrics.log_area(n, result.metrics[m], chance) for m in named},
    }


def run_rows(table: Table) -> Table:
    """Return one row per run."""
    return table.drop_duplicates("run_key").reset_index(drop=True)


def list_strategies(table: Table) -> list[str]:
    """Return the methods of a table, sorted, without the full-label reference."""
    return sorted(s for s in table["strategy"].unique() if s != FULL_LABEL)


def get_roles(table: Table) -> dict[str, Role]:
    """Return what each method of a table is for, by label."""
    rows = table.drop_duplicates("strategy")
    if "role" not in rows:
        return {str(s): RESERVED.get(str(s), "strategy") for s in rows["strategy"]}
    return dict(zip(rows["strategy"], rows["role"], strict=True))


def drop_seen(table: Table, families: Iterable[str]) -> Table:
    """Return the table without the data sets of some families."""
    return table[~table["family"].isin(list(families))]


def paired(table: Table, first: str, second: str | Sequence[str], column: str = "area") -> Paired:
    """Return the differences of two strategies over the runs that both finished.

    Args:
        table: A long table or one row per run.
        first: Strategy.
        second: Strategy to subtract, or several whose mean is subtracted (a run counts when all
            of them finished it).
        column: Area to compare.

    Raises:
        UsageError: A strategy is not in the table, or no run was finished by all.
    """
    others = [second] if isinstance(second, str) else list(second)
    rows = run_rows(table)
    _check_known(rows, [first, *others])
    done = rows[(rows["status"] == DONE) & rows["strategy"].isin([first, *others])]
    if done.duplicated(["strategy", *PAIRED_BY]).any():
        raise UsageError(
            "the table holds several results of one run and strategy; take the runs of one "
            "protocol and one version of each policy"
        )
    wide = done.pivot(index=PAIRED_BY, columns="strategy", values=column)
    missing = [s for s in (first, *others) if s not in wide]
    both = wide[[first, *others]].dropna() if not missing else wide.iloc[:0]
    if len(both) == 0:
        raise UsageError(f"no run was finished by all of {', '.join([first, *others])}")
    families = rows.drop_duplicates("dataset").set_index("dataset")["family"]
    index = both.index.to_frame(index=False)
    names, dataset = np.unique(index["dataset"].to_numpy(dtype=str), return_inverse=True)
    kin = families.loc[index["dataset"]].to_numpy(dtype=str)
    return Paired(
        values=(both[first] - both[others].mean(axis=1)).to_numpy(dtype=np.float64),
        family=np.unique(kin, return_inverse=True)[1].astype(np.int64),
        dataset=dataset.astype(np.int64),
        learner=np.unique(index["learner"].to_numpy(dtype=str), return_inverse=True)[1],
        split=index["split"].to_numpy(dtype=np.int64),
        start=index["start"].to_numpy(dtype=np.int64),
        names=tuple(names.tolist()),
    )


def _check_known(rows: Table, wanted: Sequence[str]) -> None:
    known = set(rows["strategy"])
    if unknown := sorted(set(wanted) - known):
        raise UsageError(
            f"no results of {', '.join(unknown)}; the table has {', '.join(sorted(known))}"
        )


def set_areas(table: Table, column: str = "area") -> Table:
    """Return the mean area of every data set and strategy: learners first, then runs."""
    rows = run_rows(table)
    rows = rows[rows["status"] == DONE]
    by_run = rows.groupby(["strategy", "dataset", "split", "start"])[column].mean()
    return by_run.groupby(["strategy", "dataset"]).mean().unstack("strategy")


def failures(table: Table) -> Table:
    """Return the runs that failed or timed out."""
    rows = run_rows(table)
    return rows[rows["status"] != DONE]
