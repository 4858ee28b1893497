"""Tables: the tidy long table of a store, and paired differences taken from it."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from lal.curve import aubc
from lal.errors import UsageError
from lal.evaluation.analysis import metrics
from lal.evaluation.analysis.bootstrap import Paired
from lal.evaluation.runs.cells import DONE, CellResult
from lal.evaluation.runs.methods import FULL_LABEL
from lal.registry import require

Table: TypeAlias = Any
"""A pandas data frame; pandas comes with the extra ``tables``."""

HORIZONS = (25, 100)
"""Labels after the start over which areas are also taken."""

ACCURACIES = ("accuracy", "balanced_accuracy")
"""Metrics between chance level, 1/C, and 1: areas over log2 of the labels are taken of these."""

RUN = ["dataset", "learner", "split", "start"]
"""Columns that name a run: strategies are paired over them."""


def long_table(results: Iterable[CellResult]) -> Table:
    """Return one row per point of every cell; cells without a curve have one row without values.

    Columns: cell, dataset, family, learner, split, start, strategy, status, n_labels, one column
    per metric, ``area_<metric>``, ``area``, ``area_25``, ``area_100`` and ``area_all_seen`` of
    the headline metric (nan where a curve is too short), ``area_all_seen_<metric>`` and
    ``area_log_<metric>`` (over log2 of the labels, 0 at chance) of the accuracies, seconds,
    query_seconds, query_p95, error.
    """
    pandas = require("pandas", "tables")
    frames = [_cell_columns(result) for result in results]
    if not frames:
        raise UsageError("the run store holds no cells")
    names = list(dict.fromkeys(name for frame in frames for name in frame))
    sizes = [len(frame["n_labels"]) for frame in frames]
    columns = {name: _column(name, frames, sizes) for name in names}
    table = pandas.DataFrame(columns)
    return table.sort_values(["strategy", *RUN, "n_labels"], kind="stable", ignore_index=True)


def _column(name: str, frames: Sequence[dict[str, Any]], sizes: Sequence[int]) -> list[Any]:
    column: list[Any] = []
    for frame, size in zip(frames, sizes, strict=True):
        value = frame.get(name, float("nan"))
        column.extend(value if isinstance(value, list) else [value] * size)
    return column


def _cell_columns(result: CellResult) -> dict[str, Any]:
    scalars = {
        "cell": result.key,
        **{k: _number(v) for k, v in result.about.items()},
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


def areas(result: CellResult) -> dict[str, float]:
    """Return the areas of a finished cell, by column."""
    n, headline = result.n_labels, result.metrics[result.about["metric"]]
    seen = result.about.get("n_all_seen")
    named = [name for name in ACCURACIES if name in result.metrics and n[0] >= 1]
    chance = 1 / result.about.get("n_classes", 2)
    return {
        **{f"area_{name}": aubc(n, values) for name, values in result.metrics.items()},
        "area": aubc(n, headline),
        **{f"area_{h}": metrics.area_until(n, headline, h) for h in HORIZONS},
        "area_all_seen": metrics.area_from(n, headline, seen),
        **{f"area_all_seen_{m}": metrics.area_from(n, result.metrics[m], seen) for m in named},
        **{f"area_log_{m}": metrics.log_area(n, result.metrics[m], chance) for m in named},
    }


def cell_rows(table: Table) -> Table:
    """Return one row per cell."""
    return table.drop_duplicates("cell").reset_index(drop=True)


def strategies_of(table: Table) -> list[str]:
    """Return the strategies of a table, sorted, without the full-label reference."""
    return sorted(s for s in table["strategy"].unique() if s != FULL_LABEL)


def drop_seen(table: Table, families: Iterable[str]) -> Table:
    """Return the table without the data sets of some families."""
    return table[~table["family"].isin(list(families))]


def paired(table: Table, first: str, second: str | Sequence[str], column: str = "area") -> Paired:
    """Return the differences of two strategies over the runs that both finished.

    Args:
        table: A long table or one row per cell.
        first: Strategy.
        second: Strategy to take off, or several whose mean is taken off (a run counts when all
            of them finished it).
        column: Area to compare.

    Raises:
        UsageError: A strategy is not in the table, or no run was finished by all.
    """
    others = [second] if isinstance(second, str) else list(second)
    rows = cell_rows(table)
    _check_known(rows, [first, *others])
    done = rows[(rows["status"] == DONE) & rows["strategy"].isin([first, *others])]
    if done.duplicated(["strategy", *RUN]).any():
        raise UsageError(
            "the table holds several results of one run and strategy; take the cells of one "
            "protocol and one version of each policy"
        )
    wide = done.pivot(index=RUN, columns="strategy", values=column)
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
    rows = cell_rows(table)
    rows = rows[rows["status"] == DONE]
    by_run = rows.groupby(["strategy", "dataset", "split", "start"])[column].mean()
    return by_run.groupby(["strategy", "dataset"]).mean().unstack("strategy")


def failures(table: Table) -> Table:
    """Return the cells that failed or timed out."""
    rows = cell_rows(table)
    return rows[rows["status"] != DONE]
