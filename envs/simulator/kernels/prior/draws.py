"""Normal, gamma and Dirichlet draws, permutations and choices on SplitMix64 streams.

Sources: Marsaglia and Bray (1964), the polar method; Marsaglia and Tsang (2000), gamma variates.
"""

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.random_numbers import below, uniform


@kernel
def normal(state):
    """Return a standard normal number."""
    while True:
        a = 2.0 * uniform(state) - 1.0
        b = 2.0 * uniform(state) - 1.0
        s = a * a + b * b
        if 0.0 < s < 1.0:
            return a * np.sqrt(-2.0 * np.log(s) / s)


@kernel
def normals(state, n, d):
    """Return standard normal numbers, shape (n, d)."""
    flat = np.empty((n, d))
    out = flat.reshape(n * d)
    i = 0
    while i < n * d:
        a = 2.0 * uniform(state) - 1.0
        b = 2.0 * uniform(state) - 1.0
        s = a * a + b * b
        if not 0.0 < s < 1.0:
            continue
        scale = np.sqrt(-2.0 * np.log(s) / s)
        out[i] = a * scale
        if i + 1 < n * d:
            out[i + 1] = b * scale
        i += 2
    return flat


@kernel
def uniforms(state, n, d):
    """Return numbers in [0, 1), shape (n, d)."""
    out = np.empty((n, d))
    for i in range(n):
        for j in range(d):
            out[i, j] = uniform(state)
    return out


@kernel
def between(state, low, high):
    """Return a number uniform in [low, high)."""
    return low + (high - low) * uniform(state)


@kernel
def gamma(state, shape):
    """Return a gamma number of scale 1."""
    boost = 1.0
    if shape < 1.0:
        boost = uniform(state) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / np.sqrt(9.0 * d)
    while True:
        x = normal(state)
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        if np.log(1.0 - uniform(state)) < 0.5 * x * x + d - d * v + d * np.log(v):
            return d * v * boost


@kernel
def dirichlet(state, alpha, k):
    """Return shares of k classes from a symmetric Dirichlet distribution."""
    shares, total = np.empty(k), 0.0
    for j in range(k):
        shares[j] = gamma(state, alpha)
        total += shares[j]
    if total <= 0.0:  # every gamma of a small alpha vanished: all mass to one class
        shares[below(state, k)] = total = 1.0
    for j in range(k):
        shares[j] /= total
    return shares


@kernel
def shuffle(state, values):
    """Permute the values in place."""
    for i in range(len(values) - 1, 0, -1):
        j = below(state, i + 1)
        kept = values[i]
        values[i] = values[j]
        values[j] = kept


@kernel
def permutation(state, n):
    """Return 0 to n - 1 in random order."""
    order = np.empty(n, np.int64)
    for i in range(n):
        order[i] = i
    shuffle(state, order)
    return order


@kernel
def choose(state, edges):
    """Return an index by cumulative shares."""
    u = uniform(state)
    for k in range(len(edges) - 1):
        if u < edges[k]:
            return k
    return len(edges) - 1


@kernel
def sort(values):
    """Sort numbers in place, NaN-free; numpy's own takes seconds to compile and needs a copy."""
    first, last = np.empty(64, np.int64), np.empty(64, np.int64)
    first[0], last[0], waiting = 0, len(values) - 1, 1
    while waiting:
        waiting -= 1
        low, high = first[waiting], last[waiting]
        while high - low > 16:
            middle = _part(values, low, high)
            # The larger part waits, so that the list is at most log2(n) long.
            if middle - low < high - middle:
                first[waiting], last[waiting] = middle + 1, high
                high = middle
            else:
                first[waiting], last[waiting] = low, middle
                low = middle + 1
            waiting += 1
        for i in range(low + 1, high + 1):
            value, j = values[i], i - 1
            while j >= low and values[j] > value:
                values[j + 1] = values[j]
                j -= 1
            values[j + 1] = value


@kernel
def _part(values, low, high):
    """Bring what is at most a middle value to the front (Hoare); return where that part ends."""
    a, b, c = values[low], values[(low + high) // 2], values[high]
    pivot = max(min(a, b), min(max(a, b), c))
    i, j = low - 1, high + 1
    while True:
        i += 1
        while values[i] < pivot:
            i += 1
        j -= 1
        while values[j] > pivot:
            j -= 1
        if i >= j:
            return j
        values[i], values[j] = values[j], values[i]
