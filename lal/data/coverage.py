"""Coverage: do the statistics of real tables lie within the range of the synthetic prior?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats, Ints
from lal.data.dataset import Dataset
from lal.data.encoding import fit_encoder
from lal.rng import generator, integer_seed

LABELS = (10, 50, 200)
"""Numbers of labels at which accuracy is measured."""

MAX_ROWS = 1000
"""Larger data sets are sub-sampled."""


@dataclass(frozen=True)
class Uncovered:
    """A statistic of a data set that lies outside the prior's range."""

    dataset: str
    statistic: str
    value: float
    low: float
    high: float


def statistics(dataset: Dataset, *, seed: int = 0) -> dict[str, float]:
    """Return summary statistics of a data set.

    `classes`, `columns` (logarithms), `smallest_class` (share), `imbalance` (one minus the
    normalised entropy of the classes), `intrinsic_dimension` (participation ratio of the principal
    variances, logarithm), `accuracy_10`, `accuracy_50`, `accuracy_200` (nearest-neighbour, in units
    of the way from the majority share to 1), and `linearity` (accuracy of ridge classification
    minus that of nearest neighbours at the largest number of labels).

    Args:
        dataset: At least 30 rows.
        seed: Seed of the sub-sample and the labels drawn.
    """
    rng = generator(seed, "coverage")
    rows = rng.permutation(len(dataset))[:MAX_ROWS]
    Z = np.clip(fit_encoder(dataset.X[rows]).transform(dataset.X[rows]), -5.0, 5.0)
    y = dataset.y[rows]
    shares = np.bincount(dataset.y) / len(dataset)
    found = {
        "classes": float(np.log(dataset.n_classes)),
        "columns": float(np.log(Z.shape[1])),
        "smallest_class": float(shares.min()),
        "imbalance": float(1 + np.sum(shares * np.log(shares)) / np.log(len(shares))),
        "intrinsic_dimension": float(np.log(participation_ratio(Z))),
    }
    return found | _accuracies(Z, y, integer_seed(seed, "coverage", "fits"))


def participation_ratio(Z: Floats) -> float:
    """Return (sum of principal variances)^2 / sum of their squares: D if round, 1 if a line."""
    centred = Z - Z.mean(axis=0)
    small = centred.T @ centred if Z.shape[1] <= len(Z) else centred @ centred.T
    return float(np.trace(small) ** 2 / max(np.sum(small * small), 1e-300))


def _accuracies(Z: Floats, y: Ints, seed: int) -> dict[str, float]:
    """Return learner statistics, each the mean over three draws of the labels."""
    draws = [_one_draw(Z, y, seed + k) for k in range(3)]
    return {key: float(np.mean([d[key] for d in draws])) for key in draws[0]}


def _one_draw(Z: Floats, y: Ints, seed: int) -> dict[str, float]:
    order = np.random.default_rng(seed).permutation(len(y))
    n_test = max(len(y) // 3, 10)
    test, rest = order[:n_test], order[n_test:]
    majority = float(np.bincount(y).max() / len(y))
    gain: dict[str, float] = {}
    for n in LABELS:
        seen = rest[:n]
        accuracy = float(np.mean(_nearest(Z[seen], y[seen], Z[test]) == y[test]))
        gain[f"accuracy_{n}"] = (accuracy - majority) / (1 - majority)
    seen = rest[: LABELS[-1]]
    straight = float(np.mean(_linear(Z[seen], y[seen], Z[test]) == y[test]))
    return gain | {"linearity": straight - accuracy}


def _nearest(Z: Floats, y: Ints, wanted: Floats) -> Ints:
    distance = (Z * Z).sum(axis=1)[None] - 2 * wanted @ Z.T
    nearest: Ints = y[np.argmin(distance, axis=1)]
    return nearest


def _linear(Z: Floats, y: Ints, wanted: Floats) -> Ints:
    """Predict by ridge regression on one-hot targets: a linear rule in closed form."""
    targets = np.eye(int(y.max()) + 1)[y]
    X = np.c_[Z, np.ones(len(Z))]
    weights = np.linalg.solve(X.T @ X + 1.0 * np.eye(X.shape[1]), X.T @ targets)
    codes: Ints = np.argmax(np.c_[wanted, np.ones(len(wanted))] @ weights, axis=1)
    return codes


def uncovered(
    datasets: Iterable[Dataset], prior: Sequence[Mapping[str, float]], *, tail: float = 0.0
) -> list[Uncovered]:
    """Return the statistics of data sets that lie outside the prior's range.

    Args:
        datasets: What should be covered.
        prior: `statistics` of draws of the prior.
        tail: Share of draws cut off at either end of the range.
    """
    ranges = {key: np.quantile([s[key] for s in prior], [tail, 1 - tail]) for key in prior[0]}
    found = []
    for dataset in datasets:
        for key, value in statistics(dataset).items():
            low, high = ranges[key]
            if not low <= value <= high:
                found.append(Uncovered(dataset.name, key, value, float(low), float(high)))
    return found
