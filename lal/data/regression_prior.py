"""Synthetic functions for training: draws from a Gaussian process, sums, products, trees.

None of the functions of `lal.data.regression_sets` is among them, so those stay unseen.
"""

from collections.abc import Callable

import numpy as np

from lal.arrays import Floats
from lal.data.dataset import Dataset, make_dataset
from lal.task_kind import REGRESSION

Draw = Callable[[np.random.Generator, Floats], Floats]
"""Generator and inputs (n, d) to values (n,)."""

WAVES = 64
"""Random waves that a draw from a Gaussian process is made of."""

KNOTS = 6
"""Pieces of a one-dimensional curve."""


def gaussian_process(rng: np.random.Generator, X: Floats) -> Floats:
    """Draw a smooth function: random waves (Rahimi & Recht 2007), a length scale per column."""
    d = X.shape[1]
    scales = np.exp(rng.normal(0.3, 0.6, size=d)) * np.sqrt(d)
    waves = rng.normal(size=(d, WAVES)) / scales[:, None]
    phases = rng.uniform(0, 2 * np.pi, size=WAVES)
    found: Floats = np.cos(X @ waves + phases) @ rng.normal(size=WAVES)
    return found


def additive(rng: np.random.Generator, X: Floats) -> Floats:
    """Draw a sum of curves, one a column, each through a few random knots."""
    total = np.zeros(len(X))
    for column in X.T:
        knots = np.linspace(column.min(), column.max() + 1e-9, KNOTS)
        total += rng.exponential() * np.interp(column, knots, rng.normal(size=KNOTS))
    return total


def trees(rng: np.random.Generator, X: Floats) -> Floats:
    """Draw a sum of small trees: steps at random places of random columns."""
    total = np.zeros(len(X))
    for _ in range(int(rng.integers(2, 8))):
        inside = np.ones(len(X), dtype=bool)
        for _ in range(int(rng.integers(1, 4))):
            j = int(rng.integers(X.shape[1]))
            cut = rng.choice(X[:, j])
            inside &= (X[:, j] > cut) == (rng.random() < 0.5)
        total += rng.normal() * inside
    return total


def interactions(rng: np.random.Generator, X: Floats) -> Floats:
    """Draw a linear part with products, squares and waves of a few columns."""
    total = X @ rng.normal(size=X.shape[1])
    for _ in range(int(rng.integers(1, 5))):
        i, j = rng.integers(X.shape[1], size=2)
        term = X[:, i] * X[:, j] if rng.random() < 0.6 else np.sin(2.0 * X[:, i] + X[:, j])
        total += 2.0 * rng.normal() * term
    return total


def saturating(rng: np.random.Generator, X: Floats) -> Floats:
    """Draw ridges and plateaus: a squashed or exponential direction."""
    line = X @ rng.normal(size=X.shape[1]) / np.sqrt(X.shape[1])
    shape = (np.tanh, np.exp, np.abs)[int(rng.integers(3))]
    found: Floats = shape(rng.uniform(0.5, 1.5) * line) + 0.3 * line
    return found


FUNCTIONS: tuple[Draw, ...] = (gaussian_process, additive, trees, interactions, saturating)

ROWS = (500, 900)
"""Smallest and largest number of rows."""

COLUMNS = (1, 12)
"""Smallest and largest number of columns."""


def sample_regression(rng: np.random.Generator) -> Dataset:
    """Return a synthetic regression: inputs of a random shape, a function, noise."""
    n, d = int(rng.integers(*ROWS, endpoint=True)), int(rng.integers(*COLUMNS, endpoint=True))
    X = _inputs(rng, n, d)
    read = rng.permutation(d)[: int(rng.integers(1, d, endpoint=True))]
    parts = rng.choice(len(FUNCTIONS), size=int(rng.integers(1, 3)), replace=False)
    clean = np.zeros(n)
    for part in parts:
        value = FUNCTIONS[part](rng, X[:, read])
        clean += rng.uniform(0.3, 1.0) * value / max(float(value.std()), 1e-9)
    noise = float(np.exp(rng.uniform(np.log(0.02), np.log(0.6))))
    y = clean + noise * max(float(clean.std()), 1e-9) * rng.normal(size=n)
    name = f"prior-{'-'.join(FUNCTIONS[part].__name__ for part in sorted(parts))}"
    return make_dataset(name, X, y, source="prior", family="regression_prior", task=REGRESSION)


def _inputs(rng: np.random.Generator, n: int, d: int) -> Floats:
    """Return standardised inputs: uniform, normal, heavy-tailed, clustered or correlated."""
    kind = int(rng.integers(5))
    if kind == 0:
        X = rng.uniform(-1.0, 1.0, size=(n, d))
    elif kind == 1:
        X = rng.normal(size=(n, d))
    elif kind == 2:
        X = rng.standard_t(4, size=(n, d))
    elif kind == 3:
        centres = 2.0 * rng.normal(size=(int(rng.integers(2, 8)), d))
        X = centres[rng.integers(len(centres), size=n)] + rng.normal(size=(n, d))
    else:
        X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    standard: Floats = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)
    return standard
