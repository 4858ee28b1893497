"""Generators of the synthetic prior: small pure functions from shares of classes to rows.

Each takes a Generator, the number of rows n, of columns d, and the wanted shares of the C classes,
and returns X (n, d) at about unit scale and codes y (n,). They differ in the shape of the classes;
what real tables add (noise, irrelevant and skewed columns) is put on by `lal.data.recipes`.
"""

from collections.abc import Callable, Mapping

import numpy as np

from lal.arrays import Floats, Ints
from lal.data.drawing import assign, base_rows, draw_codes
from lal.data.rules import factors, rules

Generate = Callable[[np.random.Generator, int, int, Floats], tuple[Floats, Ints]]


def clusters(rng: np.random.Generator, n: int, d: int, shares: Floats) -> tuple[Floats, Ints]:
    """Gaussian clusters, one to three per class, of different size and orientation."""
    y = draw_codes(rng, n, shares)
    n_clusters = int(rng.integers(1, 4))
    which = y * n_clusters + rng.integers(n_clusters, size=n)
    separation = rng.uniform(1.0, 7.0) / np.sqrt(max(d, 2) / 2)
    centres = rng.normal(size=(len(shares) * n_clusters, d)) * separation
    spread = np.exp(rng.normal(0, 0.3, size=len(centres)))
    mix = np.eye(d) + rng.normal(size=(d, d)) * (rng.uniform(0, 1) / np.sqrt(d))
    return centres[which] + (spread[which, None] * rng.normal(size=(n, d))) @ mix, y


def linear(rng: np.random.Generator, n: int, d: int, shares: Floats) -> tuple[Floats, Ints]:
    """Classes cut by hyperplanes."""
    X = base_rows(rng, n, d)
    return X, assign(X @ rng.normal(size=(d, len(shares))), shares)


def nested(rng: np.random.Generator, n: int, d: int, shares: Floats) -> tuple[Floats, Ints]:
    """Gaussian classes of different spread about nearly the same centre (like ringnorm)."""
    y = draw_codes(rng, n, shares)
    spread = rng.uniform(1.5, 2.5) ** rng.permutation(len(shares)).astype(np.float64)
    centres = rng.normal(size=(len(shares), d)) * (rng.uniform(0, 1.0) / np.sqrt(d))
    X = centres[y] + spread[y, None] * rng.normal(size=(n, d))
    return X / np.sqrt(np.mean(spread**2)), y


def rings(rng: np.random.Generator, n: int, d: int, shares: Floats) -> tuple[Floats, Ints]:
    """Concentric shells, one per class."""
    y = draw_codes(rng, n, shares)
    direction = rng.normal(size=(n, d))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius = 1.0 + rng.permutation(len(shares))[y] + rng.normal(size=n) * rng.uniform(0.05, 0.3)
    return direction * radius[:, None], y


def xor(rng: np.random.Generator, n: int, d: int, shares: Floats) -> tuple[Floats, Ints]:
    """Parity of two or three columns, or their sum modulo C."""
    return _board(rng, n, d, shares, cells=2, depth=min(d, int(rng.integers(2, 4))))


def checkerboard(rng: np.random.Generator, n: int, d: int, shares: Floats) -> tuple[Floats, Ints]:
    """A board of three to six cells per side in two columns, turned by some angle."""
    X, y = _board(rng, n, d, shares, cells=int(rng.integers(3, 7)), depth=min(d, 2))
    return turned(X, rng.uniform(0, np.pi / 2)), y


def _board(
    rng: np.random.Generator, n: int, d: int, shares: Floats, *, cells: int, depth: int
) -> tuple[Floats, Ints]:
    """Draw a class, then one of its cells, then a point in the cell; further columns are noise."""
    n_classes = len(shares)
    side = n_classes * int(np.ceil(cells / n_classes))
    y = draw_codes(rng, n, shares)
    cell = rng.integers(side, size=(n, depth))
    need = (y - cell[:, 1:].sum(axis=1)) % n_classes
    cell[:, 0] = need + n_classes * rng.integers(side // n_classes, size=n)
    X = rng.uniform(-1.0, 1.0, size=(n, d))
    X[:, :depth] = 2.0 * (cell + rng.random((n, depth))) / side - 1.0
    return X, y


def board(rng: np.random.Generator, n: int, side: int) -> tuple[Floats, Ints]:
    """Return the two-column, two-class checkerboard of `side` by `side` cells on [-1, 1]^2."""
    X = rng.uniform(-1.0, 1.0, size=(n, 2))
    y = np.floor((X + 1.0) * side / 2.0).astype(np.int64).sum(axis=1) % 2
    return X, y


def turned(X: Floats, angle: float) -> Floats:
    """Return the rows with their first two columns turned by an angle (radians)."""
    X = X.copy()
    cos, sin = np.cos(angle), np.sin(angle)
    X[:, :2] = X[:, :2] @ np.array([[cos, -sin], [sin, cos]])
    return X


def tree(rng: np.random.Generator, n: int, d: int, shares: Floats) -> tuple[Floats, Ints]:
    """Classes are the leaves of a random decision tree."""
    X = base_rows(rng, n, d)
    depth = int(np.ceil(np.log2(len(shares)))) + int(rng.integers(1, 4))
    columns = rng.integers(d, size=2**depth)
    cuts = rng.normal(0, 0.7, size=2**depth)
    node = np.ones(n, dtype=np.int64)  # heap order, the root is 1
    for _ in range(depth):
        node = 2 * node + (X[np.arange(n), columns[node]] > cuts[node])
    return X, _leaf_codes(rng, node - 2**depth, 2**depth, shares)


def _leaf_codes(rng: np.random.Generator, leaf: Ints, n_leaves: int, shares: Floats) -> Ints:
    """Give each leaf, large ones first, to the class that lacks most rows."""
    mass = np.bincount(leaf, minlength=n_leaves)
    lack = shares * len(leaf)
    owner = np.zeros(n_leaves, dtype=np.int64)
    for one in np.argsort(-mass + 0.1 * rng.random(n_leaves)):
        owner[one] = np.argmax(lack)
        lack[owner[one]] -= mass[one]
    return owner[leaf]


def network(rng: np.random.Generator, n: int, d: int, shares: Floats) -> tuple[Floats, Ints]:
    """Classes are the largest outputs of a random network with one hidden layer."""
    X = base_rows(rng, n, d)
    width = int(rng.integers(3, 17))
    weights = rng.normal(size=(d, width)) * (rng.uniform(0.5, 2.5) / np.sqrt(d))
    hidden = np.tanh(X @ weights + rng.normal(size=width))
    return X, assign(hidden @ rng.normal(size=(width, len(shares))), shares)


def categorical(rng: np.random.Generator, n: int, d: int, shares: Floats) -> tuple[Floats, Ints]:
    """One-hot columns whose levels have other odds in each class; a remainder is noise."""
    y = draw_codes(rng, n, shares)
    n_levels = int(rng.integers(2, min(6, max(3, d))))
    n_columns = max(d // n_levels, 1)
    odds = rng.gamma(rng.uniform(0.15, 1.2), size=(len(shares), n_columns, n_levels)) + 1e-3
    edges = np.cumsum(odds / odds.sum(axis=2, keepdims=True), axis=2)[:, :, :-1]
    level = (rng.random((n, n_columns, 1)) > edges[y]).sum(axis=2)
    one_hot = (level[:, :, None] == np.arange(n_levels)).reshape(n, -1).astype(np.float64)
    X = base_rows(rng, n, d)
    width = min(d, one_hot.shape[1])
    X[:, :width] = one_hot[:, :width]
    return X, y


GENERATORS: Mapping[str, Generate] = {
    "clusters": clusters,
    "linear": linear,
    "nested": nested,
    "rings": rings,
    "xor": xor,
    "checkerboard": checkerboard,
    "tree": tree,
    "network": network,
    "categorical": categorical,
    "rules": rules,
    "factors": factors,
}
"""Generators by kind."""

FEW_COLUMNS = ("xor", "checkerboard", "rings")
"""Kinds that are hopeless in many columns: they get two to four, the rest is filled up."""

DISCRETE = ("categorical", "rules")
"""Kinds of few-valued columns: stretching or cutting them again would only lose values."""
