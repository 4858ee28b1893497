"""Logistic regressions of the simulator: fits sent to their solvers, and predictions made."""

import math
from collections import namedtuple
from typing import Any

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import fill
from envs.simulator.kernels.layout import get_problem
from envs.simulator.kernels.linear import linear_scores, sigmoid_pair, softmax_rows
from envs.simulator.kernels.logistic import binary, multinomial, multinomial_float64
from envs.simulator.kernels.logistic.multinomial_steps import STILL
from envs.simulator.kernels.logistic.newton import newton_softmax
from envs.simulator.kernels.logistic.span import NARROW, get_coordinates, weights_in_columns
from envs.simulator.kernels.metrics import classes_seen, measure

TOLERANCE = np.float32(1e-4)
"""Largest gradient entry at which a logistic fit stops; less for wide data, whose errors add up."""

TOLERANCE_OF_MANY = np.float32(7e-5)
"""The same for more than two classes."""

PAIRS, NEXT, CLASSES, USED = range(4)
"""Header of a fit: pairs kept and place of the next, classes it is of, coordinates in use."""

HEADER = 4
"""Integers before the codes and the order of the rows."""

UNFINISHED = -1
"""Stands as the place of the next pair in a fit that single precision could not finish."""

MEMORY = 8
"""Pairs that a fit of more than two classes keeps; 16 are slower, and need no fewer iterations."""

FLAT = 3e3
"""Labels times the mean square of a number over the penalty above which a logistic fit is finished
in float64: some directions are so flat that the rounding of a float32 gradient moves scores."""

MOST_UNKNOWNS = 300
"""Weights that a float64 finish looks for by Newton's method; more are left to limited memory,
because a Newton step costs their cube."""

ONE = np.float32(1.0)

Labelled = namedtuple("Labelled", "rows labels fitted L compact")
"""Labelled rows of an episode and their codes, how many the fit has taken (-1: empty it first), how
many there are, and the number of every seen class."""


@kernel(forceinline=True)
def fit_shape(D: Any, C: Any, Lmax: Any) -> Any:
    """Return most coordinates without the constant, the stride, the room for rows, the pairs."""
    r = D if D <= NARROW else min(D, Lmax)
    return r, (r + 16) // 16 * 16, (Lmax + 15) // 16 * 16, MEMORY


def fit_size(columns: int, classes: int, most: int) -> tuple[int, int, int]:
    """Return how many float64, integers and float32 the fit of one task needs."""
    r, stride, cap, memory = fit_shape(columns, classes, most)
    two = binary.workspace_size(stride, cap) + cap * stride
    many = multinomial.offsets(classes, r + 1, stride, cap, memory).end
    basis = 0 if columns <= NARROW else r * columns
    return basis, HEADER + 2 * most, int(two if classes == 2 else max(two, many))


@kernel
def _make_room(F, at, R, r, L):
    """Move the intercept of a binary fit from coordinate r to r + 1, which is new."""
    H, Q, w, stride, cap = at.H, at.Q, at.w, at.stride, at.cap
    zero = np.float32(0.0)
    for j in range(r):
        F[H + (r + 1) * stride + j] = F[H + r * stride + j]
        F[H + j * stride + r + 1] = F[H + j * stride + r]
        F[H + r * stride + j] = zero
        F[H + j * stride + r] = zero
    F[H + (r + 1) * stride + r + 1] = F[H + r * stride + r]
    F[H + (r + 1) * stride + r] = zero
    F[H + r * stride + r + 1] = zero
    F[H + r * stride + r] = ONE
    F[w + r + 1] = F[w + r]
    F[w + r] = zero
    for a in range(L):
        F[Q + (r + 1) * cap + a] = F[Q + r * cap + a]
        F[Q + r * cap + a] = np.float32(0.0)
        F[R + a * stride + r + 1] = F[R + a * stride + r]
        F[R + a * stride + r] = np.float32(0.0)


@kernel
def _fit_two(task, tiles, x, p, labelled, F, Q, header, order):
    """Bring a binary fit up to date.

    Rows are scaled by 1 / sqrt(penalty), so that the solver's penalty is always 1.

    Returns:
        The place of its weights in F.
    """
    rows, labels, fitted, L, compact = labelled
    r, stride, cap, _ = fit_shape(p.D, p.C, p.Lmax)
    R = binary.workspace_size(stride, cap)
    scale = np.float32(1.0 / np.sqrt(p.first))
    if fitted < 0:
        header[USED] = p.D if p.D <= NARROW else 0
        binary.start_fit(F, binary.offsets(0, stride, cap, r))
        fill(F, R, cap * stride, np.float32(0.0))
        if header[USED] == 0:
            F[0] = np.float32(binary.FREE_INTERCEPT)
    out = np.empty(max(p.D, r) + 1, np.float32)
    for a in range(max(fitted, 0), L):
        order[a] = a
        used = get_coordinates(task, tiles, x, rows[a], Q, header[USED], out, scale)
        at = binary.offsets(0, stride, cap, used)
        if used > header[USED]:
            _make_room(F, at, R, header[USED], a)
            header[USED] = used
        row = R + a * stride
        for j in range(used):
            F[row + j] = out[j]
        F[row + used] = ONE
        binary.add_sample(F, at, a, F, row, np.float32(compact[labels[a]]))
    tolerance = TOLERANCE * min(ONE, np.float32(24.0) / np.float32(header[USED] + 1))
    at = binary.offsets(0, stride, cap, header[USED])
    done = binary.fit(F, at, L, F, R, order, tolerance, STILL)
    if done <= binary.CAP and L * p.second > FLAT:
        binary.newton(F, at, L, F, R, order)
    return at.w


@kernel
def _fit_many(task, tiles, x, p, labelled, F, Q, header, codes, K):
    """Bring a fit of K > 2 classes up to date; its weights begin F.

    Returns:
        Whether single precision got there; if not, `finish_logistic` takes over.
    """
    rows, labels, fitted, L, compact = labelled
    r, stride, cap, memory = fit_shape(p.D, p.C, p.Lmax)
    at = multinomial.offsets(p.C, r + 1, stride, cap, memory)
    if fitted < 0:
        multinomial.start(F, at, header, p.first)
        header[USED] = p.D if p.D <= NARROW else 0
    for a in range(max(fitted, 0), L):
        row = at.R + a * stride
        F[row] = ONE
        header[USED] = get_coordinates(
            task, tiles, x, rows[a], Q, header[USED], F[row + 1 : row + 1 + r], ONE
        )
        multinomial.add_row(F, at, header, a, K, header[USED] + 1)
    for a in range(L):
        codes[a] = compact[labels[a]]
    penalty = np.float32(p.first)
    tolerance = TOLERANCE_OF_MANY * min(ONE, penalty)  # weak penalties leave flat directions
    used = header[USED] + 1
    done = multinomial.refit(F, at, header, codes, L, K, used, penalty, tolerance)
    return done >= 0 and L * p.second <= FLAT


@kernel
def _finish_many(F, at, header, codes, L, K, used, penalty):
    """Finish in float64 what float32 could not bring to the tolerance."""
    stride = at.stride
    X, W = np.empty((L, used)), np.empty((K, used))
    for a in range(L):
        for j in range(used):
            X[a, j] = F[at.R + a * stride + j]
    for k in range(K):
        for j in range(used):
            W[k, j] = F[k * stride + j] if math.isfinite(F[k * stride + j]) else 0.0
    if K * used <= MOST_UNKNOWNS:
        newton_softmax(X, codes, L, K, used, W, penalty)
    else:
        multinomial_float64.finish(X, codes, L, K, used, W, penalty)
    for k in range(K):
        for j in range(used):
            F[k * stride + j] = np.float32(W[k, j])
    # The pairs are of steps that led nowhere.
    multinomial.forget_curvature(F, at, header, penalty)


@kernel
def update_logistic(u: Any) -> int:
    """Bring logistic regressions up to date, predict and measure.

    Returns:
        How many fits single precision could not bring to the tolerance: `finish_logistic` finishes
        them.
    """
    unfinished = 0
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        task = u.tasks[u.task[e]]
        p = get_problem(task, u.from_reward)
        r, stride, _, _ = fit_shape(p.D, p.C, p.Lmax)
        F = u.singles[slot]
        Q = u.floats[slot, : 0 if p.D <= NARROW else r * p.D].reshape(-1, p.D)
        header, codes = u.ints[slot, :HEADER], u.ints[slot, HEADER : HEADER + p.Lmax]
        order = u.ints[slot, HEADER + p.Lmax : HEADER + 2 * p.Lmax]
        compact, seen = u.marks[: p.C], u.marks[p.C :]
        n = p.n - p.lo
        flat = u.proba[m, : p.C * n]
        S = classes_seen(u.count[e], p.C, compact, seen, flat.reshape(p.C, n), n)
        if S >= 2:
            # A class seen for the first time changes what every column of weights means.
            fitted, L = u.fitted[slot] if header[CLASSES] == S else -1, u.n_labelled[e]
            labelled = Labelled(u.rows[e], u.labels[e], fitted, L, compact)
            header[CLASSES], u.fitted[slot] = S, L
            K = 1 if S == 2 else S
            V, bias, Z = u.scratch, u.scratch[K * p.D :], u.scratch[K * (p.D + 1) :]
            if S == 2:
                w = _fit_two(task, u.tiles, u.x, p, labelled, F, Q, header, order)
                scale = np.float32(1.0 / np.sqrt(p.first))
                bias[0] = weights_in_columns(
                    F, w, 0, header[USED], Q, header[USED], p.D, scale, V, 0
                )
            elif _fit_many(task, u.tiles, u.x, p, labelled, F, Q, header, codes, S):
                for k in range(K):
                    bias[k] = weights_in_columns(
                        F, k * stride, 1, 0, Q, header[USED], p.D, ONE, V, k * p.D
                    )
            else:
                header[NEXT] = UNFINISHED
                unfinished += 1
                continue
            _predict_linear(u.tiles, task.at_tiles, p, V, bias, Z, K, seen, flat, S)
        measure(u.proba[m], u.ends[task.at_ends : task.at_ends + p.C + 1], p, u.metrics[m])
    return unfinished


@kernel
def finish_logistic(u: Any) -> None:
    """Finish in float64 the fits that `update_logistic` left unfinished, predict and measure.

    Standardised columns under C = 1 hardly ever need it; it is compiled when something first does.
    """
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        if u.ints[slot, NEXT] != UNFINISHED:
            continue
        task = u.tasks[u.task[e]]
        p = get_problem(task, u.from_reward)
        r, stride, cap, memory = fit_shape(p.D, p.C, p.Lmax)
        F = u.singles[slot]
        Q = u.floats[slot, : 0 if p.D <= NARROW else r * p.D].reshape(-1, p.D)
        header, codes = u.ints[slot, :HEADER], u.ints[slot, HEADER : HEADER + p.Lmax]
        header[NEXT] = 0
        compact, seen = u.marks[: p.C], u.marks[p.C :]
        n = p.n - p.lo
        flat = u.proba[m, : p.C * n]
        K = classes_seen(u.count[e], p.C, compact, seen, flat.reshape(p.C, n), n)
        at = multinomial.offsets(p.C, r + 1, stride, cap, memory)
        _finish_many(F, at, header, codes, u.n_labelled[e], K, header[USED] + 1, p.first)
        V, bias, Z = u.scratch, u.scratch[K * p.D :], u.scratch[K * (p.D + 1) :]
        for k in range(K):
            bias[k] = weights_in_columns(F, k * stride, 1, 0, Q, header[USED], p.D, ONE, V, k * p.D)
        _predict_linear(u.tiles, task.at_tiles, p, V, bias, Z, K, seen, flat, K)
        measure(u.proba[m], u.ends[task.at_ends : task.at_ends + p.C + 1], p, u.metrics[m])


@kernel
def _predict_linear(x, at, p, V, bias, Z, K, seen, flat, S):
    """Write softmax probabilities (K > 1) or logistic ones; 0 of unseen classes.

    Args:
        x: Points in tiles, which begin at `at`.
        at: Where they begin.
        p: Sizes.
        V: Weights of the columns, K D.
        bias: Intercepts, K.
        Z: Room for the scores.
        K: Rows of weights.
        seen: Seen classes.
        flat: Probabilities, flat (C, n), overwritten.
        S: Seen classes.
    """
    tiles = (p.n - p.lo) // 16
    if S < p.C:
        fill(flat, 0, p.C * 16 * tiles, np.float32(0.0))
    linear_scores(x, at, p.D, V, bias, K, p.lo // 16, tiles, Z)
    if K == 1:
        sigmoid_pair(Z, ONE, flat, seen[0], seen[1], tiles)
    else:
        softmax_rows(Z, K, flat, seen, tiles)
