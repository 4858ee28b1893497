"""What the few-shot heads see of a small set: cosines, places, distances to prototypes.

All functions take leading axes, so the trainer and the policy share them.
"""

import numpy as np

from lal.arrays import Bools, Floats, Ints

N_ORDER, N_KNOWN, N_STATISTICS, N_DIVERSITY = 4, 7, 6, 2
"""Widths of the four groups of features."""

SHARP = 8.0
"""Cosines are multiplied by it: they differ by tenths, logits by whole numbers."""


def cosines(Z: Floats) -> Floats:
    """Return the cosine similarities within each set, shape (..., N, N)."""
    unit = Z / np.maximum(np.linalg.norm(Z, axis=-1, keepdims=True), 1e-12)
    values: Floats = unit @ np.swapaxes(unit, -1, -2)
    return values


def order_features(S: Floats) -> Floats:
    """Return, for a set read in order, similarities to items before, behind, all, nearest five."""
    N = S.shape[-1]
    earlier = np.tril(np.ones((N, N), dtype=bool), -1)
    before = np.where(earlier, S, -1.0).max(axis=-1)
    behind = np.where(earlier.T, S, -1.0).max(axis=-1)
    return SHARP * np.stack([before, behind, S.mean(axis=-1), nearest(S)], axis=-1)


def nearest(S: Floats, k: int = 5) -> Floats:
    """Return the mean similarity to the k nearest others, shape (..., N)."""
    others = np.where(np.eye(S.shape[-1], dtype=bool), -np.inf, S)
    k = min(k, S.shape[-1] - 1)
    values: Floats = np.sort(others, axis=-1)[..., -k:].mean(axis=-1)
    return values


def known_features(S: Floats, chosen: Bools) -> Floats:
    """Return largest, mean and least similarity to the chosen items and to the others; density.

    The density, the similarity to the nearest five, is ours; the six are Bachman et al.'s.
    """
    groups = []
    others: Bools = np.logical_not(chosen)
    for given in (chosen, others):
        mask = np.asarray(given)
        there = np.expand_dims(mask, -2)
        count = np.maximum(mask.sum(axis=-1), 1)[..., None]
        found = np.asarray(mask.any(axis=-1))[..., None]
        groups += [
            np.where(found, np.where(there, S, -1.0).max(axis=-1), 0.0),
            np.where(found, np.where(there, S, 0.0).sum(axis=-1) / count, 0.0),
            np.where(found, np.where(there, S, 1.0).min(axis=-1), 0.0),
        ]
    return SHARP * np.stack([*groups, nearest(S)], axis=-1)


def prototype_statistics(Z: Floats, S: Floats, support: Floats, labels: Ints, C: int) -> Floats:
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
            top[..., -1] - top[..., -2], nearest(S),
        ],
        axis=-1,
    )  # fmt: skip


def diversity_features(S: Floats, chosen: Bools) -> Floats:
    """Return largest and mean similarity to the items chosen already, zeros before the first."""
    return known_features(S, chosen)[..., :2]
