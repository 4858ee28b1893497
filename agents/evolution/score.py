"""What a weight vector is worth: areas over margin on shared tasks, no task counting too much."""

import numpy as np

from lal.arrays import Floats

FLOOR = 0.01
"""Spread below which a task's differences are not blown up, in units of area."""

LARGEST = 3.0
"""Scaled differences are clipped here."""

TAIL = 0.2
"""Share of tasks that the tail is the mean of."""


def get_scores(areas: Floats, margin: Floats, tail_weight: float) -> Floats:
    """Return one score per weight vector, shape (P,).

    Differences to margin are divided by their spread on the task, over vectors (so that easy and
    hard tasks count alike), clipped, and averaged; the mean of the worst fifth is added.

    Args:
        areas: Areas of P vectors on T tasks, shape (P, T).
        margin: Areas of margin on the same episodes, shape (T,).
        tail_weight: Weight of the worst fifth.
    """
    gaps = areas - margin
    spread = np.sqrt((gaps**2).mean(axis=0)) + FLOOR
    scaled = np.clip(gaps / spread, -LARGEST, LARGEST)
    scores: Floats = (scaled.mean(axis=1) + tail_weight * get_tail(scaled)) / (1.0 + tail_weight)
    return scores


def get_tail(values: Floats) -> Floats:
    """Return the mean of the lowest fifth of each row, at least of one, shape (P,)."""
    n = max(1, int(np.ceil(TAIL * values.shape[1])))
    lowest: Floats = np.sort(values, axis=1)[:, :n].mean(axis=1)
    return lowest
