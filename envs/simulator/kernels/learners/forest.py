"""Random forests in the simulator: grown anew after every label, on rows kept in sorted order."""

from typing import Any

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.layout import get_points, get_problem
from envs.simulator.kernels.learners.trees import (
    fit_forest,
    insert_sorted,
    predict_forest,
    seed_stream,
)
from envs.simulator.kernels.metrics import classes_seen, measure


@kernel
def spread_classes(proba, seen, S, n):
    """Move the first S rows of `proba` to the rows of their classes; all others become 0."""
    s = S - 1
    for c in range(proba.shape[0] - 1, -1, -1):
        if s >= 0 and seen[s] == c:
            if s != c:
                for i in range(n):
                    proba[c, i] = proba[s, i]
            s -= 1
        else:
            for i in range(n):
                proba[c, i] = 0.0


@kernel
def update_forest(u: Any) -> None:
    """Grow forests anew (`repeats` of each, averaged), predict and measure."""
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        task = u.tasks[u.task[e]]
        p = get_problem(task, u.from_reward)
        L, points = u.n_labelled[e], get_points(u.x32, task.at_x32, p)
        rows = u.rows[e]
        order = u.ints[slot, : p.D * p.Lmax].reshape(p.D, p.Lmax)
        for a in range(max(u.fitted[slot], 0), L):
            insert_sorted(points, rows, order, a)
        u.fitted[slot] = L
        n = p.n - p.lo
        proba = u.proba[m, : p.C * n].reshape(p.C, n)
        compact, seen = np.empty(p.C, np.int64), np.empty(p.C, np.int64)
        S = classes_seen(u.count[e], p.C, compact, seen, proba, n)
        ends = u.ends[task.at_ends : task.at_ends + p.C + 1]
        if S < 2:
            measure(u.proba[m], ends, p, u.metrics[m])
            continue
        M = np.int64(p.first)
        values, codes = np.empty((p.D, L), np.float32), np.empty(L, np.int64)
        for a in range(L):
            codes[a] = compact[u.labels[e, a]]
        for j in range(p.D):
            for a in range(L):
                values[j, a] = points[j, rows[a]]
        trees = (
            np.empty((M, 2 * L), np.int32),
            np.empty((M, 2 * L), np.float32),
            np.empty((M, 2 * L), np.int32),
            np.empty((M, 2 * L, S), np.float32),
            np.empty(M, np.int64),
        )
        in_bag, importance = np.empty((M, L), np.int32), np.empty((2, p.D))
        state, metrics = np.empty(1, np.uint64), np.zeros(3)
        wide = u.entropy.shape[1] > 0
        entropy = u.entropy[m, : n if wide else 0]
        u.metrics[m] = 0.0
        for r in range(u.repeats):
            seed_stream(state, u.rng_state[e, 2, 0] + np.uint64(r), L)
            fit_forest(
                values, order, codes, L, S, np.int64(p.second), state, trees, in_bag, importance
            )  # fmt: skip
            predict_forest(points, trees, S, proba, np.empty(0), entropy, p.lo, p.n)
            spread_classes(proba, seen, S, n)
            measure(u.proba[m], ends, p, metrics)
            for k in range(3):
                u.metrics[m, k] += metrics[k] / u.repeats
