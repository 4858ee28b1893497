"""Multinomial logistic regression in float32 lanes, refitted after every label.

The same method as `kernels.softmax` (limited-memory BFGS whose pairs and first inverse Hessian
live on from label to label), in vectors of 16 float32 numbers. A refit that float32 cannot bring
to the tolerance says so, and the caller finishes it in float64.

One fit is one flat float32 array `F` cut by `places`: weights W (C rows of `stride`), the first
inverse Hessian H of a class block, the pairs S and Y (memory x C rows), rho, the labelled rows R
(one a row) and T (one a column, rows of `cap`), and the curvature that H has of every row.
Coordinate 0 of a row is a constant one. H is kept near the present model: a row whose curvature
doubled or halved is taken into it anew, which saves iterations.
"""

import math

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import combine_rows, fill
from envs.simulator.kernels.simd import absolute, exponential, largest, load, maximum, splat, store
from envs.simulator.kernels.simd import total as lane_sum

STILL = np.float32(2e-5)
"""A step that changes no labelled score by more than this is the last."""

MOST_ITERATIONS = 60
"""Iterations before a refit is given up to float64."""

CURVATURE_FLOOR = np.float32(0.003)
"""Least curvature of a row in the first inverse Hessian."""

CERTAIN = np.float32(0.999)
"""Where all labelled rows are more probable, which takes weak penalties, a fit is given up to
float64: the gradient is made of what they lack to one."""

FREE_INTERCEPT = np.float32(100.0)
ZERO, ONE, HALF = np.float32(0.0), np.float32(1.0), np.float32(0.5)


@kernel(forceinline=True)
def places(C, d, stride, cap, memory):
    """Return the offsets of H, S, Y, rho, R, T, the curvatures and the end; W begins at 0.

    Args:
        C: Classes there is room for.
        d: Coordinates there is room for, the constant included.
        stride: `d` rounded up to whole vectors.
        cap: Rows there is room for, rounded up to whole vectors.
        memory: Pairs kept.
    """
    H = C * stride
    S = H + d * stride
    Y = S + memory * C * stride
    rho = Y + memory * C * stride
    R = rho + (memory + 15) // 16 * 16
    T = R + cap * stride
    curvature = T + d * cap
    return H, S, Y, rho, R, T, curvature, curvature + cap


@kernel
def start(F, C, d, stride, cap, memory, meta, penalty):
    """Forget all rows; `meta` holds the number of pairs and the place of the next."""
    fill(F, 0, places(C, d, stride, cap, memory)[-1], ZERO)
    forget_curvature(F, C, d, stride, cap, memory, meta, penalty)


@kernel
def forget_curvature(F, C, d, stride, cap, memory, meta, penalty):
    """Forget the pairs and the inverse Hessian; the next `refit` makes it anew from all rows."""
    H, S, _, _, _, _, curvature, _ = places(C, d, stride, cap, memory)
    fill(F, H, S - H, ZERO)
    for j in range(1, d):
        F[H + j * stride + j] = np.float32(1.0 / penalty)
    F[H] = FREE_INTERCEPT
    fill(F, curvature, cap, ZERO)
    meta[0] = 0
    meta[1] = 0


@kernel
def add_row(F, C, d, stride, cap, memory, meta, row, K, used):
    """Take row `row` of R into T and into every kept pair; `refit` takes it into the rest.

    Args:
        F: The fit; row `row` of R is written already.
        C: As in `places`.
        d: As in `places`.
        stride: As in `places`.
        cap: As in `places`.
        memory: As in `places`.
        meta: Number of pairs and place of the next.
        row: Place among the labelled rows.
        K: Columns of weights in use.
        used: Coordinates in use.
    """
    _, S, Y, rho, R, T, _, _ = places(C, d, stride, cap, memory)
    nv = (used + 15) // 16
    x = R + row * stride
    for j in range(used):
        F[T + j * cap + row] = F[x + j]
    p, v = np.empty(K, np.float32), np.empty(K, np.float32)
    top = np.float32(-1e30)
    for k in range(K):
        p[k] = _inner(F, k * stride, x, nv)
        top = max(top, p[k])
    total = ZERO
    for k in range(K):
        p[k] = np.float32(math.exp(p[k] - top))
        total += p[k]
    for k in range(K):
        p[k] /= total
    for m in range(meta[0]):
        s, y = S + m * C * stride, Y + m * C * stride
        mean = ZERO
        for k in range(K):
            v[k] = _inner(F, s + k * stride, x, nv)
            mean += p[k] * v[k]
        product = splat(ZERO)
        for k in range(K):
            q = splat(p[k] * (v[k] - mean))
            for i in range(nv):
                o = y + k * stride + i * 16
                moved = load(F, o) + q * load(F, x + i * 16)
                store(F, o, moved)
                product = product + moved * load(F, s + k * stride + i * 16)
        F[rho + m] = ONE / max(lane_sum(product), np.float32(1e-30))


@kernel(forceinline=True)
def _inner(F, a, b, nv):
    s = splat(ZERO)
    for i in range(nv):
        s = s + load(F, a + i * 16) * load(F, b + i * 16)
    return lane_sum(s)


@kernel(forceinline=True)
def _inner_rows(F, a, a_stride, G, b, b_stride, K, nv):
    """Return the inner product of K rows of two arrays."""
    s = splat(ZERO)
    for k in range(K):
        for i in range(nv):
            s = s + load(F, a + k * a_stride + i * 16) * load(G, b + k * b_stride + i * 16)
    return lane_sum(s)


@kernel(forceinline=True)
def _add_rows(G, a, a_stride, K, nv, c, F, b, b_stride):
    """Add c times K rows of F to K rows of G."""
    scale = splat(c)
    for k in range(K):
        for i in range(nv):
            o = a + k * a_stride + i * 16
            store(G, o, load(G, o) + scale * load(F, b + k * b_stride + i * 16))


@kernel(forceinline=True)
def _sherman_morrison(F, H, stride, x, used, nv, weight, least):
    """Add weight times a row's square to what H inverts; `least` bounds the share that stays."""
    u = np.empty(stride, np.float32)
    combine_rows(F, H, stride, used, F, x, nv, u, 0)
    s = splat(ZERO)
    for i in range(nv):
        s = s + load(u, i * 16) * load(F, x + i * 16)
    scale = weight / max(ONE + weight * lane_sum(s), least)
    for j in range(used):
        a = splat(scale * u[j])
        for i in range(nv):
            o = H + j * stride + i * 16
            store(F, o, load(F, o) - a * load(u, i * 16))


@kernel(forceinline=True)
def _refresh(F, H, R, curvature, stride, B, P, N, K, cap, L, used, nv):
    """Take the rows whose curvature at P changed twofold into the inverse Hessian; N is scratch."""
    one, share = splat(ONE), splat(ONE / np.float32(K - 1))
    for i in range(0, L, 16):
        squares = splat(ZERO)
        for k in range(K):
            p = load(B, P + k * cap + i)
            squares = squares + p * p
        store(B, N + i, maximum(share * (one - squares), splat(CURVATURE_FLOOR)))
    for a in range(L):
        new, old = B[N + a], F[curvature + a]
        if new > old + old or new + new < old:
            least = min(new / old, ONE)  # true of exact numbers
            _sherman_morrison(F, H, stride, R + a * stride, used, nv, new - old, least)
            F[curvature + a] = new


@kernel(forceinline=True)
def _link(B, Z, P, K, cap, nl):
    """Turn K rows of scores at Z into probabilities at P."""
    one = splat(ONE)
    for i in range(nl):
        o = i * 16
        top = load(B, Z + o)
        for k in range(1, K):
            top = maximum(top, load(B, Z + k * cap + o))
        total = splat(ZERO)
        for k in range(K):
            e = exponential(load(B, Z + k * cap + o) - top)
            store(B, P + k * cap + o, e)
            total = total + e
        share = one / total
        for k in range(K):
            store(B, P + k * cap + o, share * load(B, P + k * cap + o))


@kernel(forceinline=True)
def _gradient(F, R, stride, B, P, cap, codes, L, K, nv, penalty, G):
    """Write the gradient at W to G and return its largest absolute entry.

    The probabilities at P are made residuals on the way and restored.
    """
    for a in range(L):
        B[P + codes[a] * cap + a] -= ONE
    scale = splat(penalty)
    top = splat(ZERO)
    for k in range(K):
        combine_rows(F, R, stride, L, B, P + k * cap, nv, B, G + k * stride)
        free = B[G + k * stride]
        for i in range(nv):
            o = k * stride + i * 16
            store(B, G + o, load(B, G + o) + scale * load(F, o))
        B[G + k * stride] = free
        for i in range(nv):
            top = maximum(top, absolute(load(B, G + k * stride + i * 16)))
    for a in range(L):
        B[P + codes[a] * cap + a] += ONE
    return largest(top)


@kernel(forceinline=True)
def _direction(F, H, S, Y, rho, C, stride, memory, meta, B, G, D, Q, alpha, K, used):
    """Write minus the limited-memory inverse Hessian times G to D; Q is scratch."""
    count, head = meta[0], meta[1]
    nv = (used + 15) // 16
    block = C * stride
    for k in range(K):
        for i in range(nv):
            o = k * stride + i * 16
            store(B, Q + o, load(B, G + o))
    for back in range(count):
        m = (head - 1 - back) % memory
        a = F[rho + m] * _inner_rows(F, S + m * block, stride, B, Q, stride, K, nv)
        alpha[m] = a
        _add_rows(B, Q, stride, K, nv, -a, F, Y + m * block, stride)
    for k in range(K):
        combine_rows(F, H, stride, used, B, Q + k * stride, nv, B, D + k * stride)
    for back in range(count - 1, -1, -1):
        m = (head - 1 - back) % memory
        b = alpha[m] - F[rho + m] * _inner_rows(F, Y + m * block, stride, B, D, stride, K, nv)
        _add_rows(B, D, stride, K, nv, b, F, S + m * block, stride)
    minus = splat(-ONE)
    for k in range(K):
        for i in range(nv):
            o = D + k * stride + i * 16
            store(B, o, minus * load(B, o))


@kernel(forceinline=True)
def _curvature(B, U, P, K, cap, nl):
    """Return the second derivative of the data part along a line, and the largest score change."""
    bend = splat(ZERO)
    wide = splat(ZERO)
    for i in range(nl):
        o = i * 16
        mean = splat(ZERO)
        high = splat(ZERO)
        low = high
        for k in range(K):
            u = load(B, U + k * cap + o)
            pu = load(B, P + k * cap + o) * u
            bend = bend + pu * u
            mean = mean + pu
            high = maximum(high, u)
            low = maximum(low, splat(ZERO) - u)
        bend = bend - mean * mean
        wide = maximum(wide, high + low)
    return lane_sum(bend), largest(wide)


@kernel(forceinline=True)
def _line(B, Z, U, P, N, codes, L, K, cap, nl, slope0, linear, square):
    """Return the step length, P left at it, and the largest change of a score; (0, 0) fails.

    At most half of the slope is left at the step. N is room for the moved scores. The slope of
    the penalty at step t is ``linear + t * square``.
    """
    bend, wide = _curvature(B, U, P, K, cap, nl)
    bend += square
    if not bend > ZERO:
        return ZERO, ZERO
    t = -slope0 / bend
    reach = t * wide
    if reach > np.float32(1e-3):
        t *= np.float32(math.log1p(reach)) / reach
    true = ZERO
    for a in range(L):
        true += B[U + codes[a] * cap + a]
    low, high, slope_low, slope_high = ZERO, np.float32(np.inf), slope0, ZERO
    for _ in range(25):
        step = splat(t)
        for k in range(K):
            for i in range(nl):
                o = k * cap + i * 16
                store(B, N + o, load(B, Z + o) + step * load(B, U + o))
        _link(B, N, P, K, cap, nl)
        slope = _inner_rows(B, P, cap, B, U, cap, K, nl) - true + linear + t * square
        if abs(slope) <= HALF * abs(slope0) or t * wide < STILL:
            return t, t * wide
        if slope < ZERO:
            low, slope_low = t, slope
        else:
            high, slope_high = t, slope
        if high == np.float32(np.inf):
            t *= np.float32(4.0)
            continue
        t = low - slope_low * (high - low) / (slope_high - slope_low)
        edge = np.float32(0.1) * (high - low)
        t = min(max(t, low + edge), high - edge)
    return t, t * wide


@kernel(forceinline=True)
def _all_certain(B, P, cap, codes, L):
    """Whether every row is so certain that float32 has but a few digits of what it lacks."""
    least = ONE
    for a in range(L):
        least = min(least, B[P + codes[a] * cap + a])
    return least > CERTAIN


@kernel
def refit(F, C, d, stride, cap, memory, meta, codes, L, K, used, penalty, tolerance):
    """Move the weights to the optimum of the first L labelled rows.

    Args:
        F: The fit.
        C: As in `places`.
        d: As in `places`.
        stride: As in `places`.
        cap: As in `places`.
        memory: As in `places`.
        meta: Number of pairs and place of the next.
        codes: Column of weights of every labelled row, shape (L or more,).
        L: Labelled rows.
        K: Columns of weights.
        used: Coordinates in use, the constant included.
        penalty: One over scikit-learn's C, float32.
        tolerance: Largest absolute gradient entry to stop at, float32.

    Returns:
        Iterations done; -1 where float32 did not get there.
    """
    H, S, Y, rho, R, T, curvature, _ = places(C, d, stride, cap, memory)
    nv, nl = (used + 15) // 16, (L + 15) // 16
    size, wide = K * stride, K * cap
    B = np.empty(4 * size + 4 * wide, np.float32)
    fill(B, 0, 4 * size + 4 * wide, ZERO)
    G, D, Q, G1 = 0, size, 2 * size, 3 * size
    Z, U, P, N = 4 * size, 4 * size + wide, 4 * size + 2 * wide, 4 * size + 3 * wide
    alpha = np.empty(memory, np.float32)
    for k in range(K):
        combine_rows(F, T, cap, used, F, k * stride, nl, B, Z + k * cap)
    _link(B, Z, P, K, cap, nl)
    _refresh(F, H, R, curvature, stride, B, P, N, K, cap, L, used, nv)
    top = _gradient(F, R, stride, B, P, cap, codes, L, K, nv, penalty, G)
    for iteration in range(MOST_ITERATIONS):
        if top <= tolerance:
            return -1 if _all_certain(B, P, cap, codes, L) else iteration
        _direction(F, H, S, Y, rho, C, stride, memory, meta, B, G, D, Q, alpha, K, used)
        slope = _inner_rows(B, G, stride, B, D, stride, K, nv)
        if not slope < ZERO:
            if meta[0] == 0:
                return -1
            meta[0] = 0
            continue
        for k in range(K):
            combine_rows(F, T, cap, used, B, D + k * stride, nl, B, U + k * cap)
        linear = _inner_rows(F, 0, stride, B, D, stride, K, nv)
        square = _inner_rows(B, D, stride, B, D, stride, K, nv)
        for k in range(K):
            linear -= F[k * stride] * B[D + k * stride]
            square -= B[D + k * stride] * B[D + k * stride]
        t, change = _line(
            B, Z, U, P, N, codes, L, K, cap, nl, slope, penalty * linear, penalty * square
        )
        if t == ZERO:
            return -1
        _add_rows(F, 0, stride, K, nv, t, B, D, stride)
        if change < STILL:
            return -1 if _all_certain(B, P, cap, codes, L) else iteration + 1
        _add_rows(B, Z, cap, K, nl, t, B, U, cap)
        top = _gradient(F, R, stride, B, P, cap, codes, L, K, nv, penalty, G1)
        _remember(F, S, Y, rho, C, stride, memory, meta, B, G, D, G1, K, nv, t)
    return -1


@kernel(forceinline=True)
def _remember(F, S, Y, rho, C, stride, memory, meta, B, G, D, G1, K, nv, t):
    """Keep the pair of a step t along D from gradient G to G1; G becomes G1."""
    place = meta[1]
    s, y = S + place * C * stride, Y + place * C * stride
    scale = splat(t)
    product = splat(ZERO)
    for k in range(K):
        for i in range(nv):
            o = k * stride + i * 16
            moved = scale * load(B, D + o)
            gradient = load(B, G1 + o)
            change = gradient - load(B, G + o)
            store(F, s + o, moved)
            store(F, y + o, change)
            store(B, G + o, gradient)
            product = product + moved * change
    inner = lane_sum(product)
    if inner > np.float32(1e-30):
        F[rho + place] = ONE / inner
        meta[1] = (place + 1) % memory
        meta[0] = min(meta[0] + 1, memory)
