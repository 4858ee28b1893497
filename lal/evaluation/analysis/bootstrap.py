"""Bootstrap intervals over families, data sets, splits and starts, with our own generator."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lal.arrays import Bools, Floats, Ints
from lal.errors import UsageError

Scope = Literal["new_sets", "these_sets"]
"""What a claim is about: unseen data sets, or the listed ones with fresh runs."""

LEVELS = 4
CHUNK = 256


@dataclass(frozen=True, eq=False)
class Paired:
    """Paired differences and where each came from; all arrays have shape (n,).

    Attributes:
        values: Difference of one run, higher favours the first strategy.
        family, dataset, learner, split, start: Codes.
        names: Names of the data sets, by code.
    """

    values: Floats
    family: Ints
    dataset: Ints
    learner: Ints
    split: Ints
    start: Ints
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of paired runs."""
        return len(self.values)

    def set_means(self) -> Floats:
        """Return the mean over learners, then runs, of every data set, ordered by code, (D,)."""
        leaves = self.over_learners()
        return np.array(
            [leaves.values[leaves.dataset == d].mean() for d in np.unique(leaves.dataset)]
        )

    def over_learners(self) -> "Paired":
        """Return the differences averaged over learners within each run."""
        keys = np.stack([self.family, self.dataset, self.split, self.start], axis=1)
        runs, back = np.unique(keys, axis=0, return_inverse=True)
        back = back.reshape(-1)
        means = np.bincount(back, self.values) / np.bincount(back)
        zeros = np.zeros(len(runs), dtype=np.int64)
        return Paired(means, runs[:, 0], runs[:, 1], zeros, runs[:, 2], runs[:, 3], self.names)

    def where(self, mask: Bools) -> "Paired":
        """Return the runs of a mask."""
        return Paired(
            values=self.values[mask],
            family=self.family[mask],
            dataset=self.dataset[mask],
            learner=self.learner[mask],
            split=self.split[mask],
            start=self.start[mask],
            names=self.names,
        )


@dataclass(frozen=True)
class Interval:
    """A mean with its interval."""

    mean: float
    low: float
    high: float
    level: float
    scope: str


def bootstrap_interval(
    paired: Paired,
    rng: np.random.Generator,
    *,
    scope: Scope = "new_sets",
    n_samples: int = 10_000,
    level: float = 0.95,
) -> Interval:
    """Return the mean over data sets of the paired differences, with a percentile interval.

    Args:
        paired: Differences; the unit is the data set, learners are averaged within a run.
        rng: Source of all draws.
        scope: ``"new_sets"`` resamples families, sets within them, splits, starts;
            ``"these_sets"`` keeps the sets and resamples splits and starts only.
        n_samples: Bootstrap samples.
        level: Coverage.
    """
    if len(paired) == 0:
        raise UsageError("there are no paired runs to take an interval of")
    means = resampled_means(paired, rng, scope=scope, n_samples=n_samples)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(paired.set_means().mean()), float(low), float(high), level, scope)


def resampled_means(
    paired: Paired, rng: np.random.Generator, *, scope: Scope, n_samples: int
) -> Floats:
    """Return the mean over data sets in every bootstrap sample, shape (n_samples,)."""
    leaves = paired.over_learners()
    tree = _Tree.of(leaves)
    means = [
        tree.draw(rng, min(CHUNK, n_samples - done), fixed_sets=scope == "these_sets")
        for done in range(0, n_samples, CHUNK)
    ]
    return np.concatenate(means)


@dataclass(frozen=True, eq=False)
class _Tree:
    """Families > sets > splits > starts; node i of a level owns a run of the next level's nodes."""

    first: tuple[Ints, ...]
    count: tuple[Ints, ...]
    values: Floats

    @classmethod
    def of(cls, leaves: Paired) -> "_Tree":
        columns = [leaves.family, leaves.dataset, leaves.split, leaves.start]
        order = np.lexsort(columns[::-1])
        keys = np.stack(columns, axis=1)[order]
        first, count = [], []
        parents = np.zeros(len(keys), dtype=np.int64)
        for depth in range(1, LEVELS + 1):
            _, begin = np.unique(keys[:, :depth], axis=0, return_index=True)
            _, at, size = np.unique(parents[begin], return_index=True, return_counts=True)
            first.append(at)
            count.append(size)
            parents = np.searchsorted(begin, np.arange(len(keys)), side="right") - 1
        return cls(tuple(first), tuple(count), leaves.values[order])

    def draw(self, rng: np.random.Generator, n: int, *, fixed_sets: bool) -> Floats:
        """Return `n` resampled means over sets."""
        nodes = np.zeros(n, dtype=np.int64)
        sample = np.arange(n)
        weight = np.ones(n)
        for depth in range(LEVELS):
            kept = fixed_sets and depth < 2
            parent = np.repeat(np.arange(len(nodes)), self.count[depth][nodes])
            size = self.count[depth][nodes[parent]]
            place = np.arange(len(parent)) - np.searchsorted(parent, parent)
            offset = place if kept else rng.integers(0, size)
            weight = weight[parent] / (size if depth >= 2 else 1)
            sample = sample[parent]
            nodes = self.first[depth][nodes[parent]] + offset
        total = np.bincount(sample, weight * self.values[nodes], minlength=n)
        return total / np.bincount(sample, weight, minlength=n)
