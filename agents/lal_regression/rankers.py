"""Regressors as the kernels walk them: padded arrays, the two children of a node side by side."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lal.policies.scoring.trees import Tensors

Ranker = tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]
"""``(feature, threshold, child, leaf)``: (S, M, nodes) and (S, M, nodes, 1); see the kernels."""


def no_ranker() -> Ranker:
    """Return arrays without trees, for rules that look at none."""
    whole, single = np.zeros((1, 0, 0), np.int32), np.zeros((1, 0, 0), np.float32)
    return whole, single, whole.copy(), np.zeros((1, 0, 0, 1), np.float32)


def stacked(ensembles: Sequence[Tensors]) -> Ranker:
    """Return regressors of the same number of trees as one ranker, one for every size.

    Leaves are shifted to be positive, as the kernels skip others: the ranking stays.
    """
    walks = [[_side_by_side(e, int(root)) for root in e["roots"]] for e in ensembles]
    shape = len(walks), len(walks[0]), max(len(t[0]) for trees in walks for t in trees)
    feature, child = np.full(shape, -1, np.int32), np.zeros(shape, np.int32)
    threshold, leaf = np.zeros(shape, np.float32), np.zeros((*shape, 1), np.float32)
    for s, trees in enumerate(walks):
        low = min(float(values.min()) for *_, values in trees)
        for m, (features, thresholds, children, values) in enumerate(trees):
            n = len(features)
            feature[s, m, :n], threshold[s, m, :n] = features, thresholds
            child[s, m, :n], leaf[s, m, :n, 0] = children, values - low + 1e-6
    return feature, threshold, child, leaf


def _side_by_side(
    ensemble: Tensors, root: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Return feature (-1: leaf), threshold, left child and value of one tree, renumbered."""
    nodes, children = [root], []
    for old in nodes:
        left = int(ensemble["left"][old])
        if left == old:
            children.append(-1)
            continue
        children.append(len(nodes))
        nodes += [left, int(ensemble["right"][old])]
    child = np.array(children)
    at = np.array(nodes)
    feature = np.where(child < 0, -1, ensemble["feature"][at])
    values = np.where(child < 0, ensemble["value"][at, 0], np.inf)
    low = values.min()
    return feature, ensemble["threshold"][at], child, np.where(child < 0, values, low)
