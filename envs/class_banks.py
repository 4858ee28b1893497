"""Banks of samples by class, split into classes to learn on and classes never seen."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lal.arrays import Ints
from lal.errors import DataError, UnknownNameError
from lal.rng import generator

Split = Literal["train", "fit", "validation", "test"]
"""test: classes that no training sees. train: all others, in two parts: gradients come from "fit",
the choice among checkpoints from "validation". In a bank of few classes both parts are all of
"train"."""

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Where data files lie unless the environment variable LAL_DATA names a folder."""


@dataclass(frozen=True, eq=False)
class ClassBank:
    """Samples with classes; train and test share no class.

    Attributes:
        name: Name in `BANKS`.
        X: Samples, shape (N, D), float32.
        y: Class codes, shape (N,).
        test_classes: Codes of the classes that only "test" episodes hold.
        validation_classes: Codes of the training classes that gradients do not come from.
    """

    name: str
    X: NDArray[np.float32]
    y: Ints
    test_classes: Ints
    validation_classes: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def n_columns(self) -> int:
        """Width D of a sample."""
        return int(self.X.shape[1])

    def classes(self, split: Split) -> Ints:
        """Return the class codes of a split."""
        known = np.unique(self.y)
        unseen = np.isin(known, self.test_classes)
        if split == "test":
            return known[unseen]
        kept_back = np.isin(known, self.validation_classes)
        if split == "train" or not kept_back.any():
            return known[~unseen]
        return known[kept_back] if split == "validation" else known[~unseen & ~kept_back]

    @cached_property
    def order(self) -> tuple[Ints, Ints, Ints]:
        """Rows sorted by class, the first place of every class code, and the counts."""
        counts = np.bincount(self.y)
        return np.argsort(self.y, kind="stable"), np.cumsum(counts) - counts, counts

    def draw_classes(self, rng: np.random.Generator, n: int, C: int, split: Split) -> Ints:
        """Return C different classes for each of n episodes, shape (n, C)."""
        known = self.classes(split)
        if len(known) < C:
            raise DataError(f"bank {self.name!r} has {len(known)} {split} classes, {C} are wanted")
        drawn: Ints = known[np.argsort(rng.random((n, len(known))), axis=1)[:, :C]]
        return drawn

    def draw_rows(
        self, rng: np.random.Generator, classes: Ints, *, between: tuple[float, float] = (0.0, 1.0)
    ) -> Ints:
        """Return one row of every class named, with replacement, same shape.

        Args:
            rng: What is drawn from.
            classes: Codes, any shape.
            between: Shares of a class's rows that those drawn lie between, rounded down to whole
                rows: (0, 0.5) and (0.5, 1) have none in common where classes have two rows or more.
        """
        order, first, counts = self.order
        low, high = ((share * counts[classes]).astype(int) for share in between)
        wide = np.maximum(high - low, 1)
        rows: Ints = order[first[classes] + low + (rng.random(classes.shape) * wide).astype(int)]
        return rows

    def draw_distinct(self, rng: np.random.Generator, classes: Ints, n: int) -> Ints:
        """Return n different rows of every class named, shape (*classes.shape, n)."""
        order, first, counts = self.order
        least = int(counts[classes].min())
        if least < n:
            raise DataError(f"a class of bank {self.name!r} has {least} samples, {n} are wanted")
        keys = rng.random((*classes.shape, int(counts[classes].max())))
        keys[np.arange(keys.shape[-1]) >= counts[classes][..., None]] = np.inf
        rows: Ints = order[first[classes][..., None] + np.argsort(keys, axis=-1)[..., :n]]
        return rows


def _vectors() -> ClassBank:
    """1 300 prototypes from N(0, I_16), 40 samples each with noise 0.3; 300 are test classes.

    100 of the others are for validation.
    """
    rng = generator(0, "bank", "vectors")
    prototypes = rng.standard_normal((1300, 16))
    y = np.repeat(np.arange(1300), 40)
    X = prototypes[y] + 0.3 * rng.standard_normal((len(y), 16))
    test, validation = np.arange(1000, 1300), np.arange(900, 1000)
    return ClassBank("vectors", X.astype(np.float32), y, test, validation)


def _digits() -> ClassBank:
    """8 x 8 digits of scikit-learn, scaled; 5 to 9 are test classes."""
    from lal.data.datasets import load_dataset

    data = load_dataset("sklearn:digits")
    X = np.asarray(data.X, dtype=np.float32) / 4.0 - 2.0
    return ClassBank("digits", X, np.asarray(data.y), np.arange(5, 10))


def _vowel() -> ClassBank:
    """Vowels by ten z-scored columns; six to ten are test classes."""
    data = _file("vowel")
    X = np.asarray(data["X"], dtype=np.float64)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = np.unique(data["y"], return_inverse=True)[1]
    return ClassBank("vowel", X.astype(np.float32), y, np.arange(6, y.max() + 1))


def _omniglot() -> ClassBank:
    """Drawings by 64 whitened principal components; every quarter turn is a class of its own.

    Characters, not turns, are split: every third character is a test class in all four turns, and
    every ninth is for validation. The components are those of the training characters.
    """
    data = _file("omniglot8")
    images = np.asarray(data["X"], dtype=np.float32).reshape(-1, 28, 28)
    y = np.asarray(data["y"])
    n = int(y.max()) + 1
    turned = [np.rot90(images, k, axes=(1, 2)).reshape(len(y), -1) for k in range(4)]
    X, labels = np.concatenate(turned), np.concatenate([y + k * n for k in range(4)])
    characters = np.arange(4 * n) % n
    test, validation = np.flatnonzero(characters % 3 == 2), np.flatnonzero(characters % 9 == 0)
    seen = X[~np.isin(labels, test)]
    centre = seen.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((seen - centre).T.astype(np.float64)))
    scale = vectors[:, ::-1][:, :64] / np.sqrt(values[::-1][:64])
    reduced = ((X - centre) @ scale).astype(np.float32)
    return ClassBank("omniglot", reduced, labels, test, validation)


def _file(name: str) -> Mapping[str, NDArray[np.generic]]:
    """Return the arrays of a data file of the collection ``dev``."""
    path = Path(os.environ.get("LAL_DATA", str(DATA))) / "dev" / f"{name}.npz"
    if not path.is_file():
        raise DataError(f"{path} is missing; set LAL_DATA to the folder that holds dev/{name}.npz")
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in ("X", "y")}


BANKS: Mapping[str, Callable[[], ClassBank]] = {
    "vectors": _vectors,
    "digits": _digits,
    "vowel": _vowel,
    "omniglot": _omniglot,
}
"""Banks by name; "vowel" and "omniglot" need data files."""


@lru_cache(maxsize=8)
def load_bank(name: str) -> ClassBank:
    """Return a bank by name; it is made once."""
    if name not in BANKS:
        raise UnknownNameError(f"unknown bank {name!r}; known: {', '.join(BANKS)}")
    return BANKS[name]()
