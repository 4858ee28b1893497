"""Damped Newton steps in float64: where fits end that float32 cannot bring to the optimum.

The step is shortened to ``ln(1 + r) / r`` of itself, r the largest change of a score: by
generalised self-concordance it never overshoots. Strict floating point, so that a fit ends the
same however the sums around it are compiled.
"""

import math

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.cholesky import factor, solve_factored
from envs.simulator.kernels.dense import set_all

MOST_STEPS = 2000
"""A damped step moves no score by more than about log(1 + r): one that is off by hundreds, as of a
row a thousand times the others, takes hundreds of steps. Other fits take fewer than ten."""

FREE = 1e-10
"""Penalty of an intercept: nothing holds it, but the Hessian must stay positive definite."""

SETTLED = 1e-12
"""A binary step that changes no score by more than this is the last: the rest is rounding."""

SETTLED_OF_MANY = 1e-9
"""The same for more classes, where the next step would change the scores by its square."""

SMALL_STEP = 1e-6
"""Largest change of a score up to which ``ln(1 + r) / r`` is 1 to six digits and not computed."""


@kernel(fastmath=False)
def newton_weights(X, target, weights, hessian, step):
    """Move the weights of a binary fit, penalty 1, to the optimum.

    Args:
        X: Samples (L, D + 1), the last column ones.
        target: 0 or 1, (L,).
        weights: Start, and result, (D + 1,).
        hessian: Shape (D + 1, D + 1), overwritten by its Cholesky factor.
        step: Shape (D + 1,), overwritten.
    """
    n, d1 = X.shape
    for _ in range(MOST_STEPS):
        for j in range(d1):
            set_all(hessian[j], 0.0)
        for j in range(d1 - 1):
            hessian[j, j] = 1.0
            step[j] = weights[j]
        hessian[d1 - 1, d1 - 1] = FREE
        step[d1 - 1] = 0.0
        for i in range(n):
            z = 0.0
            for j in range(d1):
                z += X[i, j] * weights[j]
            p = 1.0 / (1.0 + math.exp(-min(max(z, -500.0), 500.0)))
            residual = p - target[i]
            c = p * (1.0 - p)
            for j in range(d1):
                step[j] += residual * X[i, j]
                k = c * X[i, j]
                for m in range(j + 1):
                    hessian[j, m] += k * X[i, m]
        largest = 0.0
        for j in range(d1):
            largest = max(largest, abs(step[j]))
        factor(hessian)
        if largest < 1e-9:
            break
        solve_factored(hessian, step)
        change = 0.0
        for i in range(n):
            u = 0.0
            for j in range(d1):
                u += X[i, j] * step[j]
            change = max(change, abs(u))
        size = math.log1p(change) / change if change > SMALL_STEP else 1.0
        for j in range(d1):
            weights[j] -= size * step[j]
        if change < SETTLED:
            break


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
    for _ in range(MOST_STEPS):
        for a in range(size):
            set_all(hessian[a], 0.0)
            k, j = a // d, a % d
            hessian[a, a] = penalty if j > 0 else FREE
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
        share = math.log1p(change) / change if change > SMALL_STEP else 1.0
        for a in range(size):
            W[a // d, a % d] -= share * step[a]
        if change < SETTLED_OF_MANY:
            break
