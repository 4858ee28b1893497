"""Streams of table rows whose rule drifts: made in chunks, so that length costs no memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats, Ints
from lal.data.dataset import Dataset
from lal.errors import UsageError
from lal.registry import Registry

CHUNK = 1000
"""Rows made at once."""

Chunks = Iterator[tuple[Floats, Ints]]
Maker = Callable[[int, np.random.Generator], Chunks]


@dataclass(frozen=True)
class Stream:
    """A finite stream held in memory.

    Attributes:
        name: What it is.
        X: Rows in the order of their arrival, shape (n, D).
        y: Codes of their classes, shape (n,).
        n_classes: Number of classes C.
    """

    name: str
    X: Floats
    y: Ints
    n_classes: int


@dataclass(frozen=True)
class StreamFamily:
    """A kind of drifting stream.

    Attributes:
        make: Number of rows and generator to chunks of rows and class codes.
        n_classes: Number of classes C.
        n_columns: Number of columns D.
    """

    make: Maker
    n_classes: int
    n_columns: int


def hyperplane(n: int, rng: np.random.Generator) -> Chunks:
    """Return chunks split by a hyperplane that turns a quarter in 500 to 4 000 rows, 5 % noise.

    A rotating hyperplane after Hulten, Spencer and Domingos (KDD 2001).
    """
    plane, _ = np.linalg.qr(rng.normal(size=(5, 2)))
    speed = 0.5 * np.pi / rng.uniform(500, 4000)
    offset = rng.uniform(-0.5, 0.5)
    for start, size in _chunks(n):
        angle = speed * (start + np.arange(size))
        normals = np.cos(angle)[:, None] * plane[:, 0] + np.sin(angle)[:, None] * plane[:, 1]
        X = rng.normal(size=(size, 5))
        y = ((X * normals).sum(axis=1) > offset).astype(np.int64)
        yield X, np.where(rng.random(size) < 0.05, 1 - y, y)


def moving_clusters(n: int, rng: np.random.Generator) -> Chunks:
    """Return chunks of three classes of unequal size whose centres circle at their own speeds."""
    shares = rng.dirichlet(np.full(3, 3.0))
    speed = rng.choice([-1.0, 1.0], 3) * 2 * np.pi / rng.uniform(1500, 8000, 3)
    phase, radius = rng.uniform(0, 2 * np.pi, 3), rng.uniform(1.5, 3.0, 3)
    for start, size in _chunks(n):
        y = rng.choice(3, size, p=shares)
        angle = phase[y] + speed[y] * (start + np.arange(size))
        X = rng.normal(size=(size, 5))
        X[:, 0] += radius[y] * np.cos(angle)
        X[:, 1] += radius[y] * np.sin(angle)
        yield X, y.astype(np.int64)


def abrupt(n: int, rng: np.random.Generator) -> Chunks:
    """Return chunks split by a hyperplane that is replaced every 200 to 1 200 rows, 5 % noise."""
    normal, until = rng.normal(size=5), 0
    for start, size in _chunks(n):
        X = rng.normal(size=(size, 5))
        y = np.empty(size, dtype=np.int64)
        for i in range(size):
            if start + i >= until:
                normal = rng.normal(size=5)
                until = start + i + int(rng.integers(200, 1200))
            y[i] = X[i] @ normal > 0
        yield X, np.where(rng.random(size) < 0.05, 1 - y, y)


STREAMS: Registry[StreamFamily] = Registry("stream")
"""Families of drifting streams by name."""

STREAMS.add("hyperplane", StreamFamily(hyperplane, 2, 5))
STREAMS.add("moving_clusters", StreamFamily(moving_clusters, 3, 5))
STREAMS.add("abrupt", StreamFamily(abrupt, 2, 5))


def make_stream(name: str, n: int, *, rng: np.random.Generator) -> Stream:
    """Return n rows of a family, drawn with its own speeds and centres."""
    if n < 1:
        raise UsageError(f"a stream needs at least 1 row, got {n}")
    family = STREAMS[name]
    chunks = list(family.make(n, rng))
    X, y = (np.concatenate(part) for part in zip(*chunks, strict=True))
    return Stream(name, X, y, family.n_classes)


def replay(dataset: Dataset, *, warm: int = 100) -> Stream:
    """Return a table as a stream, in the order of its rows.

    Columns are scaled by the mean and deviation of the first `warm` rows, clipped to 5; only
    tables of numbers without gaps can be replayed.
    """
    X = np.asarray(dataset.X)
    if X.ndim != 2 or X.dtype.kind not in "fiub" or not np.isfinite(X).all():
        raise UsageError(
            f"{dataset.name!r} cannot be replayed: expected finite numbers in a 2-D array; encode "
            "categories and impute missing values first"
        )
    head = X[:warm].astype(np.float64)
    scale = head.std(axis=0)
    Z = np.clip((X - head.mean(axis=0)) / np.where(scale > 0, scale, 1.0), -5.0, 5.0)
    return Stream(dataset.name, Z, np.asarray(dataset.y, dtype=np.int64), dataset.n_classes)


def _chunks(n: int) -> Iterator[tuple[int, int]]:
    for start in range(0, n, CHUNK):
        yield start, min(CHUNK, n - start)
