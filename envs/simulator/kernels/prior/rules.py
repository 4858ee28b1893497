"""Rules over few-valued columns; the compiled form of `lal.data.rules.rules`."""

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import set_all
from envs.simulator.kernels.prior.draws import (
    between,
    choose,
    dirichlet,
    gamma,
    permutation,
    sort,
)
from envs.simulator.kernels.prior.rows import (
    mean_and_deviation,
    place_of_largest,
    running_sums,
    wanted,
)
from envs.simulator.kernels.random_numbers import below, uniform

MOST_LEVELS = 6
FEW = 4
FACTORIAL = 8


@kernel
def rules(state, n, d, shares):
    """Classes by a score, a score under a veto, or a decision list over levelled columns."""
    one_hot = d >= 4 and uniform(state) < 0.6
    sizes = level_counts(state, n, d, one_hot)
    level = level_rows(state, n, sizes)
    form = uniform(state)
    if form < 0.4:
        y = cut_at_shares(state, score(state, level, sizes), shares)
    elif form < 0.7:
        y = cut_at_shares(state, vetoed(state, level, sizes), shares)
    else:
        y = decision_list(state, level, sizes, shares)
    if not one_hot:
        plain = np.empty((n, d))
        for i in range(n):
            for j in range(d):
                plain[i, j] = level[i, j]
        return plain, y
    X = np.empty((n, d))
    for i in range(n):
        set_all(X[i], 0.0)
        first = 0
        for j in range(len(sizes)):
            if first + level[i, j] < d:
                X[i, first + level[i, j]] = 1.0
            first += sizes[j]
    return X, y


@kernel
def level_counts(state, n, d, one_hot):
    """Return the levels of each column."""
    sizes = np.empty(d, np.int64)
    if one_hot:
        used, total = 0, 0
        while total < d:
            sizes[used] = min(2 + below(state, MOST_LEVELS - 2), max(d - total, 2))
            total += sizes[used]
            used += 1
        kept = np.empty(used, np.int64)
        for j in range(used):
            kept[j] = sizes[j]
        return kept
    product = 1.0
    for j in range(d):
        sizes[j] = 2 + below(state, MOST_LEVELS - 1)
        product *= sizes[j]
    while d <= FEW and product < 1.2 * n:
        j = below(state, d)
        product *= (sizes[j] + 1.0) / sizes[j]
        sizes[j] += 1
    return sizes


@kernel
def level_rows(state, n, sizes):
    """Return n rows of levels: of the full factorial if it is small, else of random odds."""
    width = len(sizes)
    level = np.empty((n, width), np.int64)
    combinations = 1.0
    for j in range(width):
        combinations *= sizes[j]
    if n <= combinations <= FACTORIAL * n:
        places = permutation(state, np.int64(combinations))
        for i in range(n):
            place = places[i]
            for j in range(width - 1, -1, -1):
                level[i, j] = place % sizes[j]
                place //= sizes[j]
        return level
    alpha = between(state, 0.7, 8.0)
    for j in range(width):
        edges = running_sums(dirichlet(state, alpha, sizes[j]))
        for i in range(n):
            level[i, j] = choose(state, edges)
    return level


@kernel
def worths(state, sizes):
    """Return what each level of each column is worth, shape (columns, most levels)."""
    worth = np.empty((len(sizes), sizes[place_of_largest(sizes)]))
    for j in range(len(sizes)):
        values = np.empty(sizes[j])
        for k in range(sizes[j]):
            values[k] = uniform(state)
        if uniform(state) < 0.7:
            sort(values)
        for k in range(sizes[j]):
            worth[j, k] = values[k]
    return worth


@kernel
def score(state, level, sizes):
    """Return a weighted sum over the columns, weights of either sign."""
    worth = worths(state, sizes)
    for j in range(len(sizes)):
        weight = gamma(state, 1.0)
        signed = weight if uniform(state) < 0.5 else -weight
        for k in range(sizes[j]):
            worth[j, k] *= signed
    total = np.empty(len(level))
    for i in range(len(level)):
        total[i] = 0.0
        for j in range(len(sizes)):
            total[i] += worth[j, level[i, j]]
    return total


@kernel
def vetoed(state, level, sizes):
    """Return the worst of two groups' sums, each relative to its own spread."""
    n, width = level.shape
    worth = worths(state, sizes)
    for j in range(width):
        weight = gamma(state, 2.0)
        for k in range(sizes[j]):
            worth[j, k] *= weight
    order = permutation(state, width)
    sums = np.empty((2, n))
    for i in range(n):
        sums[0, i] = sums[1, i] = 0.0
        for j in range(width):
            group = 0 if order[j] < max(width // 2, 1) else 1
            sums[group, i] += worth[j, level[i, j]]
    for g in range(2):
        mean, spread = mean_and_deviation(sums[g])
        for i in range(n):
            sums[g, i] = (sums[g, i] - mean) / (spread + 1e-12)
    for i in range(n):
        sums[0, i] = min(sums[0, i], sums[1, i])
    return sums[0]


@kernel(fastmath=False)
def cut_at_shares(state, values, shares):
    """Return codes by thresholds on a score, classes in random order; equal scores, equal codes."""
    C, n = len(shares), len(values)
    order, ordered = permutation(state, C), np.empty(n)
    for i in range(n):
        ordered[i] = values[i]
    sort(ordered)
    edges = np.empty(C - 1)
    below_edge = 0.0
    for c in range(C - 1):
        below_edge = min(below_edge + shares[order[c]], 1.0)
        place = below_edge * (n - 1)
        low = np.int64(np.floor(place))
        high = low + 1 if low < n - 1 else low
        edges[c] = ordered[low] + (place - low) * (ordered[high] - ordered[low])
    codes = np.empty(n, np.int64)
    for i in range(n):
        place = 0
        for c in range(C - 1):
            place += edges[c] < values[i]
        codes[i] = order[place]
    return codes


@kernel
def decision_list(state, level, sizes, shares):
    """Return codes by the first rule that fires; each goes to the class that lacks most rows."""
    n, width = level.shape
    C = len(shares)
    y, fires, allowed = (
        np.empty(n, np.int64),
        np.empty(n, np.int64),
        np.empty(sizes[place_of_largest(sizes)]),
    )
    set_all(y, -1)
    lack = wanted(shares, n)
    default = place_of_largest(shares)
    for _ in range((2 + below(state, 4)) * C):
        for i in range(n):
            fires[i] = y[i] < 0
        columns = permutation(state, width)
        for k in range(min(width, 1 + below(state, 3))):
            j = columns[k]
            for v in range(sizes[j]):
                allowed[v] = uniform(state) < 0.5
            for i in range(n):
                fires[i] = fires[i] and allowed[level[i, j]]
        owner = -1
        for c in range(C):
            if c != default and (owner < 0 or lack[c] > lack[owner]):
                owner = c
        count = 0
        for i in range(n):
            count += fires[i]
        if count <= 1.5 * lack[owner]:
            for i in range(n):
                if fires[i]:
                    y[i] = owner
            lack[owner] -= count
    for i in range(n):
        if y[i] < 0:
            y[i] = default
    return y
