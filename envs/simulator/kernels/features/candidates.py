"""Candidate features: one number each about every row of a slate, filled column by column."""

import math

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import set_all
from envs.simulator.kernels.elementary import single_logarithm
from envs.simulator.kernels.features.distances import (
    class_gaps,
    distances_to_classes,
    neighbour_entropies,
    squash,
    uncovered_shares,
)
from envs.simulator.kernels.features.names import (
    DENSE_DOUBT,
    DENSITY,
    DISAGREEMENT,
    ENTROPY,
    GAP,
    HERDING,
    KNOWN_SINCE_PROBA,
    LEVERAGE,
    MARGIN,
    MARGIN_RANK,
    MARGIN_Z,
    MAX_PROBA,
    MEAN_DISTANCE,
    MEAN_RANK,
    MIN_DISTANCE,
    MIN_RANK,
    NEIGHBOUR_ENTROPY,
    NOVELTY,
    OTHER,
    PREDICTED,
    SCARCITY,
    SPREAD,
    STUDENTISED,
    UNCOVERED,
    UNCOVERED_DOUBT,
    VARIANCE,
    WIDE_RANK,
)
from envs.simulator.kernels.features.ranks import distance_keys, take_ranks, uncertainty_keys
from envs.simulator.kernels.layout import FOREST, GP, LOGISTIC

ZERO, ONE = np.float32(0.0), np.float32(1.0)


@kernel
def fill_candidates(
    s, known, slate, features, limits, out, free, distance, around, leverage, spread, variance
):
    """Fill the candidate features of one episode, one column at a time."""
    count, _, proba, near, shared, seen, _, _, _, _ = known
    K, F = len(slate), len(features)
    opened, slots = np.empty(K, np.int64), np.empty(K, np.int64)
    n = 0
    for k in range(K):
        if slate[k] >= 0:
            opened[n], slots[n] = slate[k], k
            n += 1
        else:
            set_all(out[k], ZERO)
    rows = opened[:n]
    columns = np.empty((F + 3 + 2 * seen, n), np.float32)
    uncovered, a, b = columns[F], columns[F + 1], columns[F + 2]
    close, likely = columns[F + 3 : F + 3 + seen], columns[F + 3 + seen :]
    _take_seen(near, count, rows, close)
    _take_seen(proba, count, rows, likely)
    covered = False
    scale = np.float32(s.scale)
    for f in range(F):
        kind, column = features[f], columns[f]
        by_uncertainty = kind == UNCOVERED_DOUBT
        needs_proba = (KNOWN_SINCE_PROBA >> kind) & 1
        if needs_proba and (seen < 2 or _unknown(kind, s.kind)):
            set_all(column, np.float32(limits[2, f]))
        elif kind <= MEAN_RANK:
            _pool_column(kind, rows, column, known)
        elif kind == GAP:
            class_gaps(close, a, b, column)
        elif kind == NEIGHBOUR_ENTROPY:
            neighbour_entropies(close, scale, seen, a, column)
        elif kind <= OTHER:
            distances_to_classes(likely, close, scale, kind == PREDICTED, a, column)
        elif by_uncertainty or kind == UNCOVERED:
            if not covered:
                uncovered_shares(distance, around, s, shared[4], rows, uncovered)
                covered = True
            for k in range(n):
                uncertainty = ONE - shared[2, rows[k]] if by_uncertainty else ONE
                column[k] = uncertainty * uncovered[k]
        elif kind >= HERDING:
            set_all(column, ZERO)  # a kernel by itself fills them, see `coverage`
        else:
            _other_column(kind, rows, column, known, free, leverage, spread, variance)
        low, high = np.float32(limits[0, f]), np.float32(limits[1, f])
        for k in range(n):
            column[k] = min(max(column[k], low), high)
    for k in range(n):
        row = out[slots[k]]
        for f in range(F):
            row[f] = columns[f, k]


@kernel
def _take_seen(table, count, rows, taken):
    """Write the entries of some rows for the seen classes, shape (seen, n)."""
    s = 0
    for c in range(table.shape[0]):
        if count[c] > 0:
            for k in range(len(rows)):
                taken[s, k] = table[c, rows[k]]
            s += 1


@kernel
def _unknown(kind, learner):
    """Whether a learner lacks what a feature needs: members, or a variance."""
    if kind == SPREAD:
        return learner != FOREST
    return kind == VARIANCE and learner != LOGISTIC and learner != GP


@kernel
def _take(values, rows, column):
    for k in range(len(rows)):
        column[k] = values[rows[k]]


@kernel
def _pool_column(kind, rows, column, known):
    """Fill features that are read off quantities of the pool, or ranks of them."""
    shared, reference, centre, width = known.shared, known.reference, known.centre, known.width
    first, margin, entropy, nearest = shared[0], shared[2], shared[3], shared[5]
    mean_distance = shared[7]
    if kind == MARGIN:
        _take(margin, rows, column)
    elif kind == MAX_PROBA:
        _take(first, rows, column)
    elif kind == ENTROPY:
        _take(entropy, rows, column)
    elif kind == MIN_DISTANCE:
        _take(nearest, rows, column)
    elif kind == MEAN_DISTANCE:
        _take(mean_distance, rows, column)
    elif kind == MARGIN_Z:
        for k in range(len(rows)):
            column[k] = (margin[rows[k]] - centre) / width if width >= 1e-9 else 0.0
    else:
        if kind == MARGIN_RANK:
            keys = uncertainty_keys(shared[9])
        elif kind == MIN_RANK:
            keys = distance_keys(nearest)
        else:
            keys = distance_keys(mean_distance)
        take_ranks(keys, rows, reference, column)
        if kind == MARGIN_RANK:
            for k in range(len(rows)):
                column[k] = ONE - column[k]


@kernel
def _other_column(kind, rows, column, known, free, leverage, spread, variance):
    """Fill the remaining features."""
    count, L, proba, _, shared, _, over, _, _, _ = known
    first, second, margin, entropy = shared[0], shared[1], shared[2], shared[3]
    reach, disagreement, least = shared[4], shared[6], np.float32(1e-6)
    n = len(rows)
    if kind <= WIDE_RANK:
        _take(free[kind - DENSITY], rows, column)
    elif kind == DISAGREEMENT:
        _take(disagreement, rows, column)
    elif kind == NOVELTY:
        for k in range(n):
            column[k] = squash(reach[rows[k]] / max(free[4, rows[k]], np.float32(1e-3)))
    elif kind == LEVERAGE:
        for k in range(n):
            column[k] = squash(np.float32(leverage[rows[k]]))
    elif kind == STUDENTISED:
        for k in range(n):
            i = rows[k]
            odds = single_logarithm(max(first[i], least) / max(second[i], least))
            h = max(np.float32(leverage[i]), least)
            column[k] = squash(odds / np.sqrt(h))
    elif kind == SCARCITY:
        set_all(column, ONE)
        for c in range(proba.shape[0]):
            share = np.float32(count[c] / max(L, 1))
            for k in range(n):
                column[k] -= share * proba[c, rows[k]]
    elif kind == DENSE_DOUBT:
        for k in range(n):
            column[k] = (ONE - margin[rows[k]]) * free[2, rows[k]]
    elif kind == SPREAD:
        scale = 1.0 / math.log(max(over, 2))
        for k in range(n):
            column[k] = entropy[rows[k]] - spread[rows[k]] * scale
    elif kind == VARIANCE:
        for k in range(n):
            column[k] = squash(variance[rows[k]])
