"""Gaussian naive Bayes with running means and variances (Welford).

Sums of squares would cancel where a column's mean is large beside its deviation; Welford's update
does not. Prediction is strict floating point: rows that are all equal make variances of 0, and what
is infinite or NaN then must be found as such.
"""

import math
from typing import Any

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.elementary import exponential
from envs.simulator.kernels.layout import get_points, get_problem
from envs.simulator.kernels.metrics import classes_seen, measure


@kernel
def start_naive_bayes(count, mean, spread):
    """Forget all rows.

    Args:
        count: Rows of every class, and of all in the last place, shape (C + 1,), overwritten.
        mean: Column means of the same groups, shape (C + 1, D), overwritten.
        spread: Sums of squared deviations of the same groups, shape (C + 1, D), overwritten.
    """
    count[:] = 0
    mean[:] = 0.0
    spread[:] = 0.0


@kernel
def add_naive_bayes(XT, row, label, count, mean, spread):
    """Take one more labelled row, column `row` of XT, into the sums of its class and of all."""
    C, D = mean.shape
    for g in (label, C - 1):
        count[g] += 1
        share = 1.0 / count[g]
        for j in range(D):
            gap = XT[j, row] - mean[g, j]
            mean[g, j] += gap * share
            spread[g, j] += gap * (XT[j, row] - mean[g, j])


@kernel(fastmath=False)
def predict_naive_bayes(XT, count, mean, spread, smoothing, proba, lo, hi):
    """Write the posterior of every class; unseen classes get 0.

    Points without a finite posterior (all labelled rows equal) are uniform over the seen classes.

    Args:
        XT: Points, one a column, shape (D or more, n).
        count: Rows of every class and of all, shape (C + 1,).
        mean: Column means, shape (C + 1, D).
        spread: Sums of squared deviations, shape (C + 1, D).
        smoothing: Share of the largest variance added to all.
        proba: Shape (C, hi - lo), overwritten.
        lo: First point.
        hi: One past the last point.
    """
    C = mean.shape[0] - 1
    D = mean.shape[1]
    n = hi - lo
    density = np.empty((C, n))  # logarithms far below what float32 tells apart
    widest = 0.0
    for j in range(D):
        widest = max(widest, spread[C, j] / count[C])
    extra = smoothing * widest
    seen = 0
    for c in range(C):
        if count[c] == 0:
            proba[c, :] = 0.0
            continue
        seen += 1
        constant = math.log(count[c] / count[C])
        for j in range(D):
            constant -= 0.5 * math.log(2.0 * math.pi * (spread[c, j] / count[c] + extra))
        for i in range(n):
            density[c, i] = constant
        for j in range(D):
            half = -0.5 / (spread[c, j] / count[c] + extra)
            centre = mean[c, j]
            for i in range(n):
                gap = XT[j, lo + i] - centre
                density[c, i] += half * gap * gap
    for i in range(n):
        top = -np.inf
        for c in range(C):
            if count[c] > 0 and not density[c, i] <= top:
                top = density[c, i]
        total = 0.0
        if math.isfinite(top):
            for c in range(C):
                if count[c] > 0:
                    density[c, i] = exponential(density[c, i] - top)
                    total += density[c, i]
        for c in range(C):
            if count[c] > 0:
                proba[c, i] = density[c, i] / total if total > 0.0 else 1.0 / seen


@kernel
def update_naive_bayes(u: Any) -> None:
    """Bring Gaussian naive Bayes classifiers up to date, predict and measure."""
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        task = u.tasks[u.task[e]]
        p = get_problem(task, u.from_reward)
        L, points = u.n_labelled[e], get_points(u.x, task.at_x, p)
        f, groups, size = u.floats[slot], p.C + 1, (p.C + 1) * p.D
        count, mean = u.ints[slot, :groups], f[:size].reshape(groups, p.D)
        spread = f[size : 2 * size].reshape(groups, p.D)
        if u.fitted[slot] < 0:
            start_naive_bayes(count, mean, spread)
            u.fitted[slot] = 0
        for a in range(u.fitted[slot], L):
            add_naive_bayes(points, u.rows[e, a], u.labels[e, a], count, mean, spread)
        u.fitted[slot] = L
        n = p.n - p.lo
        proba = u.proba[m, : p.C * n].reshape(p.C, n)
        compact, seen = np.empty(p.C, np.int64), np.empty(p.C, np.int64)
        if classes_seen(u.count[e], p.C, compact, seen, proba, n) >= 2:
            predict_naive_bayes(points, count, mean, spread, p.first, proba, p.lo, p.n)
        measure(u.proba[m], u.ends[task.at_ends : task.at_ends + p.C + 1], p, u.metrics[m])
