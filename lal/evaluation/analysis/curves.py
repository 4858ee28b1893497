"""Mean learning curves and per-set differences, ready to draw."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats
from lal.evaluation.analysis.bootstrap import Paired
from lal.evaluation.analysis.tables import Table, paired
from lal.evaluation.runs.cells import DONE

Z95 = 1.959964


@dataclass(frozen=True, eq=False)
class MeanCurve:
    """Mean over runs on a common grid of labels, with a pointwise 95 % interval; all (T,)."""

    strategy: str
    n: Floats
    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class SetDifference:
    """Mean paired difference on one data set with its interval over runs."""

    dataset: str
    mean: float
    low: float
    high: float


def mean_curves(
    table: Table, dataset: str, strategies: Sequence[str], metric: str
) -> list[MeanCurve]:
    """Return the mean curves of a data set over learners and runs.

    Starts differ in length, so curves are read at the label counts that all runs have in common.
    """
    rows = table[(table["dataset"] == dataset) & (table["status"] == DONE)]
    rows = rows[rows["strategy"].isin(list(strategies))]
    if len(rows) == 0:
        return []
    ends = rows.groupby("cell")["n_labels"].agg(["min", "max"])
    grid = np.arange(ends["min"].max(), ends["max"].min() + 1, dtype=np.float64)
    present = [s for s in strategies if (rows["strategy"] == s).any()]
    return [_mean_curve(rows[rows["strategy"] == s], s, metric, grid) for s in present if len(grid)]


def _mean_curve(rows: Table, strategy: str, metric: str, grid: Floats) -> MeanCurve:
    values = np.array(
        [
            np.interp(grid, cell["n_labels"].to_numpy(), cell[metric].to_numpy())
            for _, cell in rows.groupby("cell")
        ]
    )
    mean = values.mean(axis=0)
    half = Z95 * _standard_error(values)
    return MeanCurve(strategy, grid, mean, mean - half, mean + half)


def _standard_error(values: Floats) -> Floats:
    n = len(values)
    if n < 2:
        return np.zeros(values.shape[1:])
    error: Floats = values.std(axis=0, ddof=1) / np.sqrt(n)
    return error


def set_differences(
    table: Table, first: str, second: str, column: str = "area"
) -> list[SetDifference]:
    """Return the paired differences of two strategies by data set, largest first."""
    sample = paired(table, first, second, column).over_learners()
    found = [_difference(sample, code) for code in np.unique(sample.dataset)]
    return sorted(found, key=lambda d: -d.mean)


def _difference(sample: Paired, code: int) -> SetDifference:
    values = sample.values[sample.dataset == code]
    mean = float(values.mean())
    half = Z95 * float(_standard_error(values[:, None])[0])
    return SetDifference(sample.names[code], mean, mean - half, mean + half)
