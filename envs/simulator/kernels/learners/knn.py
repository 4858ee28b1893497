"""k nearest neighbours: every point keeps its sorted list of nearest labelled rows."""

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.distances import squared_to_column


@kernel
def start_knn(distance):
    """Empty the lists: nothing is labelled.

    Args:
        distance: Squared distances of the neighbours of n points, shape (k, n), overwritten.
    """
    distance[:] = np.inf


@kernel
def add_knn(XT, D, row, label, distance, labels):
    """Offer one more labelled row to the lists of all points.

    An equally near row that was labelled earlier stays ahead.

    Args:
        XT: Points, one a column, shape (D or more, n).
        D: Columns that count.
        row: Column of the labelled point.
        label: Its class code.
        distance: Squared distances of the neighbours, nearest first, shape (k, n), updated.
        labels: Their codes, shape (k, n), updated.
    """
    k, n = distance.shape
    new = np.empty(n)
    squared_to_column(XT, D, row, new)
    for i in range(n):
        d = new[i]
        if not d < distance[k - 1, i]:
            continue
        m = k - 1
        while m > 0 and d < distance[m - 1, i]:
            distance[m, i] = distance[m - 1, i]
            labels[m, i] = labels[m - 1, i]
            m -= 1
        distance[m, i] = d
        labels[m, i] = label


@kernel
def predict_knn(labels, n_labelled, proba, lo, hi):
    """Write class shares among the nearest ``min(k, L)`` rows.

    Args:
        labels: Codes of the neighbours, shape (k, n).
        n_labelled: Labelled rows, L, at least 1.
        proba: Shape (C, hi - lo), overwritten.
        lo: First point.
        hi: One past the last point.
    """
    k = min(labels.shape[0], n_labelled)
    share = 1.0 / k
    for c in range(proba.shape[0]):
        for i in range(hi - lo):
            proba[c, i] = 0.0
    for m in range(k):
        for i in range(hi - lo):
            proba[labels[m, lo + i], i] += share
