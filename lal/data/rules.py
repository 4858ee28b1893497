"""Generators modelled on real tables: rules over few-valued columns, and common factors."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.data.drawing import draw_codes

MOST_LEVELS = 6
"""Levels of a column, where it is not one of very few."""

FEW = 4
"""Columns that are so few that their levels have to be more."""

FACTORIAL = 8
"""A full factorial of up to so many times the wanted rows is sampled without replacement."""


def rules(rng: np.random.Generator, n: int, d: int, shares: Floats) -> tuple[Floats, Ints]:
    """Classes by a fixed rule over ordinal or categorical columns of few levels.

    The rule is a weighted score cut at the shares, the same score under a veto (the worst of two
    groups of columns counts, like the car evaluation of Bohanec and Rajkovic 1988), or a decision
    list. Rows are a sample of the full factorial where that is small enough. Columns hold levels
    0, 1, ... or, from four columns up, mostly one 0/1 column a level.
    """
    one_hot = d >= 4 and rng.random() < 0.6
    sizes = _level_counts(rng, n, d, one_hot=one_hot)
    level = _level_rows(rng, n, sizes)
    form = rng.random()
    if form < 0.4:
        y = cut_at_shares(_score(rng, level, sizes), shares, rng)
    elif form < 0.7:
        y = cut_at_shares(_vetoed(rng, level, sizes), shares, rng)
    else:
        y = _decision_list(rng, level, sizes, shares)
    return (_indicators(level, sizes, d) if one_hot else level.astype(np.float64)), y


def _level_counts(rng: np.random.Generator, n: int, d: int, *, one_hot: bool) -> Ints:
    """Return the levels of each column; one-hot columns fill the width of d, the last may not.

    Few columns get as many levels as it takes for the rows to differ.
    """
    if not one_hot:
        counts = rng.integers(2, MOST_LEVELS + 1, size=d)
        while d <= FEW and np.prod(counts) < 1.2 * n:
            counts[rng.integers(d)] += 1
        return counts
    sizes: list[int] = []
    while sum(sizes) < d:
        sizes.append(min(int(rng.integers(2, MOST_LEVELS)), max(d - sum(sizes), 2)))
    return np.array(sizes, dtype=np.int64)


def _level_rows(rng: np.random.Generator, n: int, sizes: Ints) -> Ints:
    """Return n rows of levels: of the full factorial if it is small, else of random odds."""
    combinations = float(np.prod(sizes.astype(np.float64)))
    if n <= combinations <= FACTORIAL * n:
        picked = rng.choice(int(combinations), size=n, replace=False)
        return np.stack(np.unravel_index(picked, tuple(sizes.tolist())), axis=1).astype(np.int64)
    alpha = rng.uniform(0.7, 8.0)
    columns = [rng.choice(k, size=n, p=rng.dirichlet(np.full(k, alpha))) for k in sizes.tolist()]
    return np.stack(columns, axis=1).astype(np.int64)


def _worth(rng: np.random.Generator, level: Ints, sizes: Ints) -> Floats:
    """Return what each level is worth, shape (n, columns): rising with it in most columns."""
    worth = np.empty(level.shape)
    for j, k in enumerate(sizes.tolist()):
        values = np.sort(rng.random(k)) if rng.random() < 0.7 else rng.random(k)
        worth[:, j] = values[level[:, j]]
    return worth


def _score(rng: np.random.Generator, level: Ints, sizes: Ints) -> Floats:
    """Return a weighted sum over some columns, weights of either sign and unequal size."""
    weights = rng.gamma(1.0, size=len(sizes)) * rng.choice([-1.0, 1.0], size=len(sizes))
    total: Floats = _worth(rng, level, sizes) @ weights
    return total


def _vetoed(rng: np.random.Generator, level: Ints, sizes: Ints) -> Floats:
    """Return the worst of two groups' sums, each relative to its own spread."""
    worth = _worth(rng, level, sizes) * rng.gamma(2.0, size=len(sizes))
    first = rng.permutation(len(sizes)) < max(len(sizes) // 2, 1)
    sums = np.stack([worth[:, first].sum(axis=1), worth[:, ~first].sum(axis=1)])
    scaled = (sums - sums.mean(axis=1, keepdims=True)) / (sums.std(axis=1, keepdims=True) + 1e-12)
    worst: Floats = scaled.min(axis=0)
    return worst


def cut_at_shares(score: Floats, shares: Floats, rng: np.random.Generator) -> Ints:
    """Return codes by thresholds on a score, classes in random order; equal scores, equal codes."""
    order = rng.permutation(len(shares))
    edges = np.quantile(score, np.clip(np.cumsum(shares[order])[:-1], 0.0, 1.0))
    codes: Ints = order[np.searchsorted(edges, score, side="left")]
    return codes


def _decision_list(rng: np.random.Generator, level: Ints, sizes: Ints, shares: Floats) -> Ints:
    """Return codes by the first rule that fires; each goes to the class that lacks most rows."""
    n, width = level.shape
    y = np.full(n, -1, dtype=np.int64)
    lack = shares * n
    default = int(np.argmax(shares))
    for _ in range(int(rng.integers(2, 6)) * len(shares)):
        fires = y < 0
        for j in rng.choice(width, size=min(width, int(rng.integers(1, 4))), replace=False):
            fires &= (rng.random(int(sizes[j])) < 0.5)[level[:, j]]
        wanted = np.where(np.arange(len(shares)) == default, -np.inf, lack)
        owner = int(np.argmax(wanted))
        if fires.sum() <= 1.5 * lack[owner]:
            y[fires] = owner
            lack[owner] -= fires.sum()
    y[y < 0] = default
    return y


def _indicators(level: Ints, sizes: Ints, d: int) -> Floats:
    """Return one 0/1 column a level, cut to d columns."""
    blocks = [level[:, [j]] == np.arange(k) for j, k in enumerate(sizes.tolist())]
    return np.concatenate(blocks, axis=1)[:, :d].astype(np.float64)


def factors(rng: np.random.Generator, n: int, d: int, shares: Floats) -> tuple[Floats, Ints]:
    """One or two clusters a class in a few latent factors, which all columns are measures of.

    Like measurements of plants, cells or vehicles: correlated columns, little noise, classes that
    a linear rule nearly tells apart.
    """
    y = draw_codes(rng, n, shares)
    rank = min(d, int(rng.integers(2, 13)))
    n_clusters = int(rng.integers(1, 3))
    which = y * n_clusters + rng.integers(n_clusters, size=n)
    separation = rng.uniform(1.5, 6.0) / np.sqrt(rank)
    centres = rng.normal(size=(len(shares) * n_clusters, rank)) * separation * np.sqrt(2.0)
    latent = centres[which] + rng.normal(size=(n, rank))
    latent *= np.exp(rng.normal(0.0, 0.5, size=rank))
    X = latent @ rng.normal(size=(rank, d)) / np.sqrt(rank)
    noise = rng.uniform(0.02, 0.5)
    rows: Floats = X + noise * X.std() * rng.normal(size=(n, d))
    return rows / (rows.std() + 1e-12), y
