"""Recipes: what one synthetic data set is made of, and its making."""

from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats, Ints
from lal.data.dataset import Dataset, make_dataset
from lal.data.generators import GENERATORS
from lal.errors import DataError, UsageError

BOARDS = ("xor", "checkerboard")
"""Kinds that are checkerboards, whatever their name; they are relatives of all checkerboards."""


@dataclass(frozen=True)
class Recipe:
    """The parameters of one synthetic data set.

    Attributes:
        kind: Generator of the classes, a key of `lal.data.generators.GENERATORS`.
        rows: N.
        columns: D.
        shares: Wanted shares of the C classes.
        informative: Columns that the generator makes; the others are filled up.
        correlated: Share of the filled columns that are mixtures of informative ones.
        heavy: Share of columns that get heavy tails.
        levels: Share of columns cut into two to five ordered levels.
        label_noise: Share of labels replaced by another class.
        repeated: Share of rows that are near-copies of another row.
        blur: Spread of the noise added to the informative columns, in their own scales, once the
            classes are fixed: classes overlap at their borders.
    """

    kind: str
    rows: int
    columns: int
    shares: tuple[float, ...]
    informative: int
    correlated: float = 0.0
    heavy: float = 0.0
    levels: float = 0.0
    label_noise: float = 0.0
    repeated: float = 0.0
    blur: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be made."""
        if self.kind not in GENERATORS:
            raise UsageError(f"unknown kind {self.kind!r}; known: {', '.join(GENERATORS)}")
        if not 1 <= self.informative <= self.columns:
            raise UsageError(
                f"informative columns must be 1 to {self.columns}, got {self.informative}"
            )
        if len(self.shares) < 2 or abs(sum(self.shares) - 1) > 1e-6 or min(self.shares) <= 0:
            raise UsageError(f"shares must be at least two, positive, and sum to 1: {self.shares}")
        if self.rows < 2 * len(self.shares):
            raise UsageError(f"{self.rows} rows are too few for {len(self.shares)} classes")

    @property
    def family(self) -> str:
        """Sets of one kind are relatives; boards are relatives of every checkerboard."""
        return "checkerboard" if self.kind in BOARDS else f"synthetic:{self.kind}"


def compose(rng: np.random.Generator, recipe: Recipe, *, name: str, source: str) -> Dataset:
    """Return the data set of a recipe.

    Args:
        rng: Source of all its randomness.
        recipe: What to make.
        name: Name of the data set.
        source: How to ask for it again.

    Raises:
        DataError: Ten draws in a row had fewer than two classes with two rows.
    """
    for _ in range(10):
        X, y = draw(rng, recipe)
        if np.sum(np.bincount(y) >= 2) >= 2:
            codes = np.unique(y, return_inverse=True)[1]
            return make_dataset(name, X, codes, source=source, family=recipe.family)
    raise DataError(f"the recipe of {name!r} gave one class only ten times; use more rows")


def draw(rng: np.random.Generator, recipe: Recipe) -> tuple[Floats, Ints]:
    """Return rows (N, D) and codes (N,) of a recipe; rare classes may be absent."""
    generate = GENERATORS[recipe.kind]
    shares = np.asarray(recipe.shares)
    X, y = generate(rng, recipe.rows, recipe.informative, shares)
    X = blurred(rng, X, recipe.blur)
    X = filled(rng, X, recipe.columns, recipe.correlated)
    X, y = near_copies(rng, X, y, recipe.repeated)
    X = heavy_tailed(rng, X, recipe.heavy)
    X = levelled(rng, X, recipe.levels)
    return X[:, rng.permutation(recipe.columns)], noisy(rng, y, recipe.label_noise, len(shares))


def blurred(rng: np.random.Generator, X: Floats, spread: float) -> Floats:
    """Return X with normal noise on every column, of `spread` times its standard deviation."""
    if spread == 0.0:
        return X
    noise: Floats = X + spread * X.std(axis=0) * rng.normal(size=X.shape)
    return noise


def filled(rng: np.random.Generator, X: Floats, width: int, correlated: float) -> Floats:
    """Return X with further columns: mixtures of its own, or noise without a bearing on y."""
    n, d = X.shape
    if width == d:
        return X
    extra = rng.normal(size=(n, width - d))
    mixed = rng.random(width - d) < correlated
    weights = rng.normal(size=(d, int(mixed.sum()))) / np.sqrt(d)
    extra[:, mixed] = X @ weights + rng.uniform(0.05, 0.7) * extra[:, mixed]
    return np.concatenate([X, extra], axis=1)


def near_copies(rng: np.random.Generator, X: Floats, y: Ints, share: float) -> tuple[Floats, Ints]:
    """Return X and y with a share of the rows replaced by others, moved by 2 % of a scale."""
    picked = np.flatnonzero(rng.random(len(X)) < share)
    if len(picked) == 0:
        return X, y
    source = np.arange(len(X))
    source[picked] = rng.integers(len(X), size=len(picked))
    moved = X[source]
    moved[picked] += 0.02 * X.std(axis=0) * rng.normal(size=(len(picked), X.shape[1]))
    return moved, y[source]


def heavy_tailed(rng: np.random.Generator, X: Floats, share: float) -> Floats:
    """Return X with some columns stretched: one-sided (exponential) or two-sided."""
    picked = np.flatnonzero(rng.random(X.shape[1]) < share)
    if len(picked) == 0:
        return X
    X = X.copy()
    strength = rng.uniform(0.5, 1.5, size=len(picked))
    stretched = np.clip(X[:, picked], -6, 6) * strength
    two_sided = rng.random(len(picked)) < 0.5
    X[:, picked] = np.where(two_sided, np.sinh(stretched), np.exp(stretched))
    return X


def levelled(rng: np.random.Generator, X: Floats, share: float) -> Floats:
    """Return X with some columns cut into two to five levels at random quantiles."""
    picked = np.flatnonzero(rng.random(X.shape[1]) < share)
    if len(picked) == 0:
        return X
    X = X.copy()
    n_cuts = rng.integers(1, 5, size=len(picked))
    places = rng.uniform(0.1, 0.9, size=(len(picked), 4))
    ordered = np.sort(X[:, picked], axis=0)
    cuts = ordered[(places.T * (len(X) - 1)).astype(np.int64), np.arange(len(picked))]
    above = X[:, picked][None] > cuts[:, None]
    used = np.arange(4)[:, None] < n_cuts
    X[:, picked] = np.sum(above & used[:, None], axis=0)
    return X


def noisy(rng: np.random.Generator, y: Ints, share: float, n_classes: int) -> Ints:
    """Return y with about `share` of the labels replaced by one of the other classes."""
    if share == 0.0:
        return y
    flipped = rng.random(len(y)) < share
    moved = (y + rng.integers(1, n_classes, size=len(y))) % n_classes
    return np.where(flipped, moved, y)
