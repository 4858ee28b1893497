"""Gains in coverage and rarity, as `lal.features.coverage` has them.

A kernel by itself, so that only those who ask for these features compile it: gains of the whole
reference set are needed to compare those of a slate with, which costs R^2 kernel values.
"""

from typing import Any

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import set_all
from envs.simulator.kernels.features.distances import squash
from envs.simulator.kernels.features.model import top_two
from envs.simulator.kernels.features.names import (
    HERDING,
    HERDING_RANK,
    MAX_HERDING,
    MAX_HERDING_RANK,
    RARITY,
    RARITY_RANK,
)
from envs.simulator.kernels.features.ranks import take_ranks
from envs.simulator.kernels.simd import exponential, load, maximum, reduce_sum, splat, store
from lal.features.coverage import DIGITS, LEAST_UNCERTAINTY

ZERO, ONE, HALF = np.float32(0.0), np.float32(1.0), np.float32(0.5)
LEAST = np.float32(LEAST_UNCERTAINTY)
RANKED = np.float32(10.0**DIGITS)
"""What ranked values are multiplied by and rounded to."""

UNKNOWN = np.float32(-1.0)
"""Stands for a gain that nothing has asked for."""


@kernel
def observe_coverage(
    t: Any, eps: Any, ids: Any, slates: Any, features: Any, candidates: Any
) -> None:
    """Write the features that `observe` leaves out.

    Args:
        t: Tasks.
        eps: Episodes.
        ids: Which episodes.
        slates: Rows offered, shape (E, K), -1 for a closed slot.
        features: Numbers of the F candidate features, of which some are of this kernel.
        candidates: Shape (E, K, F) float32; open slots of rows `ids` are overwritten.
    """
    for at in range(len(ids)):
        e = ids[at]
        s = t.tasks[eps.task[e]]
        N, d, seen = s.pool, s.encoded, 0
        for c in range(s.classes):
            seen += eps.count[e, c] > 0
        reference = t.reference[s.at_reference : s.at_reference + s.reference]
        slots = np.flatnonzero(slates[e] >= 0)
        rows = slates[e][slots]
        proba = eps.proba[e, : s.classes * s.points].reshape(s.classes, s.points)
        values = np.zeros((3, N), np.float32)
        _write_gains(
            t.z[s.at_z : s.at_z + d * N].reshape(d, N), proba, seen,
            eps.near[e, : s.classes * N].reshape(s.classes, N),
            _squared_radius(eps.squares[e], eps.n_labelled[e], s), reference, rows, values,
        )  # fmt: skip
        _write_rarity(proba, seen, reference, values[2])
        column = np.empty(len(rows), np.float32)
        for f in range(len(features)):
            kind = features[f]
            if kind < HERDING:
                continue
            own = values[0 if kind <= HERDING_RANK else 1 if kind <= MAX_HERDING_RANK else 2]
            if kind in (HERDING, MAX_HERDING, RARITY):
                for k in range(len(rows)):
                    column[k] = own[rows[k]]
            elif kind == RARITY_RANK and seen < 2:
                set_all(column, HALF)
            else:
                take_ranks(_ranked(own), rows, reference, column)
            for k in range(len(rows)):
                candidates[e, slots[k], f] = min(max(column[k], ZERO), ONE)


@kernel
def _squared_radius(squares, L, s):
    """Return the smallest squared distance above 0 between two labels."""
    least = np.float32(np.inf)
    for a in range(L):
        for b in range(a):
            square = squares[a * s.most + b]
            if square > ZERO:
                least = min(least, square)
    return np.float32(s.scale * s.scale) if least == np.inf else least


@kernel
def _ranked(values):
    """Return whole numbers in the order of values, filled up to whole vectors."""
    keys = np.zeros((len(values) + 15) // 16 * 16, np.float32)
    for i in range(len(values)):
        keys[i] = np.floor(values[i] * RANKED + HALF)
    return keys


@kernel
def _write_gains(Z, proba, seen, near, square, reference, rows, values):
    """Write what reference rows and others gain over the reference set's mean, r / (1 + r).

    Args:
        Z: Encoded pool rows, one a column, shape (d, N).
        proba: Probabilities, shape (C, n).
        seen: Classes with a label.
        near: Squared distances to the nearest label of every class, shape (C, N).
        square: Squared radius of the kernel.
        reference: Reference rows, shape (R,).
        rows: Further rows.
        values: Uncertainty-weighted and plain, shape (2 or more, N), overwritten at these rows.
    """
    d, N = Z.shape
    R = len(reference)
    narrow = -ONE / square
    uncertainty = np.ones(N, np.float32)
    if seen >= 2:
        first, second = np.empty(N, np.float32), np.empty(N, np.float32)
        top_two(proba, N, first, second, uncertainty)
    padded = (R + 15) // 16 * 16
    away = np.full(padded, np.inf, np.float32)  # padding: too far from any label to be covered
    weight, around = np.zeros(padded, np.float32), np.empty((d, R), np.float32)
    for r in range(R):
        i = reference[r]
        weight[r] = max(uncertainty[i], LEAST)
        for c in range(near.shape[0]):
            away[r] = min(away[r], near[c, i])
        for j in range(d):
            around[j, r] = Z[j, i]
    covered, squares = np.empty(padded, np.float32), np.full(padded, np.inf, np.float32)
    for r in range(0, padded, 16):
        store(covered, r, exponential(load(away, r) * splat(narrow)))
    gains, point = np.full((2, N), UNKNOWN), np.empty(d, np.float32)
    mean, plain_mean = 0.0, 0.0
    for m in range(R + len(rows)):
        i = reference[m] if m < R else rows[m - R]
        if gains[0, i] == UNKNOWN:
            for j in range(d):
                point[j] = Z[j, i]
            _take_squares(around, point, squares[:R])
            gains[0, i], gains[1, i] = _gains(squares, covered, weight, narrow)
        if m < R:
            mean += gains[0, i] / R
            plain_mean += gains[1, i] / R
    for m in range(R + len(rows)):
        i = reference[m] if m < R else rows[m - R]
        values[0, i] = squash(np.float32(gains[0, i] / mean)) if mean > 0.0 else ZERO
        values[1, i] = squash(np.float32(gains[1, i] / plain_mean)) if plain_mean > 0.0 else ZERO


@kernel
def _take_squares(points, point, out):
    """Write squared distances of columns to a point, four coordinates at a time."""
    d, n = points.shape
    set_all(out, ZERO)
    j = 0
    while j + 4 <= d:
        a, b, c, e = point[j], point[j + 1], point[j + 2], point[j + 3]
        for i in range(n):
            p, q = points[j, i] - a, points[j + 1, i] - b
            u, v = points[j + 2, i] - c, points[j + 3, i] - e
            out[i] += p * p + q * q + u * u + v * v
        j += 4
    while j < d:
        a = point[j]
        for i in range(n):
            p = points[j, i] - a
            out[i] += p * p
        j += 1


@kernel
def _gains(squares, covered, weight, narrow):
    """Return the weighted and the plain sum of what a kernel adds to that of the labels."""
    zero, share = splat(ZERO), splat(narrow)
    weighted, plain = splat(ZERO), splat(ZERO)
    for r in range(0, len(squares), 16):
        near = exponential(load(squares, r) * share)
        more = maximum(near - load(covered, r), zero)
        weighted = weighted + more * load(weight, r)
        plain = plain + more
    return reduce_sum(weighted), reduce_sum(plain)


@kernel
def _write_rarity(proba, seen, reference, values):
    """Write the chance that a reference row is of another class than a row, shape (N,)."""
    if seen < 2:
        set_all(values, HALF)
        return
    set_all(values, ONE)
    for c in range(proba.shape[0]):
        share = 0.0
        for r in range(len(reference)):
            share += proba[c, reference[r]]
        single = np.float32(share / len(reference))
        for i in range(len(values)):
            values[i] -= proba[c, i] * single
