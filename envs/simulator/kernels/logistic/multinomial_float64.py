"""Binary and multinomial logistic regression refitted after every label.

The objective is scikit-learn's ``LogisticRegression``: the sum of the log-losses over the labelled
rows plus ``penalty / 2`` times the squared weights, intercepts free. Two classes use one column of
weights and the sigmoid, more use one column a class and the softmax.

The solver is L-BFGS that remembers: its pairs and its first inverse Hessian live on from label to
label. The inverse Hessian of one class block takes every new row by Sherman and Morrison, each pair
``(s, y)`` gets the exact curvature of the new row added to ``y``. The step length solves the convex
problem along the line until half of the slope is gone, so that a surprising label cannot make it
overshoot.

The optimum lies in the span of the labelled rows, so the fit lives there: rows are written in an
orthonormal basis of that span which every label may extend (`coordinates`), and with L labels in D
columns all work is in ``min(L, D) + 1`` numbers a class, the intercept first.
"""

import math

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import set_all
from envs.simulator.kernels.logistic.binary import factor, solve_factored

MEMORY = 20
"""Pairs of the limited-memory method."""

TOLERANCE = 1e-4
"""Largest absolute entry of the gradient at which a refit stops."""

MAX_ITERATIONS = 200
"""Refits stop here at the latest; only badly scaled rows and weak penalties take so many."""

NEWTON_STEPS = 2000
"""Steps after which `newton_softmax` gives up."""

FREE = 1e-10
"""Penalty of an intercept in a Newton step."""

CURVATURE_FLOOR = 0.03
"""Least weight of a new row in the first inverse Hessian."""

_LOG2E = 1.4426950408889634
_LN2_HIGH = 0.693145751953125
_LN2_LOW = 1.42860682030941723212e-6


@kernel(forceinline=True)
def exponential(x):
    """Return e**x to 1e-11 relative; unlike the library's it is vectorised in loops."""
    x = min(max(x, -700.0), 700.0)
    n = np.floor(x * _LOG2E + 0.5)
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    p = 2.48015873015873e-05
    p = p * r + 1.984126984126984e-04
    p = p * r + 1.388888888888889e-03
    p = p * r + 8.333333333333333e-03
    p = p * r + 4.1666666666666664e-02
    p = p * r + 1.6666666666666666e-01
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * np.int64((np.int64(n) + 1023) << 52).view(np.float64)


@kernel(forceinline=True)
def single_logarithm(p):
    """Return log p of a float32 to 1e-6, that of 1e-30 below it; vectorised in loops."""
    bits = np.float32(max(p, np.float32(1e-30))).view(np.int32)
    exponent = np.float32((bits >> np.int32(23)) - np.int32(127))
    m = np.int32((bits & np.int32(0x7FFFFF)) | np.int32(0x3F800000)).view(np.float32)
    upper = m > np.float32(1.4142135)
    m = np.float32(0.5) * m if upper else m
    exponent = exponent + np.float32(1.0) if upper else exponent
    s = (m - np.float32(1.0)) / (m + np.float32(1.0))
    z = s * s
    series = np.float32(1.0 / 9.0)
    series = series * z + np.float32(1.0 / 7.0)
    series = series * z + np.float32(1.0 / 5.0)
    series = series * z + np.float32(1.0 / 3.0)
    series = series * z + np.float32(1.0)
    return exponent * np.float32(0.6931472) + np.float32(2.0) * s * series


@kernel
def start_softmax(H, S, Y, meta, penalty):
    """Empty the memory: nothing is labelled.

    Args:
        H: First inverse Hessian of one class block, shape (D + 1, D + 1), overwritten.
        S: Steps of the kept pairs, shape (MEMORY, Kmax, D + 1), overwritten.
        Y: Gradient changes of the kept pairs, same shape, overwritten.
        meta: Number of pairs kept and the place of the next, shape (2,), overwritten.
        penalty: One over scikit-learn's C.
    """
    H[:] = 0.0
    for j in range(1, H.shape[0]):
        H[j, j] = 1.0 / penalty
    H[0, 0] = 100.0
    S[:] = 0.0
    Y[:] = 0.0
    meta[:] = 0


@kernel
def coordinates(points, D, row, Q, r, out):
    """Write a point in the basis of the span, extending it when the point lies outside.

    Args:
        points: One a column, shape (D or more, n).
        D: Coordinates that count.
        row: Column of the point.
        Q: Orthonormal basis, one vector a row, shape (D, D); row r may be written.
        r: Vectors in the basis.
        out: A one and the coordinates, shape (D + 1,), its first ``r + 1`` or ``r + 2`` written.

    Returns:
        Vectors in the basis now.
    """
    rest = np.empty(D)
    size = 0.0
    for j in range(D):
        rest[j] = points[j, row]
        size += rest[j] * rest[j]
    out[0] = 1.0
    for m in range(r):
        out[m + 1] = 0.0
    for _ in range(2):  # twice is enough (Kahan): the second pass removes rounding
        for m in range(r):
            a = 0.0
            for j in range(D):
                a += Q[m, j] * rest[j]
            out[m + 1] += a
            for j in range(D):
                rest[j] -= a * Q[m, j]
    left = 0.0
    for j in range(D):
        left += rest[j] * rest[j]
    if r == D or not left > 1e-20 * size:
        return r
    left = math.sqrt(left)
    for j in range(D):
        Q[r, j] = rest[j] / left
    out[r + 1] = left
    return r + 1


@kernel
def weights_in_columns(W, Q, r, K, out):
    """Write the weights of the original columns, the intercept last, shape (K, D + 1)."""
    D = Q.shape[1]
    for k in range(K):
        for j in range(D):
            out[k, j] = 0.0
        out[k, D] = W[k, 0]
        for m in range(r):
            a = W[k, m + 1]
            for j in range(D):
                out[k, j] += a * Q[m, j]


@kernel
def forget_pairs(W, meta):
    """Start again from zero weights, for when a further class was seen."""
    W[:] = 0.0
    meta[:] = 0


@kernel(inline="always")
def link(Z, P, K, n):
    """Turn scores (K, n) into probabilities of the columns; may be in place."""
    if K == 1:
        for i in range(n):
            P[0, i] = 1.0 / (1.0 + exponential(-Z[0, i]))
        return
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
        mine = 1 if K == 1 else k
        i = 0
        while i + 4 <= n:
            a = P[k, i] - (1.0 if codes[i] == mine else 0.0)
            b = P[k, i + 1] - (1.0 if codes[i + 1] == mine else 0.0)
            c = P[k, i + 2] - (1.0 if codes[i + 2] == mine else 0.0)
            e = P[k, i + 3] - (1.0 if codes[i + 3] == mine else 0.0)
            for j in range(d):
                G[k, j] += a * X[i, j] + b * X[i + 1, j] + c * X[i + 2, j] + e * X[i + 3, j]
            i += 4
        while i < n:
            a = P[k, i] - (1.0 if codes[i] == mine else 0.0)
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
def _direction(G, H, S, Y, rho, meta, R, Q, alpha, K, d):
    """Write minus the limited-memory inverse Hessian times G to R; Q is scratch."""
    count, head = meta[0], meta[1]
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
    for k in range(K):
        for j in range(d):
            R[k, j] = 0.0
        for i in range(d):
            q = Q[k, i]
            for j in range(d):
                R[k, j] += q * H[i, j]
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
def add_row(X, row, W, H, S, Y, rho, meta, K, d):
    """Take one more labelled row into the inverse Hessian and into every kept pair.

    Args:
        X: Labelled rows as `coordinates` wrote them, shape (Lmax, D + 1).
        row: Which of them is new.
        W: Weights before the refit, shape (Kmax, D + 1).
        H: First inverse Hessian, shape (D + 1, D + 1), updated.
        S: Steps of the kept pairs, shape (MEMORY, Kmax, D + 1).
        Y: Changes of the gradient of the kept pairs, same shape, updated.
        rho: One over their inner products, shape (MEMORY,), updated.
        meta: Number of pairs and place of the next.
        K: Columns in use.
        d: Coordinates in use, the one of the intercept included.
    """
    p = np.empty(K)
    top = -1e300
    for k in range(K):
        z = 0.0
        for j in range(d):
            z += W[k, j] * X[row, j]
        p[k] = z
        top = max(top, z)
    weight = 0.0
    if K == 1:
        p[0] = 1.0 / (1.0 + exponential(-p[0]))
        weight = p[0] * (1.0 - p[0])
    else:
        total = 0.0
        for k in range(K):
            p[k] = exponential(p[k] - top)
            total += p[k]
        weight = 1.0
        for k in range(K):
            p[k] /= total
            weight -= p[k] * p[k]
        weight /= K - 1
    _sherman_morrison(H, X[row], d, max(weight, CURVATURE_FLOOR))
    v = np.empty(K)
    for m in range(meta[0]):
        mean = 0.0
        for k in range(K):
            z = 0.0
            for j in range(d):
                z += S[m, k, j] * X[row, j]
            v[k] = z
            mean += p[k] * z
        for k in range(K):
            q = p[k] * (1.0 - p[k]) * v[k] if K == 1 else p[k] * (v[k] - mean)
            for j in range(d):
                Y[m, k, j] += q * X[row, j]
        rho[m] = 1.0 / max(_dot(S[m], Y[m], K, d), 1e-300)


@kernel
def _sherman_morrison(H, x, d, weight):
    u = np.zeros(d)
    for i in range(d):
        a = x[i]
        for j in range(d):
            u[j] += a * H[i, j]
    xu = 0.0
    for j in range(d):
        xu += x[j] * u[j]
    scale = weight / (1.0 + weight * xu)
    for i in range(d):
        a = scale * u[i]
        for j in range(d):
            H[i, j] -= a * u[j]


@kernel
def _slope(Zs, P, codes, K, n):
    """Return the data part of the slope along a line at probabilities P."""
    total = 0.0
    for k in range(K):
        mine = 1 if K == 1 else k
        for i in range(n):
            total += (P[k, i] - (1.0 if codes[i] == mine else 0.0)) * Zs[k, i]
    return total


@kernel
def _bend(Zs, P, K, n):
    """Return the data part of the second derivative along a line at probabilities P."""
    total = 0.0
    if K == 1:
        for i in range(n):
            total += P[0, i] * (1.0 - P[0, i]) * Zs[0, i] * Zs[0, i]
        return total
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
    for _ in range(60):
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
        t = low - slope_low * (high - low) / (slope_high - slope_low)
        t = min(max(t, low + 0.1 * (high - low)), high - 0.1 * (high - low))
    return t


@kernel
def refit_softmax(X, XT, codes, n, K, d, W, H, S, Y, rho, meta, penalty, tolerance):
    """Move the weights to the optimum of the first n labelled rows.

    Args:
        X: Labelled rows as `coordinates` wrote them, shape (Lmax, D + 1), zeros beyond.
        XT: The same, one row a column, shape (D + 1, Lmax).
        codes: Compact codes in ``range(classes seen)``, shape (Lmax,).
        n: Labelled rows, L.
        K: Columns: 1 for two classes, else the number of classes seen.
        d: Coordinates in use, the one of the intercept included.
        W: Weights, shape (Kmax, D + 1), where to start and the result.
        H: First inverse Hessian of a class block (`start_softmax`, `add_row`).
        S: Steps of the kept pairs, shape (MEMORY, Kmax, D + 1).
        Y: Gradient changes of the kept pairs, same shape.
        rho: One over their inner products, shape (MEMORY,).
        meta: Number of pairs and place of the next, shape (2,).
        penalty: One over scikit-learn's C.
        tolerance: Largest absolute gradient entry to stop at.

    Returns:
        Iterations done.
    """
    size = S.shape[0]
    work = np.empty((3, K + 1, n))
    Z, Zs, P = work[0], work[1], work[2]
    T = np.empty((K + 1, n))
    steps = np.empty((4, K, d))
    G, R, Q, G1 = steps[0], steps[1], steps[2], steps[3]
    alpha = np.empty(size)
    scores(W, XT, Z, K, d, 0, n)
    link(Z, P, K, n)
    top = _gradient(W, X, P, codes, G, K, d, n, penalty)
    for iteration in range(MAX_ITERATIONS):
        if top <= tolerance:
            return iteration
        _direction(G, H, S, Y, rho, meta, R, Q, alpha, K, d)
        slope = _dot(G, R, K, d)
        if not slope < 0.0:
            if meta[0] == 0:
                return iteration
            meta[0] = 0
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
        place = meta[1]
        for k in range(K):
            for j in range(d):
                S[place, k, j] = t * R[k, j]
                Y[place, k, j] = G1[k, j] - G[k, j]
                G[k, j] = G1[k, j]
        product = _dot(S[place], Y[place], K, d)
        if product > 1e-300:
            rho[place] = 1.0 / product
            meta[1] = (place + 1) % size
            meta[0] = min(meta[0] + 1, size)
    return MAX_ITERATIONS


@kernel(fastmath=False)
def newton_softmax(X, codes, n, K, d, W, penalty):
    """Move the weights of K > 1 columns to the optimum by damped Newton steps.

    Every step solves for K d unknowns at once, so it is for fits that limited memory does not
    finish: badly scaled rows, or penalties so weak that the loss is all but flat.

    Args:
        X: Labelled rows, the first number of each a one, shape (L, d or more).
        codes: Compact codes, shape (L,).
        n: Labelled rows, L.
        K: Columns.
        d: Coordinates in use, the one of the intercept included.
        W: Weights, shape (K, d or more), where to start and the result.
        penalty: One over scikit-learn's C.
    """
    size = K * d
    hessian, step, P = np.empty((size, size)), np.empty(size), np.empty((K, n))
    for _ in range(NEWTON_STEPS):
        for a in range(size):
            set_all(hessian[a], 0.0)
            k, j = a // d, a % d
            hessian[a, a] = penalty if j > 0 else FREE  # nothing holds the intercepts in place
            step[a] = penalty * W[k, j] if j > 0 else 0.0
        for i in range(n):
            top, total = -math.inf, 0.0
            for k in range(K):
                z = 0.0
                for j in range(d):
                    z += W[k, j] * X[i, j]
                P[k, i] = z
                top = max(top, z)
            for k in range(K):
                P[k, i] = math.exp(P[k, i] - top)
                total += P[k, i]
            for k in range(K):
                P[k, i] /= total
            for k in range(K):
                residual = P[k, i] - 1.0 if k == codes[i] else P[k, i]
                for j in range(d):
                    step[k * d + j] += residual * X[i, j]
                for other in range(k + 1):
                    bend = -P[k, i] * P[other, i]
                    if other == k:
                        bend += P[k, i]
                    for j in range(d):
                        scaled = bend * X[i, j]
                        for m in range(d):
                            hessian[k * d + j, other * d + m] += scaled * X[i, m]
        factor(hessian)
        solve_factored(hessian, step)
        change = 0.0
        for i in range(n):
            low, high = math.inf, -math.inf
            for k in range(K):
                u = 0.0
                for j in range(d):
                    u += X[i, j] * step[k * d + j]
                low, high = min(low, u), max(high, u)
            change = max(change, high - low)
        share = math.log1p(change) / change if change > 1e-6 else 1.0
        for a in range(size):
            W[a // d, a % d] -= share * step[a]
        if change < 1e-9:  # of the scores; the next step would change them by its square
            break


@kernel
def predict_softmax(W, Q, r, points, proba, K, lo, hi):
    """Write the probabilities of the points lo to hi.

    Args:
        W: Weights in the basis, shape (Kmax, D + 1).
        Q: The basis, shape (D, D).
        r: Vectors in it.
        points: One a column, with a last row of ones, shape (D + 1, n).
        proba: Shape (max(K, 2) + 1, hi - lo), overwritten; the last row is scratch.
        K: Columns of weights.
        lo: First point.
        hi: One past the last point.
    """
    n, D = hi - lo, Q.shape[1]
    V = np.empty((K, D + 1))
    weights_in_columns(W, Q, r, K, V)
    scores(V, points, proba, K, D + 1, lo, n)
    link(proba, proba, K, n)
    if K == 1:
        for i in range(n):
            q = proba[0, i]
            proba[1, i] = q
            proba[0, i] = 1.0 - q
