"""What the few-shot heads see of a small set: similarities, coverage, distances to prototypes.

All functions take leading axes, so the trainer and the policy share them.
"""

from typing import NamedTuple

import numpy as np

from lal.arrays import Bools, Floats, Ints

SHARP = 8.0
"""Cosines are multiplied by it: they differ by tenths, logits by whole numbers."""

SHARPNESS = (2.0, 4.0, 8.0)
"""Kernels exp(s (cosine - 1)): how fast closeness falls, for the coverage of a set."""

N_COVERAGE = len(SHARPNESS)
N_ORDER, N_KNOWN, N_STATISTICS = 4 + N_COVERAGE, 7 + N_COVERAGE, 6
N_DIVERSITY = 2 + 3 * N_COVERAGE
N_NODE = N_KNOWN + 2
"""Widths of the groups of features."""


class Similarities(NamedTuple):
    """How alike the N items of a set are.

    Attributes:
        S: Cosines, shape (..., N, N).
        K: Kernels of `SHARPNESS`, shape (..., 3, N, N).
        density: Mean cosine to the nearest five others, shape (..., N).
        near: Largest kernel to a support sample, zeros without support, shape (..., 3, N).
    """

    S: Floats
    K: Floats
    density: Floats
    near: Floats


def similarities(Z: Floats, support: Floats | None = None) -> Similarities:
    """Return the similarities of embedded items (..., N, d), and those to support (..., S, d)."""
    unit = _unit(Z)
    S: Floats = unit @ np.swapaxes(unit, -1, -2)
    K = _kernels(S)
    near: Floats = np.zeros(K.shape[:-1])
    if support is not None and support.shape[-2] > 0:
        near = _kernels(_unit(support) @ np.swapaxes(unit, -1, -2)).max(axis=-2)
    return Similarities(S, K, nearest(S), near)


def _unit(Z: Floats) -> Floats:
    values: Floats = Z / np.maximum(np.linalg.norm(Z, axis=-1, keepdims=True), 1e-12)
    return values


def _kernels(S: Floats) -> Floats:
    return np.stack([np.exp(s * (S - 1.0)) for s in SHARPNESS], axis=-3)


def nearest(S: Floats, k: int = 5) -> Floats:
    """Return the mean similarity to the k nearest others, shape (..., N)."""
    others = np.where(np.eye(S.shape[-1], dtype=bool), -np.inf, S)
    k = min(k, S.shape[-1] - 1)
    values: Floats = np.sort(others, axis=-1)[..., -k:].mean(axis=-1)
    return values


def covered_by(K: Floats, chosen: Bools) -> Floats:
    """Return each item's largest kernel to a chosen one, 0 without any, shape (..., 3, N)."""
    values: Floats = np.where(chosen[..., None, None, :], K, 0.0).max(axis=-1)
    return values


def coverage_gains(K: Floats, covered: Floats, weights: Floats | None = None) -> Floats:
    """Return what each item would add to the coverage, as a share of the most, (..., N, 3).

    The coverage of a choice is the sum over all items of the kernel to the nearest chosen one:
    the criterion of k-medoids, of which these are the greedy steps.

    Args:
        K: Kernels, shape (..., 3, N, N).
        covered: See `covered_by`.
        weights: How much each covered item counts, shape (..., 3, N); equally by default.
    """
    added = np.maximum(K - covered[..., None, :], 0.0)
    gains = added.sum(axis=-1) if weights is None else (added @ weights[..., None])[..., 0]
    most = np.maximum(gains.max(axis=-1, keepdims=True), 1e-12)
    values: Floats = np.swapaxes(gains / most, -1, -2)
    return values


TIED = 1e-9
"""Gains closer than this are tied: far above the rounding of a sum, far below a real difference."""


def _tie_keys(Z: Floats) -> Floats:
    """Return a number per item, shape (..., N), that differs unless the items are equal."""
    keys: Floats = Z @ np.cos(np.arange(1.0, Z.shape[-1] + 1.0))
    return keys


def _lost(K: Floats, covered: Floats, later: Floats) -> Floats:
    """Return by how much the gains (R, N) fall as the coverage (R, N) rises; K is symmetric.

    Only items that are covered better now are looked at: few of them late in an order, which
    makes a whole order of N items about N log N rows of kernels instead of N^2.
    """
    risen = later > covered
    most = int(risen.sum(axis=-1).max())
    columns = np.argsort(~risen, axis=-1, kind="stable")[:, :most]  # others lose nothing
    part = K[np.arange(len(K))[:, None], columns]  # (R, most, N): whole rows lie together
    before, after = (np.take_along_axis(c, columns, axis=-1)[..., None] for c in (covered, later))
    # max(k - c, 0) = max(k, c) - c
    lost: Floats = (np.maximum(part, before) - np.maximum(part, after)).sum(axis=1)
    lost += (after - before).sum(axis=1)
    return lost


def coverage_order(K: Floats, Z: Floats) -> tuple[Ints, Floats]:
    """Return the greedy order by coverage of the middle kernel and the gains by all three.

    Exact ties are the rule, not the exception: the last two items of an order add the same
    whenever each is the other's nearest. Rounding would decide them, and so row order and the
    processor; here the items themselves do.

    Args:
        K: Kernels, shape (..., 3, N, N).
        Z: The embedded items, shape (..., N, d).

    Returns:
        The place of every item in the order, shape (..., N), and what it added when its turn
        came in each kernel's own order, as a share of the first, shape (..., N, 3).
    """
    *lead, _, N = K.shape
    rows = K.reshape(-1, N, N)
    keys = np.repeat(_tie_keys(Z).reshape(-1, N), N_COVERAGE, axis=0)
    every = np.arange(len(rows))
    covered, taken = np.zeros((len(rows), N)), np.zeros((len(rows), N), dtype=bool)
    place, worth = np.zeros((len(rows), N), dtype=np.int64), np.zeros((len(rows), N))
    gains = rows.sum(axis=-1)
    for t in range(N):
        gains[taken] = -1.0
        tied = gains >= gains.max(axis=-1, keepdims=True) - TIED
        best = np.where(tied, keys, -np.inf).argmax(axis=-1)
        place[every, best], worth[every, best] = t, gains[every, best]
        taken[every, best] = True
        later = np.maximum(covered, rows[every, best])
        gains -= _lost(rows, covered, later)
        covered = later
    worth /= worth.max(axis=-1, keepdims=True)
    places, values = place.reshape(*lead, N), worth.reshape(*lead, N)
    return places[..., N_COVERAGE // 2, :], np.swapaxes(values, -1, -2)


def order_features(given: Similarities, place: Ints, worth: Floats) -> Floats:
    """Return what an item is in an order: similarity to those before, behind, all, its nearest.

    Args:
        given: The similarities.
        place: Place of every item, shape (..., N).
        worth: Coverage it added; see `coverage_order`.
    """
    earlier = place[..., None, :] < place[..., :, None]
    later = place[..., None, :] > place[..., :, None]
    before = np.where(earlier, given.S, -1.0).max(axis=-1)
    behind = np.where(later, given.S, -1.0).max(axis=-1)
    four = np.stack([before, behind, given.S.mean(axis=-1), given.density], axis=-1)
    return SHARP * np.concatenate([four, worth], axis=-1)


def known_features(given: Similarities, chosen: Bools) -> Floats:
    """Return largest, mean and least similarity to the chosen items and to the others; coverage.

    The six are Bachman et al.'s; the density (similarity to the nearest five) and what the item
    would add to the coverage are ours.
    """
    groups = []
    others: Bools = np.logical_not(chosen)
    for group in (chosen, others):
        mask = np.asarray(group)
        there = np.expand_dims(mask, -2)
        count = np.maximum(mask.sum(axis=-1), 1)[..., None]
        found = np.asarray(mask.any(axis=-1))[..., None]
        groups += [
            np.where(found, np.where(there, given.S, -1.0).max(axis=-1), 0.0),
            np.where(found, np.where(there, given.S, 0.0).sum(axis=-1) / count, 0.0),
            np.where(found, np.where(there, given.S, 1.0).min(axis=-1), 0.0),
        ]
    gains = coverage_gains(given.K, covered_by(given.K, chosen))
    return SHARP * np.concatenate([np.stack([*groups, given.density], axis=-1), gains], axis=-1)


def prototype_statistics(
    Z: Floats, density: Floats, support: Floats, labels: Ints, C: int
) -> Floats:
    """Return what a prototype learner says of every item; renaming classes changes nothing.

    Least distance, gap to the second, mean distance (all over the pool's mean), entropy,
    margin, and the density of the item in the pool.
    """
    one_hot = (labels[..., None] == np.arange(C)).astype(np.float64)
    counts = np.maximum(one_hot.sum(axis=-2), 1.0)[..., None]
    prototypes = np.swapaxes(one_hot, -1, -2) @ support / counts
    gaps = Z[..., :, None, :] - prototypes[..., None, :, :]
    distance = np.sqrt((gaps**2).sum(axis=-1))
    scaled = distance / np.maximum(distance.mean(axis=(-1, -2), keepdims=True), 1e-12)
    ranked = np.sort(scaled, axis=-1)
    p = np.exp(-8.0 * (scaled - ranked[..., :1]))
    p = p / p.sum(axis=-1, keepdims=True)
    entropy = -(p * np.log(np.maximum(p, 1e-12))).sum(axis=-1)
    top = np.sort(p, axis=-1)
    return np.stack(
        [
            ranked[..., 0], ranked[..., 1] - ranked[..., 0], scaled.mean(axis=-1), entropy,
            top[..., -1] - top[..., -2], density,
        ],
        axis=-1,
    )  # fmt: skip


def diversity_features(given: Similarities, chosen: Bools) -> Floats:
    """Return largest and mean similarity to the items chosen already, zeros before the first.

    Then what the item would add to the coverage of the pool: from nothing, from the support, and
    from the support where items near the support count more.
    """
    known = known_features(given, chosen)
    covered = np.maximum(covered_by(given.K, chosen), given.near)
    beyond = coverage_gains(given.K, covered)
    inside = coverage_gains(given.K, covered, given.near)
    gains = np.concatenate([known[..., 7:], SHARP * beyond, SHARP * inside], axis=-1)
    return np.concatenate([known[..., :2], gains], axis=-1)


def node_features(given: Similarities, chosen: Bools, labels: Ints) -> Floats:
    """Return `known_features`, whether an item was chosen, and its label's share of the chosen."""
    same = (labels[..., :, None] == labels[..., None, :]) & (chosen[..., None, :])
    count = np.maximum(chosen.sum(axis=-1), 1)[..., None]
    share = np.where(chosen, same.sum(axis=-1) / count, 0.0)
    known = known_features(given, chosen)
    return np.concatenate([known, np.stack([chosen.astype(np.float64), share], axis=-1)], axis=-1)


def neighbours(S: Floats) -> Floats:
    """Return the weights of the graph's edges: the softmax of `SHARP` times the cosines."""
    weights = np.exp(SHARP * (S - 1.0))
    values: Floats = weights / weights.sum(axis=-1, keepdims=True)
    return values
