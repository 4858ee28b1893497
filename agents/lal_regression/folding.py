"""Folded features: the published ones without the names of the classes, for two or more of them.

Ours. With two classes folding is exact: |2 p - 1| for P(class 0), the smaller share for the share
of class 1; the other six features know no class. `unfolded` writes trees on folded features as
trees on the published ones, for the compiled episodes.
"""

import numpy as np

from lal.arrays import Floats
from lal.policies.scoring.trees import Tensors

PUBLISHED, FOLDED = "lal_forest@1", "lal_forest_folded@1"
"""Feature ids."""

MEAN, SHARE = 0, 2
"""Columns that folding changes: P(class 0) and the share of class 1."""


def fold(features: Floats) -> Floats:
    """Return folded features of published ones, shape (n, 8); see `lal.features.forest`.

    Six digits are kept, so that p and 1 - p of single precision fold to one number and no split
    can lie between them.
    """
    folded = features.copy()
    folded[:, MEAN] = np.round(np.abs(2.0 * features[:, MEAN] - 1.0), 6)
    folded[:, SHARE] = 2.0 * np.minimum(features[:, SHARE], 1.0 - features[:, SHARE])
    return folded


def unfolded(trees: Tensors) -> Tensors:
    """Return the same function as trees on the published features.

    |2 p - 1| <= t is p <= (1 + t) / 2 and not p < (1 - t) / 2; 2 min(s, 1 - s) <= t is s <= t / 2
    or s >= 1 - t / 2. Each such split becomes two, one side appearing twice.
    """
    out: dict[str, list[float]] = {"feature": [], "threshold": [], "left": [], "right": []}
    values: list[Floats] = []

    def add(feature: int, threshold: float, value: Floats) -> int:
        at = len(values)
        for name, number in zip(out, (feature, threshold, at, at), strict=True):
            out[name].append(number)
        values.append(value)
        return at

    def split(feature: int, threshold: float, left: int, right: int) -> int:
        """Copy two old subtrees below a new split."""
        at = add(feature, threshold, np.zeros_like(trees["value"][0]))
        out["left"][at], out["right"][at] = copy(left), copy(right)
        return at

    def copy(old: int) -> int:
        left, right = int(trees["left"][old]), int(trees["right"][old])
        feature, at = int(trees["feature"][old]), float(trees["threshold"][old])
        if left == old:
            return add(0, 0.0, trees["value"][old])
        if feature not in (MEAN, SHARE):
            return split(feature, at, left, right)
        inner, outer = (left, right) if feature == MEAN else (right, left)
        low, high = ((1.0 - at) / 2, (1.0 + at) / 2) if feature == MEAN else (at / 2, 1.0 - at / 2)
        # Folded equality belongs to the left child, at the lower as at the upper end.
        lowest = np.nextafter(low, -1.0) if feature == MEAN else low
        highest = high if feature == MEAN else np.nextafter(high, -1.0)
        top = add(feature, float(lowest), np.zeros_like(trees["value"][0]))
        out["left"][top] = copy(outer)
        out["right"][top] = split(feature, float(highest), inner, outer)
        return top

    roots = [copy(int(root)) for root in trees["roots"]]
    return {
        "feature": np.array(out["feature"], trees["feature"].dtype),
        "threshold": np.array(out["threshold"], trees["threshold"].dtype),
        "left": np.array(out["left"], trees["left"].dtype),
        "right": np.array(out["right"], trees["right"].dtype),
        "value": np.array(values, trees["value"].dtype),
        "roots": np.array(roots, trees["roots"].dtype),
    }
