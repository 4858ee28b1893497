"""The simulated tasks of LAL: two Gaussians in the plane, a board, or halves of a data set."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.lal_regression.config import LalConfig
from lal.arrays import Floats, Ints
from lal.data.datasets import Dataset, load_dataset
from lal.errors import DataError


@dataclass(frozen=True, eq=False)
class GainTask:
    """A binary task as the kernels take it.

    Attributes:
        points: Pool, then test points, one a column, shape (D, n).
        codes: Their classes, 0 or 1, shape (n,).
        n_pool: Points of the pool.
        start: A pool row of each class, shape (2,).
        seed: Of the learner.
    """

    points: NDArray[np.float32]
    codes: Ints
    n_pool: int
    start: Ints
    seed: int


Sampler = Callable[[np.random.Generator], GainTask]


def make_sampler(config: LalConfig) -> Sampler:
    """Return what draws the tasks of a config.

    Raises:
        DataError: The source is a data set of more than two classes, or of too few rows.
    """
    if config.source == "gaussians":
        return lambda rng: gaussian_task(rng, config.n_pool, config.n_test)
    dataset = load_dataset(config.source)
    X = _numbers(dataset, config)
    return lambda rng: _halves(rng, X, dataset.y, config)


def gaussian_task(rng: np.random.Generator, n_pool: int, n_test: int) -> GainTask:
    """Return two Gaussian classes in the plane.

    Source: Konyushkova et al. (2017) and their code: share of class 1 uniform in [0.1, 0.9], means
    uniform in the unit square, covariances ``A A^T`` with entries of A uniform in [-0.5, 0.5].
    """
    n = n_pool + n_test
    share = 0.1 + 0.8 * rng.random()
    means = rng.random((2, 2))
    mixes = rng.uniform(-0.5, 0.5, size=(2, 2, 2))
    while True:
        codes = (rng.random(n) < share).astype(np.int64)
        if 0 < codes[:n_pool].sum() < n_pool:
            break
    noise = rng.standard_normal((n, 2))
    X = means[codes] + np.einsum("nj,nij->ni", noise, mixes[codes])
    return pack(rng, X, codes, n_pool)


def board_task(rng: np.random.Generator, n_pool: int, n_test: int, side: int = 2) -> GainTask:
    """Return a checkerboard of `side` by `side` cells, points uniform in the unit square."""
    X = rng.random((n_pool + n_test, 2))
    codes = np.floor(X * side).astype(np.int64).sum(axis=1) % 2
    return pack(rng, X, codes, n_pool)


def pack(rng: np.random.Generator, X: Floats, codes: Ints, n_pool: int) -> GainTask:
    """Return the task of rows in random order, with one random label of each class."""
    start = [int(rng.choice(np.flatnonzero(codes[:n_pool] == c))) for c in (0, 1)]
    points = np.ascontiguousarray(X.T, dtype=np.float32)
    seed = int(rng.integers(2**62))
    return GainTask(points, codes, n_pool, np.array(start, dtype=np.int64), seed)


def _numbers(dataset: Dataset, config: LalConfig) -> Floats:
    if dataset.n_classes != 2:
        raise DataError(
            f"LAL is binary, but {dataset.name!r} has {dataset.n_classes} classes; give a data "
            "set of two"
        )
    need = 2 * (config.last_size + config.n_candidates + 1)
    if len(dataset.y) < need:
        raise DataError(
            f"{dataset.name!r} has {len(dataset.y)} rows; trying {config.n_candidates} candidates "
            f"after {config.last_size} labels needs {need}; lower last_size"
        )
    from lal.data.view import make_geometry

    return make_geometry(dataset.X).Z


def _halves(rng: np.random.Generator, X: Floats, codes: Ints, config: LalConfig) -> GainTask:
    n_pool = min(config.n_pool, len(X) // 2)
    for _ in range(1000):
        order = rng.permutation(len(X))[: n_pool + config.n_test]
        if 0 < codes[order[:n_pool]].sum() < n_pool:
            return pack(rng, X[order], codes[order], n_pool)
    raise DataError("1000 halves of the data set held one class only; give more of the rarer one")
