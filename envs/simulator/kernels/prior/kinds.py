"""Generators of the prior's classes; the compiled twins of `lal.data.generators`."""

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.prior.draws import (
    between,
    gamma,
    normal,
    normals,
    permutation,
    uniforms,
)
from envs.simulator.kernels.prior.rows import (
    assign,
    base_rows,
    count_codes,
    deviation,
    draw_codes,
    over,
    place_of_largest,
    times,
    wanted,
)
from envs.simulator.kernels.random_numbers import below, uniform


@kernel
def clusters(state, n, d, shares):
    """One to three Gaussian clusters a class, of different size and orientation."""
    C = len(shares)
    y = draw_codes(state, n, shares)
    each = 1 + below(state, 3)
    separation = between(state, 1.0, 7.0) / np.sqrt(max(d, 2) / 2.0)
    centres = normals(state, C * each, d) * separation
    spread = times(normals(state, 1, C * each), 0.3)[0]
    for k in range(C * each):
        spread[k] = np.exp(spread[k])
    mix = normals(state, d, d) * (uniform(state) / np.sqrt(d))
    for j in range(d):
        mix[j, j] += 1.0
    X = np.dot(normals(state, n, d), mix)
    for i in range(n):
        k = y[i] * each + below(state, each)
        for j in range(d):
            X[i, j] = centres[k, j] + spread[k] * X[i, j]
    return X, y


@kernel
def linear(state, n, d, shares):
    """Classes cut by hyperplanes."""
    X = base_rows(state, n, d)
    return X, assign(np.dot(X, normals(state, d, len(shares))), shares)


@kernel
def nested(state, n, d, shares):
    """Gaussian classes of different spread about nearly the same centre."""
    C = len(shares)
    y = draw_codes(state, n, shares)
    base = between(state, 1.5, 2.5)
    order, spread = permutation(state, C), np.empty(C)
    for c in range(C):
        spread[c] = base ** np.float64(order[c])
    centres = normals(state, C, d) * (uniform(state) / np.sqrt(d))
    X = normals(state, n, d)
    scale = np.sqrt(np.mean(spread * spread))
    for i in range(n):
        for j in range(d):
            X[i, j] = (centres[y[i], j] + spread[y[i]] * X[i, j]) / scale
    return X, y


@kernel
def rings(state, n, d, shares):
    """Concentric shells, one a class."""
    y = draw_codes(state, n, shares)
    X = normals(state, n, d)
    place = permutation(state, len(shares))
    width = between(state, 0.05, 0.3)
    for i in range(n):
        radius = 1.0 + place[y[i]] + width * normal(state)
        ratio = _ratio(radius, np.sqrt(np.sum(X[i] * X[i])))
        for j in range(d):
            X[i, j] *= ratio
    return X, y


@kernel(fastmath=False)
def _ratio(a, b):
    return a / b


@kernel
def board(state, n, d, shares, cells, depth):
    """A class, then one of its cells, then a point in the cell; further columns are noise."""
    C = len(shares)
    side = C * -(-cells // C)
    y = draw_codes(state, n, shares)
    X = uniforms(state, n, d)
    for i in range(n):
        for j in range(d):
            X[i, j] = 2.0 * X[i, j] - 1.0
        total = 0
        for j in range(1, depth):
            cell = below(state, side)
            total += cell
            X[i, j] = 2.0 * (cell + uniform(state)) / side - 1.0
        first = (y[i] - total) % C + C * below(state, side // C)
        X[i, 0] = 2.0 * (first + uniform(state)) / side - 1.0
    return X, y


@kernel
def xor(state, n, d, shares):
    """Parity of two or three columns, or their sum modulo C."""
    return board(state, n, d, shares, 2, min(d, 2 + below(state, 2)))


@kernel
def checkerboard(state, n, d, shares):
    """A board of three to six cells a side in two columns, turned by some angle."""
    X, y = board(state, n, d, shares, 3 + below(state, 4), min(d, 2))
    angle = between(state, 0.0, np.pi / 2)
    cos, sin = np.cos(angle), np.sin(angle)
    for i in range(n):
        a, b = X[i, 0], X[i, 1]
        X[i, 0] = cos * a + sin * b
        X[i, 1] = cos * b - sin * a
    return X, y


@kernel
def tree(state, n, d, shares):
    """Classes are the leaves of a random decision tree."""
    X = base_rows(state, n, d)
    depth = np.int64(np.ceil(np.log2(len(shares)))) + 1 + below(state, 3)
    leaves = np.int64(1) << depth
    columns = np.empty(leaves, np.int64)
    for k in range(leaves):
        columns[k] = below(state, d)
    cuts = times(normals(state, 1, leaves), 0.7)[0]
    leaf = np.empty(n, np.int64)
    for i in range(n):
        node = 1
        for _ in range(depth):
            node = 2 * node + (1 if X[i, columns[node]] > cuts[node] else 0)
        leaf[i] = node - leaves
    mass = count_codes(leaf, leaves)
    amounts = uniforms(state, 1, leaves)[0]
    for k in range(leaves):
        amounts[k] = 0.1 * amounts[k] - mass[k]
    order, lack, owner = _fewest_first(amounts), wanted(shares, n), np.empty(leaves, np.int64)
    for k in range(leaves):
        one = order[k]
        owner[one] = place_of_largest(lack)
        lack[owner[one]] -= mass[one]
    for i in range(n):
        leaf[i] = owner[leaf[i]]
    return X, leaf


@kernel
def _fewest_first(amounts):
    """Return the order of a few hundred numbers at most, by insertion."""
    order = np.empty(len(amounts), np.int64)
    for i in range(len(amounts)):
        j = i
        while j > 0 and amounts[order[j - 1]] > amounts[i]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = i
    return order


@kernel
def network(state, n, d, shares):
    """Classes are the largest outputs of a random network with one hidden layer."""
    X = base_rows(state, n, d)
    width = 3 + below(state, 14)
    weights = normals(state, d, width)
    times(weights, between(state, 0.5, 2.5) / np.sqrt(d))
    hidden, bias = np.dot(X, weights), normals(state, 1, width)
    for i in range(n):
        for k in range(width):
            hidden[i, k] = np.tanh(hidden[i, k] + bias[0, k])
    return X, assign(np.dot(hidden, normals(state, width, len(shares))), shares)


@kernel
def categorical(state, n, d, shares):
    """One-hot columns whose levels have other odds in each class; a remainder is noise."""
    C = len(shares)
    y = draw_codes(state, n, shares)
    levels = 2 + below(state, min(6, max(3, d)) - 2)
    groups = max(d // levels, 1)
    alpha = between(state, 0.15, 1.2)
    odds = np.empty((C, groups, levels))
    for c in range(C):
        for g in range(groups):
            total = 0.0
            for k in range(levels):
                total += gamma(state, alpha) + 1e-3
                odds[c, g, k] = total
            for k in range(levels):
                odds[c, g, k] /= total
    X = base_rows(state, n, d)
    for i in range(n):
        for g in range(groups):
            u, level = uniform(state), 0
            while level < levels - 1 and u > odds[y[i], g, level]:
                level += 1
            for k in range(levels):
                if g * levels + k < d:
                    X[i, g * levels + k] = 1.0 if k == level else 0.0
    return X, y


@kernel
def factors(state, n, d, shares):
    """One or two clusters a class in a few latent factors, which all columns are measures of."""
    C = len(shares)
    y = draw_codes(state, n, shares)
    rank = min(d, 2 + below(state, 11))
    each = 1 + below(state, 2)
    separation = between(state, 1.5, 6.0) / np.sqrt(rank) * np.sqrt(2.0)
    centres = normals(state, C * each, rank) * separation
    latent = normals(state, n, rank)
    scale = times(normals(state, 1, rank), 0.5)[0]
    for j in range(rank):
        scale[j] = np.exp(scale[j])
    for i in range(n):
        k = y[i] * each + below(state, each)
        for j in range(rank):
            latent[i, j] = (centres[k, j] + latent[i, j]) * scale[j]
    X = np.dot(latent, over(normals(state, rank, d), np.sqrt(rank)))
    noise, rows = between(state, 0.02, 0.5) * deviation(X), normals(state, n, d)
    for i in range(n):
        for j in range(d):
            X[i, j] += noise * rows[i, j]
    return over(X, deviation(X) + 1e-12), y
