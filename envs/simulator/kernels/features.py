"""Compiled twins of the features of `lal.features`: one number per id, values for whole slates.

`observe` first computes what several features share for all pool rows (margins, distances to
labels, ranks are against the reference set), then fills one column per feature. Everything follows
the definitions in `lal.features`; a test compares every id with its definition.
"""

import math
from typing import Any

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.learners import (
    AROUND,
    AT_AROUND,
    AT_FREE,
    AT_REFERENCE,
    BUDGET,
    BUDGET_KNOWN,
    CLASSES,
    CLASSES_KNOWN,
    FOREST,
    KIND,
    MOST,
    POINTS,
    POOL,
    REFERENCE,
    WIDTH,
)
from envs.simulator.kernels.softmax import logarithm

CANDIDATE_KERNELS = {
    name: number
    for number, name in enumerate(
        (
            "margin@1",
            "max_proba@1",
            "entropy@1",
            "margin_rank@1",
            "margin_z@1",
            "min_distance@1",
            "mean_distance@1",
            "min_distance_rank@1",
            "mean_distance_rank@1",
            "predicted_distance@1",
            "other_distance@1",
            "distance_margin@1",
            "neighbour_entropy@1",
            "density@1",
            "wide_density@1",
            "density_rank@1",
            "wide_density_rank@1",
            "uncovered@1",
            "novelty@1",
            "leverage@1",
            "studentised_margin@1",
            "nearest_disagreement@1",
            "scarcity@1",
            "dense_doubt@1",
            "uncovered_doubt@1",
            "committee_spread@1",
        )
    )
}
"""Number of every candidate feature that has a kernel."""

CONTEXT_KERNELS = {
    name: number
    for number, name in enumerate(
        (
            "n_labelled@1",
            "labels_per_class@1",
            "class_entropy@1",
            "smallest_share@1",
            "n_classes@1",
            "margin_mean@1",
            "margin_std@1",
            "entropy_mean@1",
            "predicted_entropy@1",
            "loo_neighbour_accuracy@1",
            "neighbour_disagreement@1",
            "reached@1",
            "spacing@1",
            "spent_share@1",
            "n_columns@1",
            "n_reference@1",
        )
    )
}
"""Number of every context feature that has a kernel."""

NEEDS_LEVERAGE = ("leverage@1", "studentised_margin@1")
NEEDS_COMMITTEE = ("committee_spread@1",)

MARGIN, MAX_PROBA, ENTROPY, MARGIN_RANK, MARGIN_Z = range(5)
MIN_DISTANCE, MEAN_DISTANCE, MIN_RANK, MEAN_RANK, PREDICTED, OTHER = range(5, 11)
GAP, NEIGHBOUR_ENTROPY, DENSITY, WIDE, DENSITY_RANK, WIDE_RANK = range(11, 17)
UNCOVERED, NOVELTY, LEVERAGE, STUDENTISED, DISAGREEMENT, SCARCITY = range(17, 23)
DENSE_DOUBT, UNCOVERED_DOUBT, SPREAD = range(23, 26)

N_LABELLED, PER_CLASS, CLASS_ENTROPY, SMALLEST, N_CLASSES, MARGIN_MEAN, MARGIN_STD = range(7)
ENTROPY_MEAN, PREDICTED_ENTROPY, LOO, NEIGHBOUR_DISAGREEMENT, REACHED, SPACING = range(7, 13)
SPENT, N_COLUMNS, N_REFERENCE = range(13, 16)

TIE = 1e-9
"""Probabilities and distances nearer than this count as equal."""

KNOWN_SINCE_PROBA = (
    (1 << MARGIN) | (1 << MAX_PROBA) | (1 << ENTROPY) | (1 << MARGIN_RANK) | (1 << MARGIN_Z)
    | (1 << PREDICTED) | (1 << OTHER) | (1 << STUDENTISED) | (1 << DISAGREEMENT)
    | (1 << SCARCITY) | (1 << DENSE_DOUBT) | (1 << UNCOVERED_DOUBT) | (1 << SPREAD)
)  # fmt: skip
"""Candidate features that are undefined before two classes are seen."""

CONTEXT_SINCE_PROBA = (
    (1 << MARGIN_MEAN) | (1 << MARGIN_STD) | (1 << ENTROPY_MEAN) | (1 << PREDICTED_ENTROPY)
    | (1 << NEIGHBOUR_DISAGREEMENT)
)  # fmt: skip
"""Context features that are undefined before two classes are seen."""


@kernel(inline="always")
def _squash(r):
    return 1.0 if r == math.inf else r / (1.0 + r)


@kernel(inline="always")
def _minus_x_log(p):
    return -p * logarithm(p)


BUCKETS = 256
SHIFT = 22
"""Buckets of ranked values, and the low bits of a nine-digit key that do not choose one."""


@kernel
def _fill_buckets(values, rows, keys, sample, starts):
    """Sort ``values[rows]``, all in [0, 1], into buckets for `_rank`, rounded to nine digits.

    Args:
        values: Shape (N,).
        rows: The reference set, shape (R,).
        keys: Scratch, shape (N,).
        sample: Rounded values bucket by bucket, shape (R,), overwritten.
        starts: Where every bucket begins, shape (BUCKETS + 2,), overwritten.
    """
    for i in range(len(values)):
        keys[i] = np.int64(values[i] * 1e9 + 0.5)
    starts[:] = 0
    for r in range(len(rows)):
        starts[(keys[rows[r]] >> SHIFT) + 2] += 1
    for b in range(BUCKETS):
        starts[b + 2] += starts[b + 1]
    for r in range(len(rows)):
        key = keys[rows[r]]
        b = key >> SHIFT
        sample[starts[b + 1]] = key
        starts[b + 1] += 1


@kernel
def _rank(key, sample, starts):
    """Return the share of a bucketed sample below `key`, ties counted half."""
    b = key >> SHIFT
    below, ties = starts[b], 0
    for i in range(starts[b], starts[b + 1]):
        below += sample[i] < key
        ties += sample[i] == key
    return (below + 0.5 * ties) / len(sample)


@kernel
def _top_two(proba, N, first, second):
    """Write the two largest of the classes' probabilities of N rows."""
    for i in range(N):
        first[i] = proba[0, i]
        second[i] = -1.0
    for c in range(1, proba.shape[0] - 1):
        for i in range(N):
            p = proba[c, i]
            low = min(first[i], p)
            first[i] = max(first[i], p)
            second[i] = max(second[i], low)


@kernel
def _entropies(proba, N, over, out):
    """Write entropies over ``log over`` of N rows."""
    scale = 1.0 / math.log(max(over, 2))
    for i in range(N):
        out[i] = 0.0
    for c in range(proba.shape[0] - 1):
        for i in range(N):
            out[i] += _minus_x_log(proba[c, i])
    for i in range(N):
        out[i] *= scale


@kernel
def _disagreements(proba, near, reach, count, scale, out):
    """Write the probability left to classes other than those of the nearest label of all rows."""
    C, N = near.shape
    agreed, classes = np.zeros(N), np.zeros(N)
    for i in range(N):
        limit = (reach[i] + TIE) * scale
        out[i] = limit * limit
    for c in range(C):
        if count[c] == 0:
            continue
        for i in range(N):
            one = 1.0 if near[c, i] <= out[i] else 0.0
            agreed[i] += one * proba[c, i]
            classes[i] += one
    for i in range(N):
        out[i] = 1.0 - agreed[i] / classes[i]


@kernel
def _to_classes(proba, near, count, i, top, scale, predicted):
    """Return r / (1 + r) to the nearest label of the predicted or of the other classes."""
    nearest = math.inf
    for c in range(near.shape[0]):
        if count[c] > 0 and (proba[c, i] >= top - TIE) == predicted:
            nearest = min(nearest, near[c, i])
    return _squash(math.sqrt(nearest) / scale)


@kernel
def _class_gap(near, count, i):
    """Return the relative gap between the nearest and the second nearest class."""
    a, b = math.inf, math.inf
    for c in range(near.shape[0]):
        if count[c] > 0:
            d = near[c, i]
            b = min(b, max(a, d))
            a = min(a, d)
    if b == math.inf:
        return 0.0
    a, b = math.sqrt(a), math.sqrt(b)
    return (b - a) / (a + b) if a + b > 0.0 else 0.0


@kernel
def _neighbour_entropy(near, count, i, scale, seen):
    """Return the entropy of the seen classes, weighted by inverse squared nearest distance."""
    if seen < 2:
        return 1.0
    total = 0.0
    for c in range(near.shape[0]):
        if count[c] > 0:
            total += 1.0 / (near[c, i] / (scale * scale) + 1e-4)
    h = 0.0
    for c in range(near.shape[0]):
        if count[c] > 0:
            h += _minus_x_log(1.0 / (near[c, i] / (scale * scale) + 1e-4) / total)
    return h / math.log(seen)


@kernel
def _leave_one_out(squares, labels, L, most):
    """Return the share of labels that agree with their nearest other label, ties shared.

    The squared distance of a label to itself stands as infinity.
    """
    if L < 2:
        return 0.5
    total = 0.0
    for a in range(L):
        nearest = math.inf
        for b in range(L):
            nearest = min(nearest, squares[a * most + b])
        limit = nearest * (1.0 + TIE) + TIE
        same, ties = 0, 0
        for b in range(L):
            tie = squares[a * most + b] <= limit
            ties += tie
            same += tie & (labels[a] == labels[b])
        total += same / ties
    return total / L


@kernel
def _uncovered(t, s, reach, i):
    """Return the share of a row's neighbours nearer to it than to any label."""
    k, at = s[AROUND], s[AT_AROUND] + i * s[AROUND]
    closer = 0
    for m in range(k):
        closer += t.distance[at + m] < reach[t.around[at + m]] * (1.0 - 1e-6)
    return closer / k


@kernel
def observe(
    t: Any,
    eps: Any,
    ids: Any,
    slates: Any,
    features: Any,
    context: Any,
    limits: Any,
    context_limits: Any,
    candidates: Any,
    contexts: Any,
) -> None:
    """Write the observations of episodes.

    Args:
        t: Tasks.
        eps: Episodes.
        ids: Which episodes.
        slates: Rows offered, shape (E, K), -1 for a closed slot.
        features: Numbers of the F candidate features.
        context: Numbers of the G context features.
        limits: Lowest, highest and undefined value of the candidate features, shape (3, F).
        context_limits: The same of the context features, shape (3, G).
        candidates: Shape (E, K, F) float32, rows `ids` overwritten; closed slots are zeros.
        contexts: Shape (E, G) float32, rows `ids` overwritten.
    """
    for at in range(len(ids)):
        e = ids[at]
        s = t.sizes[eps.task[e]]
        N, C, n = s[POOL], s[CLASSES], s[POINTS]
        proba = eps.proba[e, : (C + 1) * n].reshape(C + 1, n)
        near = eps.near[e, : C * N].reshape(C, N)
        shared = np.empty((7, N))
        first, second, margin, entropy = shared[0], shared[1], shared[2], shared[3]
        reach, nearest, disagreement = shared[4], shared[5], shared[6]
        seen = 0
        for c in range(C):
            seen += eps.count[e, c] > 0
        over = C if s[CLASSES_KNOWN] else seen
        if seen >= 2:
            _top_two(proba, N, first, second)
            for i in range(N):
                margin[i] = first[i] - second[i]
            _entropies(proba, N, over, entropy)
        scale = t.params[eps.task[e], 2]
        for i in range(N):
            reach[i] = near[0, i]
        for c in range(1, C):
            for i in range(N):
                reach[i] = min(reach[i], near[c, i])
        for i in range(N):
            reach[i] = math.sqrt(reach[i]) / scale
            nearest[i] = _squash(reach[i])
        if seen >= 2:
            _disagreements(proba, near, reach, eps.count[e], scale, disagreement)
        _contexts(
            t, eps, e, s, context, context_limits, contexts[e], proba, near, shared, seen, over
        )
        _candidates(
            t, eps, e, s, slates[e], features, limits, candidates[e], proba, near, shared, seen,
            over,
        )  # fmt: skip


@kernel
def _contexts(t, eps, e, s, context, limits, out, proba, near, shared, seen, over):
    N, R, L, C = s[POOL], s[REFERENCE], eps.n_labelled[e], s[CLASSES]
    margin, entropy, nearest, disagreement = shared[2], shared[3], shared[5], shared[6]
    rows = t.reference[s[AT_REFERENCE] : s[AT_REFERENCE] + R]
    count = eps.count[e]
    for g in range(len(context)):
        kind = context[g]
        v = 0.0
        if seen < 2 and (CONTEXT_SINCE_PROBA >> kind) & 1:
            v = limits[2, g]
        elif kind == N_LABELLED:
            v = math.log1p(L) / math.log1p(1000.0)
        elif kind == PER_CLASS:
            v = math.log1p(L / max(seen, 1)) / math.log1p(1000.0)
        elif kind == CLASS_ENTROPY:
            if seen >= 2:
                for c in range(C):
                    v += _minus_x_log(count[c] / L)
                v /= math.log(seen)
        elif kind == SMALLEST:
            if seen >= 2:
                least = L
                for c in range(C):
                    if count[c] > 0:
                        least = min(least, count[c])
                v = least * seen / L
        elif kind == N_CLASSES:
            v = math.log1p(seen) / math.log1p(30.0)
        elif kind == MARGIN_MEAN:
            for r in range(R):
                v += margin[rows[r]]
            v /= R
        elif kind == MARGIN_STD:
            v = 2.0 * _spread(margin, rows)[1]
        elif kind == ENTROPY_MEAN:
            for r in range(R):
                v += entropy[rows[r]]
            v /= R
        elif kind == PREDICTED_ENTROPY:
            for c in range(C):
                mean = 0.0
                for r in range(R):
                    mean += proba[c, rows[r]]
                v += _minus_x_log(mean / R)
            v /= math.log(max(over, 2))
        elif kind == LOO:
            v = _leave_one_out(eps.squares[e], eps.labels[e], L, s[MOST])
        elif kind == NEIGHBOUR_DISAGREEMENT:
            for r in range(R):
                v += disagreement[rows[r]]
            v /= R
        elif kind == REACHED:
            for r in range(R):
                v += nearest[rows[r]]
            v = v / R if L > 0 else 1.0
        elif kind == SPACING:
            v = t.params[eps.task[e], 3]
        elif kind == SPENT:
            total = min(eps.n_start[e] + s[BUDGET], N)
            v = L / max(total, 1) if s[BUDGET_KNOWN] else -1.0
        elif kind == N_COLUMNS:
            v = math.log1p(s[WIDTH]) / math.log1p(512.0)
        elif kind == N_REFERENCE:
            v = math.log1p(R) / math.log1p(1024.0)
        out[g] = min(max(v, limits[0, g]), limits[1, g])


@kernel
def _spread(values, rows):
    """Return mean and standard deviation of some rows' values."""
    mean = 0.0
    for r in range(len(rows)):
        mean += values[rows[r]]
    mean /= len(rows)
    spread = 0.0
    for r in range(len(rows)):
        gap = values[rows[r]] - mean
        spread += gap * gap
    return mean, math.sqrt(spread / len(rows))


@kernel
def _candidates(
    t, eps, e, s, slate, features, limits, out, proba, near, shared, seen, over
):  # fmt: skip
    """Fill the candidate features of one episode, one column at a time."""
    N, R = s[POOL], s[REFERENCE]
    opened, slots = np.empty(len(slate), np.int64), np.empty(len(slate), np.int64)
    n = 0
    for k in range(len(slate)):
        out[k, :] = 0.0
        if slate[k] >= 0:
            opened[n], slots[n] = slate[k], k
            n += 1
    rows = opened[:n]
    column = np.empty(n)
    sample = t.reference[s[AT_REFERENCE] : s[AT_REFERENCE] + R]
    free = t.free[s[AT_FREE] : s[AT_FREE] + 5 * N].reshape(5, N)
    scratch = (np.empty(N, np.int64), np.empty(R, np.int64), np.empty(BUCKETS + 2, np.int64))
    mean_distance = np.empty(N)
    L, scale = eps.n_labelled[e], t.params[eps.task[e], 2]
    for i in range(N):
        mean_distance[i] = _squash(eps.total[e, i] / (L * scale)) if L > 0 else 1.0
    for f in range(len(features)):
        kind = features[f]
        needs_proba = (KNOWN_SINCE_PROBA >> kind) & 1
        if needs_proba and (seen < 2 or (kind == SPREAD and s[KIND] != FOREST)):
            column[:] = limits[2, f]
        elif kind <= MEAN_RANK:
            _pool_column(kind, rows, column, shared, mean_distance, sample, scratch)
        elif kind <= NEIGHBOUR_ENTROPY:
            _class_column(kind, rows, column, proba, near, eps.count[e], shared[0], scale, seen)
        else:
            _other_column(t, eps, e, s, kind, rows, column, proba, shared, free, over)
        low, high = limits[0, f], limits[1, f]
        for k in range(n):
            out[slots[k], f] = min(max(column[k], low), high)


@kernel
def _take(values, rows, column):
    for k in range(len(rows)):
        column[k] = values[rows[k]]


@kernel
def _take_rank(values, rows, column, sample, scratch):
    keys, ordered, starts = scratch
    _fill_buckets(values, sample, keys, ordered, starts)
    for k in range(len(rows)):
        column[k] = _rank(keys[rows[k]], ordered, starts)


@kernel
def _pool_column(kind, rows, column, shared, mean_distance, sample, scratch):
    """Fill features that are read off quantities of the pool, or ranks of them."""
    first, margin, entropy, nearest = shared[0], shared[2], shared[3], shared[5]
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
    elif kind == MARGIN_RANK:
        _take_rank(margin, rows, column, sample, scratch)
    elif kind == MIN_RANK:
        _take_rank(nearest, rows, column, sample, scratch)
    elif kind == MEAN_RANK:
        _take_rank(mean_distance, rows, column, sample, scratch)
    else:
        centre, width = _spread(margin, sample)
        for k in range(len(rows)):
            column[k] = (margin[rows[k]] - centre) / width if width >= 1e-9 else 0.0


@kernel
def _class_column(kind, rows, column, proba, near, count, first, scale, seen):
    """Fill features of the distances to the nearest label of every class."""
    for k in range(len(rows)):
        i = rows[k]
        if kind == GAP:
            column[k] = _class_gap(near, count, i)
        elif kind == NEIGHBOUR_ENTROPY:
            column[k] = _neighbour_entropy(near, count, i, scale, seen)
        else:
            predicted = kind == PREDICTED
            column[k] = _to_classes(proba, near, count, i, first[i], scale, predicted)


@kernel
def _other_column(t, eps, e, s, kind, rows, column, proba, shared, free, over):
    """Fill the remaining features."""
    first, second, margin, entropy = shared[0], shared[1], shared[2], shared[3]
    reach, disagreement = shared[4], shared[6]
    n, C, L = len(rows), s[CLASSES], eps.n_labelled[e]
    if kind <= WIDE_RANK:
        _take(free[kind - DENSITY], rows, column)
    elif kind == DISAGREEMENT:
        _take(disagreement, rows, column)
    elif kind == UNCOVERED:
        for k in range(n):
            column[k] = _uncovered(t, s, reach, rows[k])
    elif kind == UNCOVERED_DOUBT:
        for k in range(n):
            column[k] = (1.0 - margin[rows[k]]) * _uncovered(t, s, reach, rows[k])
    elif kind == NOVELTY:
        for k in range(n):
            column[k] = _squash(reach[rows[k]] / max(free[4, rows[k]], 1e-3))
    elif kind == LEVERAGE:
        for k in range(n):
            column[k] = _squash(eps.leverage[e, rows[k]])
    elif kind == STUDENTISED:
        for k in range(n):
            i = rows[k]
            odds = math.log(max(first[i], 1e-6)) - math.log(max(second[i], 1e-6))
            column[k] = _squash(odds / math.sqrt(max(eps.leverage[e, i], 1e-6)))
    elif kind == SCARCITY:
        column[:] = 1.0
        for c in range(C):
            share = eps.count[e, c] / max(L, 1)
            for k in range(n):
                column[k] -= share * proba[c, rows[k]]
    elif kind == DENSE_DOUBT:
        for k in range(n):
            column[k] = (1.0 - margin[rows[k]]) * free[2, rows[k]]
    elif kind == SPREAD:
        scale = 1.0 / math.log(max(over, 2))
        for k in range(n):
            column[k] = entropy[rows[k]] - eps.entropy[e, rows[k]] * scale
