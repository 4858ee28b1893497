"""k nearest neighbours: every point keeps its sorted list of nearest labelled rows."""

from typing import Any

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.distances import squared_to_column
from envs.simulator.kernels.layout import get_points, get_problem
from envs.simulator.kernels.metrics import classes_seen, measure


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

    An equally near row that was labelled earlier stays ahead. Distances are float64, as
    scikit-learn's are: float32 would make ties of near neighbours.

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
        # Not `d >= ...`: a distance that is NaN enters no list.
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


@kernel
def update_knn(u: Any) -> None:
    """Bring nearest-neighbour classifiers up to date, predict and measure."""
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        task = u.tasks[u.task[e]]
        p = get_problem(task, u.from_reward)
        L, points = u.n_labelled[e], get_points(u.x, task.at_x, p)
        f, i, k = u.floats[slot], u.ints[slot], np.int64(p.first)
        distance, labels = f[: k * p.n].reshape(k, p.n), i[: k * p.n].reshape(k, p.n)
        if u.fitted[slot] < 0:
            start_knn(distance)
            u.fitted[slot] = 0
        for a in range(u.fitted[slot], L):
            add_knn(points, p.D, u.rows[e, a], u.labels[e, a], distance, labels)
        u.fitted[slot] = L
        n = p.n - p.lo
        proba = u.proba[m, : p.C * n].reshape(p.C, n)
        compact, seen = np.empty(p.C, np.int64), np.empty(p.C, np.int64)
        if classes_seen(u.count[e], p.C, compact, seen, proba, n) >= 2:
            predict_knn(labels, L, proba, p.lo, p.n)
        measure(u.proba[m], u.ends[task.at_ends : task.at_ends + p.C + 1], p, u.metrics[m])
