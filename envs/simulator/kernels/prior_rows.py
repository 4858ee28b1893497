"""What several generators of the prior draw; the compiled twins of `lal.data.drawing`."""

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.draws import between, choose, normals, shuffle, uniforms
from envs.simulator.kernels.random_numbers import uniform


@kernel
def draw_codes(state, n, shares):
    """Return n shuffled codes whose counts follow the shares, each class at least twice."""
    C = len(shares)
    counts = np.empty(C, dtype=np.int64)
    for c in range(C):
        counts[c] = max(int(np.floor(shares[c] * n)), 2)
    largest = np.argmax(counts)
    counts[largest] -= max(counts.sum() - n, 0)
    codes = np.empty(n, dtype=np.int64)
    i = 0
    for c in range(C):
        for _ in range(counts[c]):
            codes[i] = c
            i += 1
    edges = np.cumsum(shares)
    while i < n:
        codes[i] = choose(state, edges)
        i += 1
    shuffle(state, codes)
    return codes


@kernel
def base_rows(state, n, d):
    """Return rows without classes, about unit scale: normal or uniform, often of low rank."""
    full = uniform(state) < 0.4
    rank = d if full else min(int(np.exp(between(state, 0.0, np.log(d + 1.0)))), d)
    if uniform(state) < 0.7:
        latent = normals(state, n, rank)
    else:
        latent = (2.0 * uniforms(state, n, rank) - 1.0) * np.sqrt(3.0)
    if full:
        return latent
    mixed = np.dot(latent, normals(state, rank, d) / np.sqrt(rank))
    noise = between(state, 0.05, 0.5)
    return mixed + noise * normals(state, n, d)


@kernel
def largest_of(scores, bias):
    """Return the arg-max of every row of scores plus bias."""
    n, C = scores.shape
    codes = np.empty(n, dtype=np.int64)
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
    """Return the arg-max of the scores (n, C) after shifting them towards the wanted shares."""
    n, C = scores.shape
    scores = scores / (scores.std() + 1e-12)
    bias = np.zeros(C)
    for _ in range(12):
        found = np.bincount(largest_of(scores, bias), minlength=C) / n
        bias += 0.5 * np.log((shares + 0.005) / (found + 0.005))
    return largest_of(scores, bias)


@kernel
def column_scale(X):
    """Return the standard deviation of every column, shape (d,)."""
    n, d = X.shape
    total, squares = np.zeros(d), np.zeros(d)
    for i in range(n):
        for j in range(d):
            total[j] += X[i, j]
    mean = total / n
    for i in range(n):
        for j in range(d):
            squares[j] += (X[i, j] - mean[j]) ** 2
    return np.sqrt(squares / n)
