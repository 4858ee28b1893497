"""Features made of distances to labels, by class and among neighbours."""

import math

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import set_all
from envs.simulator.kernels.features.model import minus_x_log

ZERO, ONE = np.float32(0.0), np.float32(1.0)
INFINITE = np.float32(np.inf)
LITTLE_LESS = np.float32(1.0 - 1e-6)
"""A neighbour counts as nearer than a label only by more than float32 distances are exact to."""

CERTAINTY_SLACK = np.float32(2e-7)
"""Classes within two roundings of the largest probability are all predicted."""


@kernel(forceinline=True)
def squash(r):
    """Return r / (1 + r), 1 for infinity."""
    return ONE if r == INFINITE else r / (ONE + r)


@kernel
def distances_to_classes(proba, near, scale, predicted, top, column):
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
        top[k] -= CERTAINTY_SLACK
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
        column[k] = squash(np.sqrt(column[k]) / scale)


@kernel
def class_gaps(near, a, b, column):
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
def neighbour_entropies(near, scale, seen, whole, column):
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
            column[k] += minus_x_log(weight / whole[k])
    over = np.float32(1.0 / math.log(seen))
    for k in range(n):
        column[k] *= over


@kernel
def uncovered_shares(distance, around, s, reach, rows, column):
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
