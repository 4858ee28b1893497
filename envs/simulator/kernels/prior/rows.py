"""What several generators of the prior draw; the compiled twins of `lal.data.drawing`."""

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import set_all
from envs.simulator.kernels.prior.draws import between, choose, normals, shuffle, uniforms
from envs.simulator.kernels.random_numbers import uniform


@kernel
def draw_codes(state, n, shares):
    """Return n shuffled codes whose counts follow the shares, each class at least twice."""
    C = len(shares)
    counts, total = np.empty(C, np.int64), 0
    for c in range(C):
        counts[c] = np.floor(shares[c] * n)
        counts[c] = max(counts[c], 2)
        total += counts[c]
    counts[place_of_largest(counts)] -= max(total - n, 0)
    codes = np.empty(n, np.int64)
    i = 0
    for c in range(C):
        for _ in range(counts[c]):
            codes[i] = c
            i += 1
    edges = running_sums(shares)
    while i < n:
        codes[i] = choose(state, edges)
        i += 1
    shuffle(state, codes)
    return codes


@kernel
def base_rows(state, n, d):
    """Return rows without classes, about unit scale: normal or uniform, often of low rank."""
    full = uniform(state) < 0.4
    rank = d if full else min(np.int64(np.exp(between(state, 0.0, np.log(d + 1.0)))), d)
    if uniform(state) < 0.7:
        latent = normals(state, n, rank)
    else:
        latent = uniforms(state, n, rank)
        for i in range(n):
            for j in range(rank):
                latent[i, j] = (2.0 * latent[i, j] - 1.0) * np.sqrt(3.0)
    if full:
        return latent
    mixed = np.dot(latent, over(normals(state, rank, d), np.sqrt(rank)))
    noise = between(state, 0.05, 0.5)
    rows = normals(state, n, d)
    for i in range(n):
        for j in range(d):
            rows[i, j] = mixed[i, j] + noise * rows[i, j]
    return rows


@kernel
def over(X, divisor):
    """Divide all numbers of a table and return it."""
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            X[i, j] /= divisor
    return X


@kernel
def times(X, factor):
    """Multiply all numbers of a table and return it."""
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            X[i, j] *= factor
    return X


@kernel
def mean_and_deviation(values):
    """Return mean and standard deviation of the numbers of an array of one axis."""
    mean, squares, n = 0.0, 0.0, len(values)
    for i in range(n):
        mean += values[i]
    mean /= n
    for i in range(n):
        gap = values[i] - mean
        squares += gap * gap
    return mean, np.sqrt(squares / n)


@kernel
def deviation(X):
    """Return the standard deviation of all numbers of a table."""
    return mean_and_deviation(X.reshape(X.shape[0] * X.shape[1]))[1]


@kernel
def place_of_largest(values):
    """Return where the largest number is, of equals the first."""
    place = 0
    for i in range(len(values)):
        if values[i] > values[place]:
            place = i
    return place


@kernel
def running_sums(values):
    """Return the sums of the first 1, 2, ... numbers."""
    sums, total = np.empty(len(values)), 0.0
    for i in range(len(values)):
        total += values[i]
        sums[i] = total
    return sums


@kernel
def wanted(shares, n):
    """Return how many of n rows each class is meant to have."""
    rows = np.empty(len(shares))
    for c in range(len(shares)):
        rows[c] = shares[c] * n
    return rows


@kernel
def count_codes(codes, C):
    """Return how often each code occurs, shape (C,)."""
    counts = np.empty(C, np.int64)
    set_all(counts, 0)
    for i in range(len(codes)):
        counts[codes[i]] += 1
    return counts


@kernel
def get_largest(scores, bias):
    """Return the arg-max of every row of scores plus bias."""
    n, C = scores.shape
    codes = np.empty(n, np.int64)
    for i in range(n):
        best, top = 0, scores[i, 0] + bias[0]
        for c in range(1, C):
            value = scores[i, c] + bias[c]
            if value > top:
                best, top = c, value
        codes[i] = best
    return codes


@kernel
def assign(scores, shares):
    """Return the arg-max of the scores (n, C) after shifting them towards the wanted shares.

    The scores are overwritten.
    """
    n, C = scores.shape
    scores = over(scores, deviation(scores) + 1e-12)
    bias = np.empty(C)
    set_all(bias, 0.0)
    for _ in range(12):
        found = count_codes(get_largest(scores, bias), C)
        for c in range(C):
            bias[c] += 0.5 * np.log((shares[c] + 0.005) / (found[c] / n + 0.005))
    return get_largest(scores, bias)


@kernel
def column_scale(X):
    """Return the standard deviation of every column, shape (d,)."""
    n, d = X.shape
    mean, squares = np.empty(d), np.empty(d)
    set_all(mean, 0.0)
    set_all(squares, 0.0)
    for i in range(n):
        for j in range(d):
            mean[j] += X[i, j]
    for j in range(d):
        mean[j] /= n
    for i in range(n):
        for j in range(d):
            gap = X[i, j] - mean[j]
            squares[j] += gap * gap
    for j in range(d):
        squares[j] = np.sqrt(squares[j] / n)
    return squares
