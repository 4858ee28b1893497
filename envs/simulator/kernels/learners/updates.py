"""The learners of the simulator: one kernel each brings fits up to date and predicts.

The state of one fit is one row ("slot") of two flat buffers, cut into arrays by the sizes of its
task. A forest keeps only the sorted order of its rows: its trees live as long as one prediction.
All kernels named ``update_*`` take the same arguments (`Updates`), one learner each, so that a run
compiles only the learners it uses.
"""

import math
from collections import namedtuple
from typing import Any

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import fill
from envs.simulator.kernels.learners.gaussian_process import (
    add_gp,
    gp_proba,
    start_gp,
    whitened_row,
)
from envs.simulator.kernels.learners.knn import add_knn, predict_knn, start_knn
from envs.simulator.kernels.learners.naive_bayes import (
    add_naive_bayes,
    predict_naive_bayes,
    start_naive_bayes,
)
from envs.simulator.kernels.learners.ridge import SLOPE, add_ridge, refit_ridge, start_ridge
from envs.simulator.kernels.learners.trees import (
    fit_forest,
    insert_sorted,
    predict_forest,
    seed_stream,
)
from envs.simulator.kernels.linear import (
    linear_scores,
    sigmoid_pair,
    sigmoid_shares,
    softmax_rows,
)
from envs.simulator.kernels.logistic import binary, multinomial
from envs.simulator.kernels.logistic.multinomial_float64 import (
    MAX_ITERATIONS,
    MEMORY,
    coordinates,
    newton_softmax,
    refit_softmax,
    start_softmax,
)
from envs.simulator.kernels.simd import (
    counting,
    exceeds,
    exponent,
    load,
    mantissa,
    maximum,
    product,
    splat,
)
from envs.simulator.kernels.simd import total as lane_sum

LOGISTIC, FOREST, KNN, NAIVE_BAYES, RIDGE, GP = range(6)

KIND, COLUMNS, CLASSES, POOL, POINTS, MOST, WIDTH, REFERENCE, AROUND = range(9)
BUDGET, START, CLASSES_KNOWN, BUDGET_KNOWN = range(9, 13)
AT_X, AT_X4, AT_Y, AT_Z, AT_REFERENCE, AT_AROUND, AT_FREE = range(13, 20)
REWARD, REWARDS, AT_TILES, AT_ENDS, FLOATS, INTS, SINGLES = range(20, 27)
N_SIZES = 27
"""Points are the pool, zeros up to whole vectors, the reward part sorted by class (`REWARDS` rows
from point `REWARD` on), zeros again: `POINTS` in all."""

Updates = namedtuple(
    "Updates",
    "sizes params x x4 tiles y ends task n_labelled rows labels count words repeats held from_row "
    "ids floats ints singles slots proba entropy variance metrics scratch marks",
)
"""What `update_*` works on.

Of the tasks: sizes, params, x, x4, tiles, y, ends (`kernels.episodes.Tables`). Of the episodes:
task, n_labelled, rows, labels, count, and words (E, 4, 1), the third of which seeds forests;
repeats: forests averaged. ``ids`` (n,): which episodes; ``slots`` (n,): their fits, rows of
floats, ints and singles; ``held`` (slots,): labels a fit holds already, -1 to empty it first.
``from_row``: 1 to predict the reward part alone. Results, one row an entry of ids: proba (n, >= C
points) float32, entropy and variance (n, points or 0) and metrics (n, 3). Room to work:
scratch (C (points + D + 1),) float32, marks (2 C,)."""

Problem = namedtuple("Problem", "D C N P n Lmax first second lo")
"""Sizes of one task: columns, classes, pool rows, first reward point, points, most labels, the
learner's two parameters (penalty and mean square of a pool number over it, or trees and columns per
split, or k, or smoothing, or alpha, or noise and -1/2 over the squared length scale), first point
to predict."""

NARROW = 31
"""Most columns that are their own coordinates; beyond, fits live in the span of their rows."""

TOLERANCE = np.float32(1e-4)
"""Largest gradient entry at which a logistic fit stops; less for wide data, whose errors add up."""

TOLERANCE_OF_MANY = np.float32(7e-5)
"""The same for more than two classes."""

UNFINISHED = -1
"""Stands as the place of the next pair in a fit that single precision could not finish."""

PAIRS = 8
"""Pairs that a fit of more than two classes keeps; 16 are slower, and need no fewer iterations."""

FLAT = 3e3
"""Labels times the mean square of a number over the penalty above which a logistic fit is finished
in float64: some directions are so flat that the rounding of a float32 gradient moves scores."""

MOST_UNKNOWNS = 300
"""Weights that a float64 finish looks for by Newton's method; more are left to limited memory."""

MOST_ROUNDS = 20
"""Times that limited memory begins again before such a finish is taken as it is."""

ONE, HALF = np.float32(1.0), np.float32(0.5)
LN2 = math.log(2.0)


@kernel(forceinline=True)
def fit_shape(D: Any, C: Any, Lmax: Any) -> Any:
    """Return most coordinates without the constant, the stride, the room for rows, the pairs."""
    r = D if D <= NARROW else min(D, Lmax)
    return r, (r + 16) // 16 * 16, (Lmax + 15) // 16 * 16, PAIRS


def fit_sizes(
    kind: int, *, columns: int, classes: int, points: int, most: int, k: int
) -> tuple[int, int, int]:
    """Return how many float64, integers and float32 the fit of one task needs."""
    if kind == LOGISTIC:
        r, stride, cap, memory = fit_shape(columns, classes, most)
        two = binary.room(stride, cap) + cap * stride
        many = multinomial.places(classes, r + 1, stride, cap, memory)[-1]
        basis = 0 if columns <= NARROW else r * columns
        return basis, 4 + 2 * most, int(two if classes == 2 else max(two, many))
    if kind == FOREST:
        return 0, columns * most, 0
    if kind == KNN:
        return k * points, k * points, 0
    if kind == NAIVE_BAYES:
        return 2 * (classes + 1) * columns, classes + 1, 0
    if kind == GP:
        return 0, 0, (most + classes + 1) * points + most * classes
    return (columns + classes + 3) * columns, 0, classes * (columns + 1)


@kernel
def _bayes(f, i, p):
    size = (p.C + 1) * p.D
    return i[: p.C + 1], f[:size].reshape(p.C + 1, p.D), f[size : 2 * size].reshape(p.C + 1, p.D)


@kernel
def _neighbours(f, i, p):
    k = np.int64(p.first)
    return f[: k * p.n].reshape(k, p.n), i[: k * p.n].reshape(k, p.n)


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


@kernel(fastmath=False)
def _ratio(a, b):
    """Return a / b, rounded as numpy does, so that equal counts give equal numbers."""
    return a / b


@kernel
def measure(proba, ends, p, metrics):
    """Write accuracy, balanced accuracy and log-likelihood, as `lal.episode.METRICS` has them.

    The logarithm is taken of one product of float32 lanes, whose exponents are put aside after
    every factor; of equal probabilities, that of the first class is the predicted one.

    Args:
        proba: Probabilities of the points from ``p.lo`` on, flat (C, n - lo) float32 or longer.
        ends: Where the classes begin among the reward rows, and how many there are, shape (C + 1,).
        p: Sizes.
        metrics: Shape (3,), overwritten.
    """
    stride, begin = p.n - p.lo, p.P - p.lo
    one, least, never = splat(ONE), splat(np.float32(1e-15)), splat(np.float32(-1.0))
    factors = one
    exponents = splat(np.float32(0.0))
    hits, balanced, present = 0.0, 0.0, 0
    for c in range(p.C):
        a, b = ends[c], ends[c + 1]
        if a == b:
            continue
        right = splat(np.float32(0.0))
        for i in range(a // 16 * 16, b, 16):
            at = begin + i
            before = never
            for k in range(c):
                before = maximum(before, load(proba, k * stride + at))
            mine = load(proba, c * stride + at)
            after = never
            for k in range(c + 1, p.C):
                after = maximum(after, load(proba, k * stride + at))
            place = counting(np.float32(i) + HALF)
            inside = exceeds(place, splat(np.float32(a))) * exceeds(splat(np.float32(b)), place)
            right = right + inside * (exceeds(mine, before) * (one - exceeds(after, mine)))
            factors = factors * (inside * maximum(mine, least) + (one - inside))
            exponents = exponents + exponent(factors)
            factors = mantissa(factors)
        total = lane_sum(right)
        hits += float(total)
        balanced += total / (b - a)
        present += 1
    metrics[0] = _ratio(hits, float(ends[p.C]))
    metrics[1] = balanced / present
    logarithm = math.log(product(factors)) + LN2 * float(lane_sum(exponents))
    metrics[2] = logarithm / ends[p.C]


@kernel
def copy_fits(
    sizes: Any, task: Any, held: Any, floats: Any, ints: Any, singles: Any, ids: Any, ahead: Any
) -> None:
    """Copy the fits of episodes `ids` into the slots `ahead`; those of Gaussian processes stay."""
    for m in range(len(ids)):
        a, b = ids[m], ahead[m]
        s = sizes[task[a]]
        held[b] = held[a]
        if s[KIND] == GP:
            continue
        floats[b, : s[FLOATS]] = floats[a, : s[FLOATS]]
        ints[b, : s[INTS]] = ints[a, : s[INTS]]
        singles[b, : s[SINGLES]] = singles[a, : s[SINGLES]]


@kernel
def _problem(sizes, params, from_row):
    P = sizes[REWARD]
    return Problem(
        sizes[COLUMNS], sizes[CLASSES], sizes[POOL], P, sizes[POINTS], sizes[MOST], params[0],
        params[1], P if from_row else 0,
    )  # fmt: skip


@kernel
def _points(x, sizes):
    d, n = sizes[COLUMNS], sizes[POINTS]
    return x[sizes[AT_X] : sizes[AT_X] + d * n].reshape(d, n)


@kernel
def _points4(x4, sizes):
    d, n = sizes[COLUMNS], sizes[POINTS]
    return x4[sizes[AT_X4] : sizes[AT_X4] + d * n].reshape(d, n)


@kernel
def classes_seen(count, C, compact, seen, proba, n):
    """Number the seen classes and return how many; with fewer than two, predict without a fit.

    Args:
        count: Labels of every class, shape (C or more,).
        C: Classes.
        compact: Number of every seen class, shape (C,), overwritten.
        seen: Seen classes, shape (C,), overwritten from the front.
        proba: Shape (C, n). One seen class is certain; without any, all are equally likely.
        n: Points.
    """
    S = 0
    for c in range(C):
        compact[c] = S
        if count[c] > 0:
            seen[S] = c
            S += 1
    if S < 2:
        for c in range(C):
            share = 1.0 / C if S == 0 else (1.0 if count[c] > 0 else 0.0)
            for i in range(n):
                proba[c, i] = share
    return S


@kernel
def _coordinates_of(sizes, tiles, x, row, D, Q, r, out, scale):
    """Write a row in coordinates, times `scale`, from place 0; return how many are in use."""
    if D <= NARROW:
        at = sizes[AT_TILES] + row // 16 * 16 * D + row % 16
        for j in range(D):
            out[j] = scale * tiles[at + 16 * j]
        return D
    n, values = sizes[POINTS], np.empty(D + 1)
    points = x[sizes[AT_X] : sizes[AT_X] + D * n].reshape(D, n)
    r = coordinates(points, D, row, Q, r, values)
    for j in range(r):
        out[j] = scale * np.float32(values[j + 1])
    return r


@kernel
def _make_room(F, stride, cap, r, L):
    """Move the intercept of a binary fit from coordinate r to r + 1, which is new."""
    H, Q, w, _ = binary.places(0, stride, cap)
    R = binary.room(stride, cap)
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
    F[w + r] = np.float32(0.0)
    for a in range(L):
        F[Q + (r + 1) * cap + a] = F[Q + r * cap + a]
        F[Q + r * cap + a] = np.float32(0.0)
        F[R + a * stride + r + 1] = F[R + a * stride + r]
        F[R + a * stride + r] = np.float32(0.0)


@kernel
def _fit_two(sizes, tiles, x, rows, labels, held, L, p, F, Q, meta, order, compact):
    """Bring a binary fit, which held some labels, up to date.

    Returns:
        The place of its weights in F.
    """
    r, stride, cap, _ = fit_shape(p.D, p.C, p.Lmax)
    R = binary.room(stride, cap)
    scale = np.float32(1.0 / np.sqrt(p.first))
    if held < 0:
        meta[3] = p.D if p.D <= NARROW else 0
        binary.start_fit(F, 0, stride, cap, r)
        fill(F, R, cap * stride, np.float32(0.0))
        if meta[3] == 0:
            F[0] = np.float32(binary.FREE_INTERCEPT)
    out = np.empty(max(p.D, r) + 1, np.float32)
    for a in range(max(held, 0), L):
        order[a] = a
        used = _coordinates_of(sizes, tiles, x, rows[a], p.D, Q, meta[3], out, scale)
        if used > meta[3]:
            _make_room(F, stride, cap, meta[3], a)
            meta[3] = used
        at = R + a * stride
        for j in range(used):
            F[at + j] = out[j]
        F[at + used] = ONE
        target = np.float32(compact[labels[a]])
        binary.add_sample(F, 0, stride, cap, used, a, F, at, target)
    tolerance = TOLERANCE * min(ONE, np.float32(24.0) / np.float32(meta[3] + 1))
    done = binary.fit(F, 0, stride, cap, meta[3], L, F, R, order, tolerance, multinomial.STILL)
    if done <= binary.CAP and L * p.second > FLAT:
        binary.newton(F, 0, stride, cap, meta[3], L, F, R, order)
    return binary.places(0, stride, cap)[2]


@kernel
def _fit_many(sizes, tiles, x, rows, labels, held, L, p, F, Q, meta, codes, compact, K):
    """Bring a fit of K > 2 classes, which held some labels, up to date; its weights begin F.

    Returns:
        Whether single precision got there; if not, `finish_logistic` takes over.
    """
    r, stride, cap, memory = fit_shape(p.D, p.C, p.Lmax)
    C, d = p.C, r + 1
    R = multinomial.places(C, d, stride, cap, memory)[4]
    if held < 0:
        multinomial.start(F, C, d, stride, cap, memory, meta, p.first)
        meta[3] = p.D if p.D <= NARROW else 0
    for a in range(max(held, 0), L):
        at = R + a * stride
        F[at] = ONE
        meta[3] = _coordinates_of(
            sizes, tiles, x, rows[a], p.D, Q, meta[3], F[at + 1 : at + 1 + r], ONE
        )
        multinomial.add_row(F, C, d, stride, cap, memory, meta, a, K, meta[3] + 1)
    for a in range(L):
        codes[a] = compact[labels[a]]
    penalty = np.float32(p.first)
    tolerance = TOLERANCE_OF_MANY * min(ONE, penalty)  # weak penalties leave flat directions
    used = meta[3] + 1
    done = multinomial.refit(
        F, C, d, stride, cap, memory, meta, codes, L, K, used, penalty, tolerance
    )
    return done >= 0 and L * p.second <= FLAT


@kernel
def _finish_large(X, codes, L, K, used, W, penalty):
    """Move weights of too many numbers for Newton's method to the optimum, with little memory."""
    XT, H = np.empty((used, L)), np.zeros((used, used))
    for a in range(L):
        for j in range(used):
            XT[j, a] = X[a, j]
    S, Y = np.zeros((MEMORY, K, used)), np.zeros((MEMORY, K, used))
    pairs, rho = np.zeros(2, np.int64), np.zeros(MEMORY)
    start_softmax(H, S, Y, pairs, penalty)
    tolerance = 1e-6 * min(1.0, penalty)  # for rows of large numbers, too
    for _ in range(MOST_ROUNDS):
        done = refit_softmax(
            X, XT, codes, L, K, used, W, H, S, Y, rho, pairs, penalty, tolerance
        )  # fmt: skip
        if done < MAX_ITERATIONS:
            break


@kernel
def _finish_many(F, C, d, stride, cap, memory, meta, codes, L, K, used, penalty):
    """Finish in float64 what float32 could not bring to the tolerance."""
    _, _, _, _, R, _, _, _ = multinomial.places(C, d, stride, cap, memory)
    X, W = np.empty((L, used)), np.empty((K, used))
    for a in range(L):
        for j in range(used):
            X[a, j] = F[R + a * stride + j]
    for k in range(K):
        for j in range(used):
            W[k, j] = F[k * stride + j] if math.isfinite(F[k * stride + j]) else 0.0
    if K * used <= MOST_UNKNOWNS:
        newton_softmax(X, codes, L, K, used, W, penalty)
    else:
        _finish_large(X, codes, L, K, used, W, penalty)
    for k in range(K):
        for j in range(used):
            F[k * stride + j] = np.float32(W[k, j])
    multinomial.forget_curvature(F, C, d, stride, cap, memory, meta, penalty)  # it led nowhere


@kernel
def _in_columns(W, at, first, constant, Q, r, D, scale, V, v):
    """Write weights of the columns to V from v on; return the intercept.

    Args:
        W: Weights of the coordinates, r of them from ``at + first`` on.
        at: Where they begin.
        first: Coordinate of the first.
        constant: Coordinate of the constant.
        Q: Basis, shape (rows, D), for wide data.
        r: Coordinates in use.
        D: Columns.
        scale: Of the rows that the weights belong to.
        V: Flat float32.
        v: Where to write.
    """
    if D <= NARROW:
        for j in range(D):
            V[v + j] = scale * W[at + first + j]
    else:
        for j in range(D):
            V[v + j] = np.float32(0.0)
        for i in range(r):
            a = scale * W[at + first + i]
            for j in range(D):
                V[v + j] += a * np.float32(Q[i, j])
    return W[at + constant]


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
        sizes = u.sizes[u.task[e]]
        p = _problem(sizes, u.params[u.task[e]], u.from_row)
        r, stride, _, _ = fit_shape(p.D, p.C, p.Lmax)
        F = u.singles[slot]
        Q = u.floats[slot, : 0 if p.D <= NARROW else r * p.D].reshape(-1, p.D)
        meta, codes = u.ints[slot, :4], u.ints[slot, 4 : 4 + p.Lmax]
        order = u.ints[slot, 4 + p.Lmax : 4 + 2 * p.Lmax]
        compact, seen = u.marks[: p.C], u.marks[p.C :]
        n = p.n - p.lo
        flat = u.proba[m, : p.C * n]
        S = classes_seen(u.count[e], p.C, compact, seen, flat.reshape(p.C, n), n)
        if S >= 2:
            held, L = u.held[slot] if meta[2] == S else -1, u.n_labelled[e]
            meta[2], u.held[slot] = S, L
            K, rows, labels = 1 if S == 2 else S, u.rows[e], u.labels[e]
            V, bias, Z = u.scratch, u.scratch[K * p.D :], u.scratch[K * (p.D + 1) :]
            if S == 2:
                w = _fit_two(
                    sizes, u.tiles, u.x, rows, labels, held, L, p, F, Q, meta, order, compact
                )  # fmt: skip
                scale = np.float32(1.0 / np.sqrt(p.first))
                bias[0] = _in_columns(F, w, 0, meta[3], Q, meta[3], p.D, scale, V, 0)
            elif _fit_many(
                sizes, u.tiles, u.x, rows, labels, held, L, p, F, Q, meta, codes, compact, S
            ):  # fmt: skip
                for k in range(K):
                    bias[k] = _in_columns(F, k * stride, 1, 0, Q, meta[3], p.D, ONE, V, k * p.D)
            else:
                meta[1] = UNFINISHED
                unfinished += 1
                continue
            _predict_linear(u.tiles, sizes[AT_TILES], p, V, bias, Z, K, seen, flat, S)
        measure(u.proba[m], u.ends[sizes[AT_ENDS] : sizes[AT_ENDS] + p.C + 1], p, u.metrics[m])
    return unfinished


@kernel
def finish_logistic(u: Any) -> None:
    """Finish in float64 the fits that `update_logistic` left unfinished, predict and measure.

    Standardised columns under C = 1 hardly ever need it; it is compiled when something first does.
    """
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        if u.ints[slot, 1] != UNFINISHED:
            continue
        sizes = u.sizes[u.task[e]]
        p = _problem(sizes, u.params[u.task[e]], u.from_row)
        r, stride, cap, memory = fit_shape(p.D, p.C, p.Lmax)
        F = u.singles[slot]
        Q = u.floats[slot, : 0 if p.D <= NARROW else r * p.D].reshape(-1, p.D)
        meta, codes = u.ints[slot, :4], u.ints[slot, 4 : 4 + p.Lmax]
        meta[1] = 0
        compact, seen = u.marks[: p.C], u.marks[p.C :]
        n = p.n - p.lo
        flat = u.proba[m, : p.C * n]
        K = classes_seen(u.count[e], p.C, compact, seen, flat.reshape(p.C, n), n)
        _finish_many(
            F, p.C, r + 1, stride, cap, memory, meta, codes, u.n_labelled[e], K, meta[3] + 1,
            p.first,
        )  # fmt: skip
        V, bias, Z = u.scratch, u.scratch[K * p.D :], u.scratch[K * (p.D + 1) :]
        for k in range(K):
            bias[k] = _in_columns(F, k * stride, 1, 0, Q, meta[3], p.D, ONE, V, k * p.D)
        _predict_linear(u.tiles, sizes[AT_TILES], p, V, bias, Z, K, seen, flat, K)
        measure(u.proba[m], u.ends[sizes[AT_ENDS] : sizes[AT_ENDS] + p.C + 1], p, u.metrics[m])


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


@kernel
def update_ridge(u: Any) -> None:
    """Bring ridge classifiers up to date, predict and measure."""
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        sizes = u.sizes[u.task[e]]
        p = _problem(sizes, u.params[u.task[e]], u.from_row)
        L, D, fit, whole = u.n_labelled[e], p.D, u.floats[slot], p.D * p.D
        points = u.x[sizes[AT_X] : sizes[AT_X] + D * p.n].reshape(D, p.n)
        M, a, b = fit[:whole].reshape(D, D), whole, whole + p.C * D
        products, total, room = fit[a:b].reshape(p.C, D), fit[b : b + D], fit[b + D : b + 3 * D]
        if u.held[slot] < 0:
            start_ridge(M, products, total, p.first)
            u.held[slot] = 0
        for i in range(u.held[slot], L):
            add_ridge(points, u.rows[e, i], u.labels[e, i], M, products, total, room)
        u.held[slot] = L
        n = p.n - p.lo
        compact, seen, flat = u.marks[: p.C], u.marks[p.C :], u.proba[m, : p.C * n]
        S = classes_seen(u.count[e], p.C, compact, seen, flat.reshape(p.C, n), n)
        if S >= 2:
            K, V, Z = 1 if S == 2 else S, u.singles[slot], u.scratch
            bias = V[K * p.D :]
            refit_ridge(
                products, total, u.count[e], L, seen[1:] if K == 1 else seen, K, room, V
            )  # fmt: skip
            tiles = n // 16
            if S < p.C:
                fill(flat, 0, p.C * n, np.float32(0.0))
            linear_scores(u.tiles, sizes[AT_TILES], p.D, V, bias, K, p.lo // 16, tiles, Z)
            if K == 1:
                sigmoid_pair(Z, SLOPE, flat, seen[0], seen[1], tiles)
            else:
                sigmoid_shares(Z, K, SLOPE, flat, seen, tiles)
        measure(u.proba[m], u.ends[sizes[AT_ENDS] : sizes[AT_ENDS] + p.C + 1], p, u.metrics[m])


@kernel
def update_gp(u: Any) -> None:
    """Bring Gaussian processes up to date, predict and measure.

    Looking ahead reads the episode's own fit and writes nothing into it.
    """
    for m in range(len(u.ids)):
        e = u.ids[m]
        sizes = u.sizes[u.task[e]]
        p = _problem(sizes, u.params[u.task[e]], u.from_row)
        L, n = u.n_labelled[e], p.n - p.lo
        F = u.singles[e]
        a = p.Lmax * p.n
        V, mean, variance = F[:a], F[a : a + p.C * p.n], F[a + p.C * p.n : a + (p.C + 1) * p.n]
        targets = F[a + (p.C + 1) * p.n : a + (p.C + 1) * p.n + p.Lmax * p.C]
        scale = np.float32(p.second)
        v, t = np.empty(p.Lmax, np.float32), np.empty(p.C, np.float32)
        if u.from_row:
            own = np.empty((p.C + 1) * n, np.float32)
            for c in range(p.C + 1):
                own[c * n : (c + 1) * n] = (
                    mean[c * p.n + p.lo : (c + 1) * p.n] if c < p.C else (variance[p.lo :])
                )
            mean, variance = own[: p.C * n], own[p.C * n :]
        elif u.held[e] < 0:
            start_gp(mean, variance)
            u.held[e] = 0
        for b in range(L - 1 if u.from_row else u.held[e], L):
            pivot = whitened_row(V, p.Lmax, targets, p.C, u.rows[e, b], u.labels[e, b], b,
                                 np.float32(p.first), v, t)  # fmt: skip
            if not u.from_row:
                targets[b * p.C : (b + 1) * p.C] = t
            add_gp(u.tiles, sizes[AT_TILES], p.D, u.rows[e, b], b, V, p.Lmax, v, t, pivot, scale,
                   mean, variance, p.lo // 16, not u.from_row)  # fmt: skip
        if not u.from_row:
            u.held[e] = L
        compact, seen = np.empty(p.C, np.int64), np.empty(p.C, np.int64)
        proba = u.proba[m, : p.C * n].reshape(p.C, n)
        S = classes_seen(u.count[e], p.C, compact, seen, proba, n)
        if S >= 2:
            gp_proba(mean, variance, u.count[e], S, proba)
        if u.variance.shape[1] > 0:
            for i in range(p.N):
                u.variance[m, i] = max(variance[i], np.float32(0.0))
        measure(u.proba[m], u.ends[sizes[AT_ENDS] : sizes[AT_ENDS] + p.C + 1], p, u.metrics[m])


@kernel
def update_knn(u: Any) -> None:
    """Bring nearest-neighbour classifiers up to date, predict and measure."""
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        sizes = u.sizes[u.task[e]]
        p = _problem(sizes, u.params[u.task[e]], u.from_row)
        L, points = u.n_labelled[e], _points(u.x, sizes)
        distance, labels = _neighbours(u.floats[slot], u.ints[slot], p)
        if u.held[slot] < 0:
            start_knn(distance)
            u.held[slot] = 0
        for a in range(u.held[slot], L):
            add_knn(points, p.D, u.rows[e, a], u.labels[e, a], distance, labels)
        u.held[slot] = L
        n = p.n - p.lo
        proba = u.proba[m, : p.C * n].reshape(p.C, n)
        compact, seen = np.empty(p.C, np.int64), np.empty(p.C, np.int64)
        if classes_seen(u.count[e], p.C, compact, seen, proba, n) >= 2:
            predict_knn(labels, L, proba, p.lo, p.n)
        measure(u.proba[m], u.ends[sizes[AT_ENDS] : sizes[AT_ENDS] + p.C + 1], p, u.metrics[m])


@kernel
def update_naive_bayes(u: Any) -> None:
    """Bring Gaussian naive Bayes classifiers up to date, predict and measure."""
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        sizes = u.sizes[u.task[e]]
        p = _problem(sizes, u.params[u.task[e]], u.from_row)
        L, points = u.n_labelled[e], _points(u.x, sizes)
        count, mean, spread = _bayes(u.floats[slot], u.ints[slot], p)
        if u.held[slot] < 0:
            start_naive_bayes(count, mean, spread)
            u.held[slot] = 0
        for a in range(u.held[slot], L):
            add_naive_bayes(points, u.rows[e, a], u.labels[e, a], count, mean, spread)
        u.held[slot] = L
        n = p.n - p.lo
        proba = u.proba[m, : p.C * n].reshape(p.C, n)
        compact, seen = np.empty(p.C, np.int64), np.empty(p.C, np.int64)
        if classes_seen(u.count[e], p.C, compact, seen, proba, n) >= 2:
            predict_naive_bayes(points, count, mean, spread, p.first, proba, p.lo, p.n)
        measure(u.proba[m], u.ends[sizes[AT_ENDS] : sizes[AT_ENDS] + p.C + 1], p, u.metrics[m])


@kernel
def update_forest(u: Any) -> None:
    """Grow forests anew (`repeats` of each, averaged), predict and measure."""
    for m in range(len(u.ids)):
        e, slot = u.ids[m], u.slots[m]
        sizes = u.sizes[u.task[e]]
        p = _problem(sizes, u.params[u.task[e]], u.from_row)
        L, points = u.n_labelled[e], _points4(u.x4, sizes)
        rows = u.rows[e]
        order = u.ints[slot, : p.D * p.Lmax].reshape(p.D, p.Lmax)
        for a in range(max(u.held[slot], 0), L):
            insert_sorted(points, rows, order, a)
        u.held[slot] = L
        n = p.n - p.lo
        proba = u.proba[m, : p.C * n].reshape(p.C, n)
        compact, seen = np.empty(p.C, np.int64), np.empty(p.C, np.int64)
        S = classes_seen(u.count[e], p.C, compact, seen, proba, n)
        ends = u.ends[sizes[AT_ENDS] : sizes[AT_ENDS] + p.C + 1]
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
            seed_stream(state, u.words[e, 2, 0] + np.uint64(r), L)
            fit_forest(
                values, order, codes, L, S, np.int64(p.second), state, trees, in_bag, importance
            )  # fmt: skip
            predict_forest(points, trees, S, proba, np.empty(0), entropy, p.lo, p.n)
            spread_classes(proba, seen, S, n)
            measure(u.proba[m], ends, p, metrics)
            for k in range(3):
                u.metrics[m, k] += metrics[k] / u.repeats


UPDATES = {
    LOGISTIC: update_logistic,
    FOREST: update_forest,
    KNN: update_knn,
    NAIVE_BAYES: update_naive_bayes,
    RIDGE: update_ridge,
    GP: update_gp,
}
"""The update kernel of every learner number."""

FINISHES = {LOGISTIC: finish_logistic}
"""What finishes the fits that an update kernel returned the number of."""
