"""One data set of the prior: the compiled form of `lal.data.recipes.draw`."""

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.prior.draws import between, normal, normals, permutation, sort
from envs.simulator.kernels.prior.kinds import (
    categorical,
    checkerboard,
    clusters,
    factors,
    linear,
    nested,
    network,
    rings,
    tree,
    xor,
)
from envs.simulator.kernels.prior.rows import column_scale
from envs.simulator.kernels.prior.rules import rules
from envs.simulator.kernels.random_numbers import below, uniform

KINDS = (
    "clusters", "linear", "nested", "rings", "xor", "checkerboard", "tree", "network",
    "categorical", "rules", "factors",
)  # fmt: skip
"""Kinds in the order of their numbers."""

CORRELATED, HEAVY, LEVELS, NOISE, REPEATED, BLUR = 0, 1, 2, 3, 4, 5
"""Places in what a recipe adds: shares, and the spread of the blur."""


@kernel
def generate(kind, state, n, d, shares):
    """Return rows (n, d) and codes (n,) of a kind."""
    if kind == 0:
        return clusters(state, n, d, shares)
    if kind == 1:
        return linear(state, n, d, shares)
    if kind == 2:
        return nested(state, n, d, shares)
    if kind == 3:
        return rings(state, n, d, shares)
    if kind == 4:
        return xor(state, n, d, shares)
    if kind == 5:
        return checkerboard(state, n, d, shares)
    if kind == 6:
        return tree(state, n, d, shares)
    if kind == 7:
        return network(state, n, d, shares)
    if kind == 8:
        return categorical(state, n, d, shares)
    if kind == 9:
        return rules(state, n, d, shares)
    return factors(state, n, d, shares)


@kernel
def draw(kind, state, size, shares, added):
    """Return rows (n, D) and codes (n,) of a recipe; rare classes may be absent.

    Args:
        kind: Place in `KINDS`.
        state: Stream, shape (1,).
        size: Rows, columns, informative columns.
        shares: Of the classes, shape (C,).
        added: Shares of correlated, heavy and levelled columns, of wrong labels, of near-copies;
            spread of the blur.
    """
    n, D, d = size
    X, y = generate(kind, state, n, d, shares)
    if added[BLUR] > 0.0:
        blur(state, X, added[BLUR])
    if d < D:
        X = filled(state, X, D, added[CORRELATED])
    if added[REPEATED] > 0.0:
        X, y = near_copies(state, X, y, added[REPEATED])
    if added[HEAVY] > 0.0:
        stretch(state, X, added[HEAVY])
    if added[LEVELS] > 0.0:
        cut(state, X, added[LEVELS])
    if added[NOISE] > 0.0:
        for i in range(n):
            if uniform(state) < added[NOISE]:
                y[i] = (y[i] + 1 + below(state, len(shares) - 1)) % len(shares)
    order = permutation(state, D)
    out = np.empty((n, D))
    for i in range(n):
        for j in range(D):
            out[i, j] = X[i, order[j]]
    return out, y


@kernel
def blur(state, X, spread):
    """Add normal noise to every column, of `spread` times its standard deviation."""
    scale, noise = column_scale(X), normals(state, X.shape[0], X.shape[1])
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            X[i, j] += spread * scale[j] * noise[i, j]


@kernel
def filled(state, X, width, correlated):
    """Return X with further columns: mixtures of its own, or noise without a bearing on y."""
    n, d = X.shape
    more = width - d
    weights, amount = np.empty((d, more)), np.empty(more)
    scale = between(state, 0.05, 0.7)
    for k in range(more):
        amount[k] = 1.0
        for j in range(d):
            weights[j, k] = 0.0
        if uniform(state) < correlated:
            amount[k] = scale
            for j in range(d):
                weights[j, k] = normal(state) / np.sqrt(d)
    mixed, noise, out = np.dot(X, weights), normals(state, n, more), np.empty((n, width))
    for i in range(n):
        for j in range(d):
            out[i, j] = X[i, j]
        for k in range(more):
            out[i, d + k] = mixed[i, k] + noise[i, k] * amount[k]
    return out


@kernel
def near_copies(state, X, y, share):
    """Return X and y with a share of the rows replaced by others, moved by 2 % of a scale."""
    n, d = X.shape
    scale = column_scale(X)
    moved, codes = np.empty((n, d)), np.empty(n, np.int64)
    for i in range(n):
        codes[i] = y[i]
        for j in range(d):
            moved[i, j] = X[i, j]
        if uniform(state) < share:
            source = below(state, n)
            codes[i] = y[source]
            for j in range(d):
                moved[i, j] = X[source, j] + 0.02 * scale[j] * normal(state)
    return moved, codes


@kernel
def stretch(state, X, share):
    """Stretch some columns: one-sided (exponential) or two-sided."""
    for j in range(X.shape[1]):
        if uniform(state) >= share:
            continue
        strength = between(state, 0.5, 1.5)
        two_sided = uniform(state) < 0.5
        for i in range(len(X)):
            value = min(max(X[i, j], -6.0), 6.0) * strength
            X[i, j] = np.sinh(value) if two_sided else np.exp(value)


@kernel
def cut(state, X, share):
    """Cut some columns into two to five levels at random quantiles."""
    n = len(X)
    edges, ordered = np.empty(4), np.empty(n)
    for j in range(X.shape[1]):
        if uniform(state) >= share:
            continue
        count = 1 + below(state, 4)
        for i in range(n):
            ordered[i] = X[i, j]
        sort(ordered)
        for k in range(count):
            edges[k] = ordered[np.int64(between(state, 0.1, 0.9) * (n - 1))]
        for i in range(n):
            level = 0.0
            for k in range(count):
                if X[i, j] > edges[k]:
                    level += 1.0
            X[i, j] = level
