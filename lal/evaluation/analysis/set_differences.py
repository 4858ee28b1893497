"""Paired differences of single data sets, with their intervals over runs."""

from dataclasses import dataclass

import numpy as np

from lal.evaluation.analysis.bootstrap import bootstrap_interval
from lal.evaluation.analysis.tables import Table, paired
from lal.rng import generator


@dataclass(frozen=True)
class SetDifference:
    """Mean paired difference on one data set with its 95 % interval over runs."""

    dataset: str
    mean: float
    low: float
    high: float


def set_differences(
    table: Table, first: str, second: str, column: str = "area", *, n_samples: int = 10_000
) -> list[SetDifference]:
    """Return the paired differences of two methods by data set, largest first.

    Splits and the starts on them are resampled within each data set.
    """
    sample = paired(table, first, second, column)
    found = []
    for code in np.unique(sample.dataset):
        one, name = sample.where(sample.dataset == code), sample.names[code]
        rng = generator(0, "set difference", name)
        interval = bootstrap_interval(one, rng, scope="these_sets", n_samples=n_samples)
        found.append(SetDifference(name, interval.mean, interval.low, interval.high))
    return sorted(found, key=lambda d: -d.mean)
