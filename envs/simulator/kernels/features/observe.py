"""Compiled twins of the features of `lal.features`: one number per id, values for whole slates.

`observe` first computes what several features share for all pool rows (margins, distances to
labels, ranks are against the reference set), then fills one column per feature. Everything follows
the definitions in `lal.features`; a test compares every id with its definition.
"""

import math
from typing import Any

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import set_all
from envs.simulator.kernels.elementary import single_logarithm
from envs.simulator.kernels.features.leave_one_out import leave_one_out
from envs.simulator.kernels.features.ranks import distance_keys, doubt_keys, take_ranks
from envs.simulator.kernels.layout import FOREST, GP, LOGISTIC

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
            "variance@1",
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
NEEDS_VARIANCE = ("variance@1",)

MARGIN, MAX_PROBA, ENTROPY, MARGIN_RANK, MARGIN_Z = range(5)
MIN_DISTANCE, MEAN_DISTANCE, MIN_RANK, MEAN_RANK, PREDICTED, OTHER = range(5, 11)
GAP, NEIGHBOUR_ENTROPY, DENSITY, WIDE, DENSITY_RANK, WIDE_RANK = range(11, 17)
UNCOVERED, NOVELTY, LEVERAGE, STUDENTISED, DISAGREEMENT, SCARCITY = range(17, 23)
DENSE_DOUBT, UNCOVERED_DOUBT, SPREAD, VARIANCE = range(23, 27)

N_LABELLED, PER_CLASS, CLASS_ENTROPY, SMALLEST, N_CLASSES, MARGIN_MEAN, MARGIN_STD = range(7)
ENTROPY_MEAN, PREDICTED_ENTROPY, LOO, NEIGHBOUR_DISAGREEMENT, REACHED, SPACING = range(7, 13)
SPENT, N_COLUMNS, N_REFERENCE = range(13, 16)

KNOWN_SINCE_PROBA = (
    (1 << MARGIN) | (1 << MAX_PROBA) | (1 << ENTROPY) | (1 << MARGIN_RANK) | (1 << MARGIN_Z)
    | (1 << PREDICTED) | (1 << OTHER) | (1 << STUDENTISED) | (1 << DISAGREEMENT)
    | (1 << SCARCITY) | (1 << DENSE_DOUBT) | (1 << UNCOVERED_DOUBT) | (1 << SPREAD)
    | (1 << VARIANCE)
)  # fmt: skip
"""Candidate features that are undefined before two classes are seen."""

CONTEXT_SINCE_PROBA = (
    (1 << MARGIN_MEAN) | (1 << MARGIN_STD) | (1 << ENTROPY_MEAN) | (1 << PREDICTED_ENTROPY)
    | (1 << NEIGHBOUR_DISAGREEMENT)
)  # fmt: skip
"""Context features that are undefined before two classes are seen."""


ZERO, ONE, HALF = np.float32(0.0), np.float32(1.0), np.float32(0.5)
INFINITE = np.float32(np.inf)
SLACK = np.float32(1.0 + 1e-6)
"""Squared distances within this factor count as equal, as single precision has them."""

SHARED = 11
"""Quantities of every pool row that several features share."""

LITTLE_LESS = np.float32(1.0 - 1e-6)


@kernel(forceinline=True)
def _squash(r):
    return ONE if r == INFINITE else r / (ONE + r)


@kernel(forceinline=True)
def _minus_x_log(p):
    return -p * single_logarithm(p)


@kernel
def _top_two(proba, N, first, second, doubt):
    """Write the two largest probabilities of N rows, and 1 - margin.

    The latter is summed from the small probabilities, so that certain rows differ.
    """
    for i in range(N):
        first[i] = proba[0, i]
        second[i] = -ONE
        doubt[i] = ZERO
    for c in range(1, proba.shape[0]):
        for i in range(N):
            p = proba[c, i]
            low = min(first[i], p)
            first[i] = max(first[i], p)
            second[i] = max(second[i], low)
            doubt[i] += low
    for i in range(N):
        doubt[i] += max(second[i], ZERO)


@kernel
def _entropies(proba, N, over, out):
    """Write entropies over ``log over`` of N rows."""
    scale = np.float32(1.0 / math.log(max(over, 2)))
    for i in range(N):
        out[i] = ZERO
    for c in range(proba.shape[0]):
        for i in range(N):
            out[i] += _minus_x_log(proba[c, i])
    for i in range(N):
        out[i] *= scale


@kernel
def _disagreements(proba, near, least, count, classes, out):
    """Write the probability left to classes other than those of the nearest label of all rows.

    The number of those classes is written to `classes`.
    """
    C, N = near.shape
    for i in range(N):
        out[i] = classes[i] = ZERO
    for c in range(C):
        if count[c] == 0:
            continue
        for i in range(N):
            one = ONE if near[c, i] <= least[i] * SLACK else ZERO
            out[i] += one * proba[c, i]
            classes[i] += one
    for i in range(N):
        out[i] = ONE - out[i] / classes[i]


@kernel
def _to_classes(proba, near, scale, predicted, top, column):
    """Write r / (1 + r) to the nearest label of the predicted or of the other classes.

    The largest probability, a little less, is written to `top`.
    """
    n = len(column)
    for k in range(n):
        top[k] = ZERO
    for c in range(near.shape[0]):
        for k in range(n):
            top[k] = max(top[k], proba[c, k])
    for k in range(n):
        top[k] -= np.float32(2e-7)
        column[k] = INFINITE
    for c in range(near.shape[0]):
        if predicted:
            for k in range(n):
                d = near[c, k] if proba[c, k] >= top[k] else INFINITE
                column[k] = min(column[k], d)
        else:
            for k in range(n):
                d = near[c, k] if proba[c, k] < top[k] else INFINITE
                column[k] = min(column[k], d)
    for k in range(n):
        column[k] = _squash(np.sqrt(column[k]) / scale)


@kernel
def _class_gaps(near, a, b, column):
    """Write the relative gap between the nearest and the second nearest class.

    Their squared distances are written to `a` and `b`.
    """
    n = len(column)
    for k in range(n):
        a[k] = b[k] = INFINITE
    for c in range(near.shape[0]):
        for k in range(n):
            d = near[c, k]
            b[k] = min(b[k], max(a[k], d))
            a[k] = min(a[k], d)
    for k in range(n):
        x, y = np.sqrt(a[k]), np.sqrt(b[k])
        far = y == INFINITE or x + y <= ZERO
        column[k] = ZERO if far else (y - x) / (x + y)


@kernel
def _neighbour_entropies(near, scale, seen, whole, column):
    """Write the entropy of the seen classes, weighted by inverse squared nearest distance.

    The sum of the weights is written to `whole`.
    """
    n = len(column)
    if seen < 2:
        set_all(column, ONE)
        return
    share, least = ONE / (scale * scale), np.float32(1e-4)
    set_all(whole, ZERO)
    for c in range(near.shape[0]):
        for k in range(n):
            whole[k] += ONE / (near[c, k] * share + least)
    for k in range(n):
        column[k] = ZERO
    for c in range(near.shape[0]):
        for k in range(n):
            weight = ONE / (near[c, k] * share + least)
            column[k] += _minus_x_log(weight / whole[k])
    over = np.float32(1.0 / math.log(seen))
    for k in range(n):
        column[k] *= over


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
def _uncovered(distance, around, s, reach, rows, column):
    """Write the share of every row's neighbours nearer to it than to any label.

    Two at a time and by unsigned numbers, which need no look whether they count from the end.
    """
    k = np.uint64(s.neighbours)
    share, one, two = np.float32(1.0 / s.neighbours), np.uint64(1), np.uint64(2)
    for n in range(len(rows)):
        at = np.uint64(s.at_around + rows[n] * s.neighbours)
        last = at + k
        a, b = np.int32(0), np.int32(0)
        while at + two <= last:
            a += np.int32(_is_nearer(distance, around, reach, at))
            b += np.int32(_is_nearer(distance, around, reach, at + one))
            at += two
        if at < last:
            a += np.int32(_is_nearer(distance, around, reach, at))
        column[n] = np.float32(a + b) * share


@kernel(forceinline=True)
def _is_nearer(distance, around, reach, at):
    return distance[at] < reach[np.uint32(around[at])] * LITTLE_LESS


@kernel
def _mean(values, rows):
    """Return the mean of some values: of all when the reference set is the pool."""
    R, summed = len(rows), ZERO
    if len(values) == R:
        for r in range(R):
            summed += values[r]
    else:
        for r in range(R):
            summed += values[rows[r]]
    return summed / np.float32(R)


@kernel
def _spread(values, rows):
    """Return mean and standard deviation, summed in float64: margins may be all but equal."""
    R, mean, spread = len(rows), 0.0, 0.0
    for r in range(R):
        mean += np.float64(values[rows[r]])
    mean /= R
    for r in range(R):
        gap = values[rows[r]] - mean
        spread += gap * gap
    return mean, math.sqrt(spread / R)


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
    scratch: Any,
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
        scratch: Float32, room for `SHARED` numbers of every pool row.
    """
    for at in range(len(ids)):
        e = ids[at]
        s = t.tasks[eps.task[e]]
        N, C, n = s.pool, s.classes, s.points
        count, total, L = eps.count[e], eps.total[e], eps.n_labelled[e]
        proba = eps.proba[e, : C * n].reshape(C, n)
        near = eps.near[e, : C * N].reshape(C, N)
        shared = scratch[: SHARED * N].reshape(SHARED, N)
        first, second, margin, entropy = shared[0], shared[1], shared[2], shared[3]
        reach, nearest, disagreement = shared[4], shared[5], shared[6]
        mean_distance, least = shared[7], shared[8]
        seen = 0
        for c in range(C):
            seen += count[c] > 0
        over = C if s.classes_known else seen
        scale = np.float32(s.scale)
        for i in range(N):
            least[i] = near[0, i]
        for c in range(1, C):
            for i in range(N):
                least[i] = min(least[i], near[c, i])
        share = np.float32(1.0 / (max(L, 1) * scale))
        for i in range(N):
            reach[i] = np.sqrt(least[i]) / scale
            nearest[i] = _squash(reach[i])
            mean_distance[i] = _squash(total[i] * share) if L > 0 else ONE
        if seen >= 2:
            _top_two(proba, N, first, second, shared[9])
            for i in range(N):
                margin[i] = first[i] - second[i]
            _entropies(proba, N, over, entropy)
            _disagreements(proba, near, least, count, shared[10], disagreement)
        else:
            for i in range(N):
                first[i] = second[i] = margin[i] = entropy[i] = disagreement[i] = ZERO
        rows = t.reference[s.at_reference : s.at_reference + s.reference]
        centre, width = _spread(margin, rows)
        _contexts(
            s, context, context_limits, contexts[e], count, L, eps.n_start[e], proba, rows,
            shared, seen, over, centre, width, eps.squares[e], eps.labels[e],
        )  # fmt: skip
        _candidates(
            s, slates[e], features, limits, candidates[e], count, L, proba, near, shared,
            t.free[s.at_free : s.at_free + 5 * N].reshape(5, N), t.distance, t.around,
            eps.leverage[e], eps.entropy[e], eps.variance[e], seen, over, rows, centre, width,
        )  # fmt: skip


@kernel
def _contexts(
    s, context, limits, out, count, L, n_start, proba, rows, shared, seen, over, centre,
    width, squares, labels,
):  # fmt: skip
    """Fill the context features of one episode."""
    N, R, C = s.pool, s.reference, s.classes
    entropy, nearest, disagreement = shared[3], shared[5], shared[6]
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
            v = centre
        elif kind == MARGIN_STD:
            v = 2.0 * width
        elif kind == ENTROPY_MEAN:
            v = _mean(entropy, rows)
        elif kind == PREDICTED_ENTROPY:
            for c in range(C):
                v += _minus_x_log(_mean(proba[c, :N], rows))
            v /= math.log(max(over, 2))
        elif kind == LOO:
            v = leave_one_out(squares, labels, L, s.most)
        elif kind == NEIGHBOUR_DISAGREEMENT:
            v = _mean(disagreement, rows)
        elif kind == REACHED:
            v = _mean(nearest, rows) if L > 0 else 1.0
        elif kind == SPACING:
            v = s.spacing
        elif kind == SPENT:
            whole = min(n_start + s.budget, N)
            v = L / max(whole, 1) if s.budget_known else -1.0
        elif kind == N_COLUMNS:
            v = math.log1p(s.encoded) / math.log1p(512.0)
        elif kind == N_REFERENCE:
            v = math.log1p(R) / math.log1p(1024.0)
        out[g] = min(max(v, limits[0, g]), limits[1, g])


@kernel
def _candidates(
    s, slate, features, limits, out, count, L, proba, near, shared, free, distance, around,
    leverage, spread, variance, seen, over, reference, centre, width,
):  # fmt: skip
    """Fill the candidate features of one episode, one column at a time."""
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
        doubted = kind == UNCOVERED_DOUBT
        needs_proba = (KNOWN_SINCE_PROBA >> kind) & 1
        if needs_proba and (seen < 2 or _unknown(kind, s.kind)):
            set_all(column, np.float32(limits[2, f]))
        elif kind <= MEAN_RANK:
            _pool_column(kind, rows, column, shared, reference, centre, width)
        elif kind == GAP:
            _class_gaps(close, a, b, column)
        elif kind == NEIGHBOUR_ENTROPY:
            _neighbour_entropies(close, scale, seen, a, column)
        elif kind <= OTHER:
            _to_classes(likely, close, scale, kind == PREDICTED, a, column)
        elif doubted or kind == UNCOVERED:
            if not covered:
                _uncovered(distance, around, s, shared[4], rows, uncovered)
                covered = True
            for k in range(n):
                doubt = ONE - shared[2, rows[k]] if doubted else ONE
                column[k] = doubt * uncovered[k]
        else:
            _other_column(
                kind, rows, column, count, L, proba, shared, free, leverage, spread, variance, over
            )
        low, high = np.float32(limits[0, f]), np.float32(limits[1, f])
        for k in range(n):
            column[k] = min(max(column[k], low), high)
    for k in range(n):
        row = out[slots[k]]
        for f in range(F):
            row[f] = columns[f, k]


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
def _pool_column(kind, rows, column, shared, reference, centre, width):
    """Fill features that are read off quantities of the pool, or ranks of them."""
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
            keys = doubt_keys(shared[9])
        elif kind == MIN_RANK:
            keys = distance_keys(nearest)
        else:
            keys = distance_keys(mean_distance)
        take_ranks(keys, rows, reference, column)
        if kind == MARGIN_RANK:
            for k in range(len(rows)):
                column[k] = ONE - column[k]


@kernel
def _other_column(
    kind, rows, column, count, L, proba, shared, free, leverage, spread, variance, over
):  # fmt: skip
    """Fill the remaining features."""
    first, second, margin, entropy = shared[0], shared[1], shared[2], shared[3]
    reach, disagreement, least = shared[4], shared[6], np.float32(1e-6)
    n = len(rows)
    if kind <= WIDE_RANK:
        _take(free[kind - DENSITY], rows, column)
    elif kind == DISAGREEMENT:
        _take(disagreement, rows, column)
    elif kind == NOVELTY:
        for k in range(n):
            column[k] = _squash(reach[rows[k]] / max(free[4, rows[k]], np.float32(1e-3)))
    elif kind == LEVERAGE:
        for k in range(n):
            column[k] = _squash(np.float32(leverage[rows[k]]))
    elif kind == STUDENTISED:
        for k in range(n):
            i = rows[k]
            odds = single_logarithm(max(first[i], least) / max(second[i], least))
            h = max(np.float32(leverage[i]), least)
            column[k] = _squash(odds / np.sqrt(h))
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
            column[k] = _squash(variance[rows[k]])
