"""Labelling episodes over shared task tables: start, acquire, slate and look ahead, E at a time."""

from typing import Any

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import set_all
from envs.simulator.kernels.distances import squared_to_column
from envs.simulator.kernels.random_numbers import below, uniform


@kernel
def _measure_distances(s, Z, rows, L, near, total, squares):
    """Take the last of L labels into everything of one episode that depends on distances.

    Args:
        s: Sizes of the task.
        Z: Encoded pool rows, one a column, shape (d, N).
        rows: Labelled rows.
        L: Labels.
        near: Squared distances to the nearest label of its class, shape (N,).
        total: Sums of distances, shape (N,).
        squares: Squared distances between labels, flat.
    """
    N, most = s.pool, s.most
    new = np.empty(N, np.float32)
    squared_to_column(Z, s.encoded, rows[L - 1], new)
    for i in range(N):
        near[i] = min(near[i], new[i])
        total[i] += np.sqrt(new[i])
    last = L - 1
    for m in range(last):
        squares[last * most + m] = new[rows[m]]
        squares[m * most + last] = new[rows[m]]
    squares[last * most + last] = np.inf


@kernel
def _update_leverage(inverse, h, Z, row):
    d, N = Z.shape
    M = inverse.reshape(d + 1, d + 1)
    u = np.empty(d + 1)
    for i in range(d + 1):
        u[i] = M[d, i]
    for j in range(d):
        z = Z[j, row]
        for i in range(d + 1):
            u[i] += z * M[j, i]
    scale = 1.0 / (1.0 + h[row])
    g, single = np.empty(N, np.float32), np.empty(d + 1, np.float32)
    for j in range(d + 1):
        single[j] = u[j]
    for i in range(N):
        g[i] = single[d]
    j = 0
    while j + 4 <= d:
        a, b, c, f = single[j], single[j + 1], single[j + 2], single[j + 3]
        for i in range(N):
            g[i] += a * Z[j, i] + b * Z[j + 1, i] + c * Z[j + 2, i] + f * Z[j + 3, i]
        j += 4
    while j < d:
        a = single[j]
        for i in range(N):
            g[i] += a * Z[j, i]
        j += 1
    for i in range(N):
        h[i] = max(h[i] - scale * g[i] * g[i], 0.0)
    for j in range(d + 1):
        step = scale * u[j]
        for i in range(d + 1):
            M[j, i] -= step * u[i]


@kernel
def _clear_values(s, Z, opened, place, near, total, leverage, inverse):
    """Forget the labels of one episode: all rows are open and infinitely far from any label."""
    N, d = s.pool, s.encoded
    for i in range(N):
        opened[i] = i
        place[i] = i
        total[i] = 0.0
    set_all(near, np.float32(np.inf))
    if len(leverage) == 0:
        return
    set_all(leverage, 1.0)
    for j in range(d):
        for i in range(N):
            leverage[i] += Z[j, i] * Z[j, i]
    set_all(inverse, 0.0)
    for j in range(d + 1):
        inverse[j * (d + 1) + j] = 1.0


@kernel
def acquire(t: Any, eps: Any, ids: Any, wanted: Any, noise: Any, fresh: Any) -> None:
    """Acquire labels; nothing is refitted yet.

    Args:
        t: Tasks.
        eps: Episodes; the rng_state of fresh ones are seeded, their tasks written down.
        ids: Which episodes.
        wanted: Open rows that each of them asks for, shape (len(ids), B), filled up with -1; of
            fresh episodes and width 0, the start of the task itself is drawn.
        noise: Probability that a label is replaced by a random one.
        fresh: Whether the episodes start anew.
    """
    for at in range(len(ids)):
        e = ids[at]
        s = t.tasks[eps.task[e]]
        N, d = s.pool, s.encoded
        rows, labels, count = eps.rows[e], eps.labels[e], eps.count[e]
        opened, place, near, total = (
            eps.open[e],
            eps.place[e],
            eps.near[e, : s.classes * N],
            eps.total[e],
        )
        squares, leverage = eps.squares[e], eps.leverage[e]
        inverse = eps.inverse[e, : (d + 1) * (d + 1)]
        Z = t.z[s.at_z : s.at_z + d * N].reshape(d, N)
        L, n_open = eps.n_labelled[e], eps.n_open[e]
        if fresh:
            L, n_open = 0, N
            set_all(count, 0)
            _clear_values(s, Z, opened, place, near, total, leverage, inverse)
        drawn = s.most - s.budget if s.start < 0 else s.start
        if not fresh or wanted.shape[1] > 0:
            drawn = 0
        m, first, noises = 0, eps.rng_state[e, 0], eps.rng_state[e, 3]
        while m < wanted.shape[1] or (drawn > L and n_open > 1):
            row = wanted[at, m] if m < wanted.shape[1] else opened[below(first, n_open)]
            m += 1
            if row < 0:
                continue
            label = np.int64(t.y[s.at_y + row])
            if noise > 0.0 and uniform(noises) < noise:
                label = below(noises, s.classes)
            rows[L], labels[L] = row, label
            count[label] += 1
            L += 1
            n_open -= 1
            _swap(opened, place, place[row], n_open)
            nearest = near[label * N : (label + 1) * N]
            _measure_distances(s, Z, rows, L, nearest, total, squares)
            if len(leverage) > 0:
                _update_leverage(inverse, leverage, Z, row)
            seen = 0
            for c in range(s.classes):
                seen += count[c] > 0
            if s.start < 0 and seen >= 2:
                drawn = 0
        eps.n_labelled[e], eps.n_open[e] = L, n_open
        if fresh:
            eps.n_start[e] = L


@kernel
def assume_label(t: Any, eps: Any, ids: Any, rows: Any) -> None:
    """Write down the true label of one row in each episode, for a look ahead."""
    for at in range(len(ids)):
        e = ids[at]
        L = eps.n_labelled[e]
        label = t.y[t.tasks[eps.task[e]].at_y + rows[at]]
        eps.rows[e, L] = rows[at]
        eps.labels[e, L] = label
        eps.count[e, label] += 1
        eps.n_labelled[e] = L + 1


@kernel
def retract_label(eps: Any, ids: Any) -> None:
    """Take back what `assume_label` wrote."""
    for at in range(len(ids)):
        e = ids[at]
        L = eps.n_labelled[e] - 1
        eps.count[e, eps.labels[e, L]] -= 1
        eps.n_labelled[e] = L


@kernel
def draw_slates(t: Any, eps: Any, ids: Any, uncertain_share: Any, slates: Any) -> None:
    """Draw the rows offered next.

    Args:
        t: Tasks.
        eps: Episodes.
        ids: Which episodes.
        uncertain_share: Share of the slate that goes to the smallest top-two margins, ties at
            random; 0 draws all uniformly. Without two seen classes all are drawn uniformly.
        slates: Pool rows, shape (E, K), overwritten, filled up with -1.
    """
    K = slates.shape[1]
    for at in range(len(ids)):
        e = ids[at]
        size = min(K, eps.n_open[e])
        word = eps.rng_state[e, 1]
        slate, opened, place = slates[e], eps.open[e], eps.place[e]
        set_all(slate, -1)
        first = 0
        if uncertain_share > 0.0:
            first = _gather_uncertain(
                t.tasks[eps.task[e]], eps.count[e], eps.proba[e], opened, place, eps.n_open[e],
                word, np.int64(uncertain_share * size),
            )  # fmt: skip
        for m in range(first, size):
            _swap(opened, place, m, m + below(word, eps.n_open[e] - m))
        for m in range(size):
            slate[m] = opened[m]
        if first > 0:
            for m in range(size - 1):
                other = m + below(word, size - m)
                slate[m], slate[other] = slate[other], slate[m]


@kernel
def _swap(opened, place, a, b):
    row, other = opened[a], opened[b]
    opened[a], opened[b] = other, row
    place[other], place[row] = a, b


@kernel
def _smallest(values, k):
    """Return the k-th smallest value, counted from 0; the order of `values` is lost."""
    lo, hi = 0, len(values) - 1
    while lo < hi:
        pivot = values[(lo + hi) // 2]
        i, j = lo, hi
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            hi = j
        elif k >= i:
            lo = i
        else:
            break
    return values[k]


@kernel
def _gather_uncertain(s, count, flat, opened, place, n_open, word, wanted):
    """Move the open rows of smallest margin to the front and return how many."""
    n, C = s.points, s.classes
    seen = 0
    for c in range(C):
        seen += count[c] > 0
    if seen < 2 or wanted == 0:
        return 0
    proba = flat[: C * n].reshape(C, n)
    margin = np.empty(n_open)
    for m in range(n_open - 1):
        _swap(opened, place, m, m + below(word, n_open - m))
    for m in range(n_open):
        i = opened[m]
        top, second = proba[0, i], -1.0
        for c in range(1, C):
            q = proba[c, i]
            if q > top:
                top, second = q, top
            elif q > second:
                second = q
        margin[m] = top - second
    limit = _smallest(margin.copy(), wanted - 1)
    front = 0
    for m in range(n_open):
        if margin[m] < limit:
            margin[m], margin[front] = margin[front], margin[m]
            _swap(opened, place, m, front)
            front += 1
    for m in range(front, n_open):
        if front < wanted and margin[m] == limit:
            margin[m], margin[front] = margin[front], margin[m]
            _swap(opened, place, m, front)
            front += 1
    return wanted
