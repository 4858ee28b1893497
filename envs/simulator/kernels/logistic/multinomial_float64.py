"""Multinomial logistic regression by limited-memory BFGS in float64, from the weights given.

It finishes fits of many weights that float32 cannot bring to the tolerance, where a Newton step
would solve for hundreds of unknowns at once; see `kernels.logistic`. The step length solves the
convex problem along the line until half of the slope is gone, so that a surprising label cannot
make it overshoot.
"""

import math

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.elementary import exponential

MEMORY = 20
"""Pairs of the limited-memory method."""

MAX_ITERATIONS = 200
"""Refits stop here at the latest; only badly scaled rows and weak penalties take so many."""

MOST_ROUNDS = 20
"""Times that `finish` goes on after so many iterations before a fit is taken as it is."""

MOST_TRIALS = 60
"""Trials of a step length: regula falsi halves the slope in a few, bisection of a float64 in 60."""

FREE_INTERCEPT = 100.0
"""First inverse curvature of an intercept, which no penalty holds: so large that it is free."""


@kernel
def new_pairs(K, d):
    """Return an empty memory: steps, gradient changes, 1 / products, (how many, next place)."""
    shape = (MEMORY, K, d)
    return np.zeros(shape), np.zeros(shape), np.zeros(MEMORY), np.zeros(2, np.int64)


@kernel
def finish(X, codes, L, K, used, W, penalty):
    """Move weights (K, used) to the optimum of L labelled rows, from wherever they are."""
    XT = np.empty((used, L))
    for a in range(L):
        for j in range(used):
            XT[j, a] = X[a, j]
    pairs = new_pairs(K, used)
    # The tolerance scales with weak penalties, for rows of large numbers, too.
    tolerance = 1e-6 * min(1.0, penalty)
    for _ in range(MOST_ROUNDS):
        done = refit_softmax(X, XT, codes, L, K, used, W, pairs, penalty, tolerance)
        if done < MAX_ITERATIONS:
            break


@kernel
def refit_softmax(X, XT, codes, n, K, d, W, pairs, penalty, tolerance):
    """Move the weights to the optimum of the first n labelled rows.

    Args:
        X: Labelled rows, a one and their coordinates, shape (n, d).
        XT: The same, one row a column, shape (d, n).
        codes: Compact codes in ``range(K)``, shape (n,).
        n: Labelled rows, L.
        K: Classes seen, more than two.
        d: Coordinates in use, the one of the intercept included.
        W: Weights, shape (K, d), where to start and the result.
        pairs: What limited memory keeps (`new_pairs`), updated.
        penalty: One over scikit-learn's C.
        tolerance: Largest absolute gradient entry to stop at.

    Returns:
        Iterations done.
    """
    S, Y, rho, header = pairs
    work = np.empty((3, K + 1, n))
    Z, Zs, P = work[0], work[1], work[2]
    T = np.empty((K + 1, n))
    steps = np.empty((4, K, d))
    G, R, Q, G1 = steps[0], steps[1], steps[2], steps[3]
    alpha = np.empty(len(rho))
    scores(W, XT, Z, K, d, 0, n)
    link(Z, P, K, n)
    top = _gradient(W, X, P, codes, G, K, d, n, penalty)
    for iteration in range(MAX_ITERATIONS):
        if top <= tolerance:
            return iteration
        _direction(G, pairs, R, Q, alpha, penalty, K, d)
        slope = _dot(G, R, K, d)
        if not slope < 0.0:
            if header[0] == 0:
                return iteration
            header[0] = 0
            continue
        scores(R, XT, Zs, K, d, 0, n)
        linear, square = _dot(W, R, K, d), _dot(R, R, K, d)
        for k in range(K):
            linear -= W[k, 0] * R[k, 0]
            square -= R[k, 0] * R[k, 0]
        linear *= penalty
        square *= penalty
        t = _line(Z, Zs, P, T, codes, K, n, slope, linear, square)
        if t == 0.0:
            return iteration
        for k in range(K):
            for i in range(n):
                Z[k, i] += t * Zs[k, i]
            for j in range(d):
                W[k, j] += t * R[k, j]
        top = _gradient(W, X, P, codes, G1, K, d, n, penalty)
        place = header[1]
        for k in range(K):
            for j in range(d):
                S[place, k, j] = t * R[k, j]
                Y[place, k, j] = G1[k, j] - G[k, j]
                G[k, j] = G1[k, j]
        product = _dot(S[place], Y[place], K, d)
        if product > 1e-300:
            rho[place] = 1.0 / product
            header[1] = (place + 1) % len(rho)
            header[0] = min(header[0] + 1, len(rho))
    return MAX_ITERATIONS


@kernel(inline="always")
def link(Z, P, K, n):
    """Turn scores (K, n) into probabilities, one row a class; may be in place, row K is scratch.

    Class by class and not point by point: each loop runs over points that lie side by side.
    """
    for i in range(n):
        top = Z[0, i]
        for k in range(1, K):
            top = max(top, Z[k, i])
        P[K, i] = top
    for k in range(K):
        for i in range(n):
            P[k, i] = exponential(Z[k, i] - P[K, i])
    for i in range(n):
        P[K, i] = 0.0
    for k in range(K):
        for i in range(n):
            P[K, i] += P[k, i]
    for i in range(n):
        P[K, i] = 1.0 / P[K, i]
    for k in range(K):
        for i in range(n):
            P[k, i] *= P[K, i]


BLOCK = 128
"""Points scored at once: their coordinates stay in the nearest cache while all classes pass."""


@kernel
def scores(W, XT, Z, K, d, lo, n):
    """Write the scores of the n columns of XT from `lo` on under W (K, d) to Z (K, n)."""
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        k = 0
        while k < K:
            if k + 1 < K:
                _two_scores(W, XT, Z[k], Z[k + 1], k, d, lo + start, start, size)
                k += 2
            else:
                _one_score(W[k], XT, Z[k], d, lo + start, start, size)
                k += 1


@kernel
def _one_score(w, XT, z, d, source, target, n):
    for i in range(n):
        z[target + i] = 0.0
    j = 0
    while j + 4 <= d:
        a, b, c, e = w[j], w[j + 1], w[j + 2], w[j + 3]
        for i in range(n):
            m = source + i
            z[target + i] += a * XT[j, m] + b * XT[j + 1, m] + c * XT[j + 2, m] + e * XT[j + 3, m]
        j += 4
    while j < d:
        a = w[j]
        for i in range(n):
            z[target + i] += a * XT[j, source + i]
        j += 1


@kernel
def _two_scores(W, XT, y, z, k, d, source, target, n):
    for i in range(n):
        y[target + i] = 0.0
        z[target + i] = 0.0
    j = 0
    while j + 4 <= d:
        a, b, c, e = W[k, j], W[k, j + 1], W[k, j + 2], W[k, j + 3]
        f, g, h, o = W[k + 1, j], W[k + 1, j + 1], W[k + 1, j + 2], W[k + 1, j + 3]
        for i in range(n):
            m = source + i
            p, q, r, s = XT[j, m], XT[j + 1, m], XT[j + 2, m], XT[j + 3, m]
            y[target + i] += a * p + b * q + c * r + e * s
            z[target + i] += f * p + g * q + h * r + o * s
        j += 4
    while j < d:
        a, b = W[k, j], W[k + 1, j]
        for i in range(n):
            p = XT[j, source + i]
            y[target + i] += a * p
            z[target + i] += b * p
        j += 1


@kernel
def _gradient(W, X, P, codes, G, K, d, n, penalty):
    """Write the gradient at W to G and return its largest absolute entry."""
    for k in range(K):
        for j in range(1, d):
            G[k, j] = penalty * W[k, j]
        G[k, 0] = 0.0
        i = 0
        while i + 4 <= n:
            a = P[k, i] - (1.0 if codes[i] == k else 0.0)
            b = P[k, i + 1] - (1.0 if codes[i + 1] == k else 0.0)
            c = P[k, i + 2] - (1.0 if codes[i + 2] == k else 0.0)
            e = P[k, i + 3] - (1.0 if codes[i + 3] == k else 0.0)
            for j in range(d):
                G[k, j] += a * X[i, j] + b * X[i + 1, j] + c * X[i + 2, j] + e * X[i + 3, j]
            i += 4
        while i < n:
            a = P[k, i] - (1.0 if codes[i] == k else 0.0)
            for j in range(d):
                G[k, j] += a * X[i, j]
            i += 1
    top = 0.0
    for k in range(K):
        for j in range(d):
            top = max(top, abs(G[k, j]))
    return top


@kernel(inline="always")
def _dot(A, B, K, d):
    total = 0.0
    for k in range(K):
        for j in range(d):
            total += A[k, j] * B[k, j]
    return total


@kernel
def _direction(G, pairs, R, Q, alpha, penalty, K, d):
    """Write minus the limited-memory inverse Hessian times G to R; Q is scratch."""
    S, Y, rho, header = pairs
    count, head = header[0], header[1]
    size = S.shape[0]
    for k in range(K):
        for j in range(d):
            Q[k, j] = G[k, j]
    for back in range(count):
        i = (head - 1 - back) % size
        a = rho[i] * _dot(S[i], Q, K, d)
        alpha[i] = a
        for k in range(K):
            for j in range(d):
                Q[k, j] -= a * Y[i, k, j]
    share = 1.0 / penalty
    for k in range(K):
        R[k, 0] = FREE_INTERCEPT * Q[k, 0]
        for j in range(1, d):
            R[k, j] = share * Q[k, j]
    for back in range(count - 1, -1, -1):
        i = (head - 1 - back) % size
        b = alpha[i] - rho[i] * _dot(Y[i], R, K, d)
        for k in range(K):
            for j in range(d):
                R[k, j] += b * S[i, k, j]
    for k in range(K):
        for j in range(d):
            R[k, j] = -R[k, j]


@kernel
def _slope(Zs, P, codes, K, n):
    """Return the data part of the slope along a line at probabilities P."""
    total = 0.0
    for k in range(K):
        for i in range(n):
            total += (P[k, i] - (1.0 if codes[i] == k else 0.0)) * Zs[k, i]
    return total


@kernel
def _bend(Zs, P, K, n):
    """Return the data part of the second derivative along a line at probabilities P."""
    total = 0.0
    for i in range(n):
        P[K, i] = 0.0
    for k in range(K):
        for i in range(n):
            total += P[k, i] * Zs[k, i] * Zs[k, i]
            P[K, i] += P[k, i] * Zs[k, i]
    for i in range(n):
        total -= P[K, i] * P[K, i]
    return total


@kernel
def _reach(Zs, K, n):
    """Return the largest change of a score difference along a line of unit length."""
    top = 0.0
    for i in range(n):
        low = 0.0
        high = 0.0
        for k in range(K):
            low = min(low, Zs[k, i])
            high = max(high, Zs[k, i])
        top = max(top, high - low)
    return top


@kernel
def _line(Z, Zs, P, T, codes, K, n, slope0, linear, square):
    """Return a step length with at most half of the slope left; P is left at that step.

    The slope of the penalty at step t is ``linear + t * square``; T is scratch of P's shape.
    """
    bend = _bend(Zs, P, K, n) + square
    if not bend > 0.0:
        return 0.0
    t = -slope0 / bend
    reach = t * _reach(Zs, K, n)
    if reach > 1e-3:
        t *= math.log1p(reach) / reach
    low, high, slope_low, slope_high = 0.0, math.inf, slope0, 0.0
    for _ in range(MOST_TRIALS):
        for k in range(K):
            for i in range(n):
                T[k, i] = Z[k, i] + t * Zs[k, i]
        link(T, P, K, n)
        slope = _slope(Zs, P, codes, K, n) + linear + t * square
        if abs(slope) <= 0.5 * abs(slope0):
            return t
        if slope < 0.0:
            low, slope_low = t, slope
        else:
            high, slope_high = t, slope
        if high == math.inf:
            t *= 4.0
            continue
        # Regula falsi, kept a tenth off the ends: near them it would creep.
        t = low - slope_low * (high - low) / (slope_high - slope_low)
        t = min(max(t, low + 0.1 * (high - low)), high - 0.1 * (high - low))
    return t
