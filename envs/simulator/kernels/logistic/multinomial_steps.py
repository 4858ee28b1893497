"""What one iteration of the multinomial fit is made of: direction, line search, gradient.

All numbers lie in two flat float32 arrays: the fit `F`, cut by `multinomial.offsets`, and room to
work `B`, cut by `get_scratch`. Every function is inlined into `multinomial.refit`.
"""

import math
from collections import namedtuple

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import combine_rows
from envs.simulator.kernels.simd import (
    absolute,
    exponential,
    load,
    maximum,
    reduce_max,
    reduce_sum,
    splat,
    store,
)

STILL = np.float32(2e-5)
"""A step that changes no labelled score by more than this is the last: probabilities then agree
with the optimum to about as much, well within the 3e-4 that the simulator promises."""

MOST_TRIALS = 25
"""Trials of a step length; the digits of a float32 are used up by then."""

NO_DAMPING = np.float32(1e-3)
"""Largest change of a score up to which ``ln(1 + r) / r`` is 1 as far as matters."""

LEAST_PRODUCT = np.float32(1e-30)
"""A pair whose s'y is smaller is rounding and not kept."""

ZERO, ONE, HALF = np.float32(0.0), np.float32(1.0), np.float32(0.5)

Scratch = namedtuple("Scratch", "G D Q G1 Z U P N end K L used nv nl")
"""Where the room to work keeps, for every class: gradient, direction, scratch, next gradient (of
`stride`); scores, their change along the direction, probabilities, moved scores (of `cap`). And the
classes, rows and coordinates in use, the latter also in vectors."""


@kernel(forceinline=True)
def get_scratch(K, L, used, stride, cap):
    """Return how a refit cuts its room to work."""
    size, wide = K * stride, K * cap
    Z = 4 * size
    return Scratch(
        0, size, 2 * size, 3 * size, Z, Z + wide, Z + 2 * wide, Z + 3 * wide, Z + 4 * wide,
        K, L, used, (used + 15) // 16, (L + 15) // 16,
    )  # fmt: skip


@kernel(forceinline=True)
def inner(F, a, b, nv):
    """Return the inner product of two vectors of one array."""
    s = splat(ZERO)
    for i in range(nv):
        s = s + load(F, a + i * 16) * load(F, b + i * 16)
    return reduce_sum(s)


@kernel(forceinline=True)
def inner_rows(F, a, a_stride, G, b, b_stride, K, nv):
    """Return the inner product of K rows of two arrays."""
    s = splat(ZERO)
    for k in range(K):
        for i in range(nv):
            s = s + load(F, a + k * a_stride + i * 16) * load(G, b + k * b_stride + i * 16)
    return reduce_sum(s)


@kernel(forceinline=True)
def add_rows(G, a, a_stride, K, nv, c, F, b, b_stride):
    """Add c times K rows of F to K rows of G."""
    scale = splat(c)
    for k in range(K):
        for i in range(nv):
            o = a + k * a_stride + i * 16
            store(G, o, load(G, o) + scale * load(F, b + k * b_stride + i * 16))


@kernel(forceinline=True)
def link(B, s, Z, cap):
    """Turn K rows of scores at Z into probabilities at P."""
    P, K = s.P, s.K
    one = splat(ONE)
    for i in range(s.nl):
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
def gradient(F, at, B, s, codes, penalty, G):
    """Write the gradient at W to G and return its largest absolute entry.

    The probabilities at P are made residuals on the way and restored.
    """
    P, K, L, nv, stride, cap = s.P, s.K, s.L, s.nv, at.stride, at.cap
    for a in range(L):
        B[P + codes[a] * cap + a] -= ONE
    scale = splat(penalty)
    top = splat(ZERO)
    for k in range(K):
        combine_rows(F, at.R, stride, L, B, P + k * cap, nv, B, G + k * stride)
        free = B[G + k * stride]
        for i in range(nv):
            o = k * stride + i * 16
            store(B, G + o, load(B, G + o) + scale * load(F, o))
        B[G + k * stride] = free
        for i in range(nv):
            top = maximum(top, absolute(load(B, G + k * stride + i * 16)))
    for a in range(L):
        B[P + codes[a] * cap + a] += ONE
    return reduce_max(top)


@kernel(forceinline=True)
def direction(F, at, header, B, s, alpha):
    """Write minus the limited-memory inverse Hessian times G to D; Q is scratch."""
    count, head = header[0], header[1]
    S, Y, rho, stride, memory = at.S, at.Y, at.rho, at.stride, at.memory
    G, D, Q, K, nv = s.G, s.D, s.Q, s.K, s.nv
    block = at.C * stride
    for k in range(K):
        for i in range(nv):
            o = k * stride + i * 16
            store(B, Q + o, load(B, G + o))
    for back in range(count):
        m = (head - 1 - back) % memory
        a = F[rho + m] * inner_rows(F, S + m * block, stride, B, Q, stride, K, nv)
        alpha[m] = a
        add_rows(B, Q, stride, K, nv, -a, F, Y + m * block, stride)
    for k in range(K):
        combine_rows(F, at.H, stride, s.used, B, Q + k * stride, nv, B, D + k * stride)
    for back in range(count - 1, -1, -1):
        m = (head - 1 - back) % memory
        b = alpha[m] - F[rho + m] * inner_rows(F, Y + m * block, stride, B, D, stride, K, nv)
        add_rows(B, D, stride, K, nv, b, F, S + m * block, stride)
    minus = splat(-ONE)
    for k in range(K):
        for i in range(nv):
            o = D + k * stride + i * 16
            store(B, o, minus * load(B, o))


@kernel(forceinline=True)
def remember(F, at, header, B, s, t):
    """Keep the pair of a step t along D from gradient G to G1; G becomes G1."""
    place, stride, block = header[1], at.stride, at.C * at.stride
    S, Y, G, D, G1 = at.S + place * block, at.Y + place * block, s.G, s.D, s.G1
    scale = splat(t)
    product = splat(ZERO)
    for k in range(s.K):
        for i in range(s.nv):
            o = k * stride + i * 16
            moved = scale * load(B, D + o)
            gradient = load(B, G1 + o)
            change = gradient - load(B, G + o)
            store(F, S + o, moved)
            store(F, Y + o, change)
            store(B, G + o, gradient)
            product = product + moved * change
    inner = reduce_sum(product)
    if inner > LEAST_PRODUCT:
        F[at.rho + place] = ONE / inner
        header[1] = (place + 1) % at.memory
        header[0] = min(header[0] + 1, at.memory)


@kernel(forceinline=True)
def line(B, s, cap, codes, slope0, linear, square):
    """Return the step length, P left at it, and the largest change of a score; (0, 0) fails.

    At most half of the slope is left at the step. N is room for the moved scores. The slope of
    the penalty at step t is ``linear + t * square``.
    """
    Z, U, P, N, K, nl = s.Z, s.U, s.P, s.N, s.K, s.nl
    bend, wide = _curvature(B, s, cap)
    bend += square
    if not bend > ZERO:
        return ZERO, ZERO
    t = -slope0 / bend
    reach = t * wide
    if reach > NO_DAMPING:
        t *= np.float32(math.log1p(reach)) / reach
    true = ZERO
    for a in range(s.L):
        true += B[U + codes[a] * cap + a]
    low, high, slope_low, slope_high = ZERO, np.float32(np.inf), slope0, ZERO
    for _ in range(MOST_TRIALS):
        step = splat(t)
        for k in range(K):
            for i in range(nl):
                o = k * cap + i * 16
                store(B, N + o, load(B, Z + o) + step * load(B, U + o))
        link(B, s, N, cap)
        slope = inner_rows(B, P, cap, B, U, cap, K, nl) - true + linear + t * square
        if abs(slope) <= HALF * abs(slope0) or t * wide < STILL:
            return t, t * wide
        if slope < ZERO:
            low, slope_low = t, slope
        else:
            high, slope_high = t, slope
        if high == np.float32(np.inf):
            t *= np.float32(4.0)
            continue
        # Regula falsi, kept a tenth off the ends: near them it would creep.
        t = low - slope_low * (high - low) / (slope_high - slope_low)
        edge = np.float32(0.1) * (high - low)
        t = min(max(t, low + edge), high - edge)
    return t, t * wide


@kernel(forceinline=True)
def _curvature(B, s, cap):
    """Return the second derivative of the data part along a line, and the largest score change."""
    U, P, K = s.U, s.P, s.K
    bend = splat(ZERO)
    wide = splat(ZERO)
    for i in range(s.nl):
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
    return reduce_sum(bend), reduce_max(wide)
