"""Named synthetic data sets, each made from a recipe and a seed."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from lal.data.dataset import Dataset, make_dataset
from lal.data.generators import board
from lal.data.names import nearest_name_error
from lal.data.recipes import Recipe, compose
from lal.errors import UsageError
from lal.rng import generator


def equal(n_classes: int) -> tuple[float, ...]:
    """Return equal shares of C classes."""
    return (1.0 / n_classes,) * n_classes


_PLAIN = Recipe("clusters", rows=600, columns=8, shares=equal(3), informative=8)

SYNTHETIC: Mapping[str, Recipe] = {
    "gaussian_clusters": _PLAIN,
    "linear": replace(_PLAIN, kind="linear", columns=10, informative=6, shares=equal(2)),
    "xor": replace(_PLAIN, kind="xor", columns=4, informative=4, shares=equal(2)),
    "checkerboard2x2": replace(
        _PLAIN, kind="checkerboard", columns=2, informative=2, shares=equal(2)
    ),
    "checkerboard4x4": replace(
        _PLAIN, kind="checkerboard", columns=2, informative=2, shares=equal(2), rows=1000
    ),
    "rings": replace(_PLAIN, kind="rings", columns=3, informative=3),
    "nested": replace(_PLAIN, kind="nested", columns=20, informative=20, shares=equal(2)),
    "imbalanced": replace(_PLAIN, shares=(0.88, 0.09, 0.03), rows=1000),
    "noisy": replace(_PLAIN, kind="linear", shares=equal(2), label_noise=0.15),
    "many_classes": replace(_PLAIN, shares=equal(15), rows=1200, columns=12, informative=12),
    "categorical": replace(_PLAIN, kind="categorical", columns=18, informative=18),
    "mixed": replace(
        _PLAIN, kind="network", columns=16, informative=8, correlated=0.5, heavy=0.3, levels=0.5
    ),
    "tree": replace(_PLAIN, kind="tree", columns=10, informative=6, shares=equal(4)),
    "network": replace(_PLAIN, kind="network", columns=12, informative=8),
    "high_dimensional": replace(_PLAIN, kind="linear", columns=120, informative=10),
}
"""Recipes by name; the two plain checkerboards are made by `board` on [-1, 1]^2."""

BOARD_SIDES = {"checkerboard2x2": 2, "checkerboard4x4": 4}


def load_synthetic(name: str, seed: int = 0) -> Dataset:
    """Return a named synthetic data set.

    Args:
        name: A key of `SYNTHETIC`.
        seed: Another seed is another draw of the same recipe.

    Raises:
        UnknownNameError: No such recipe.
    """
    if name not in SYNTHETIC:
        raise nearest_name_error("synthetic data set", name, list(SYNTHETIC))
    recipe = SYNTHETIC[name]
    rng = generator(seed, "synthetic", name)
    source = f"synthetic:{name}@{seed}"
    if name in BOARD_SIDES:
        X, y = board(rng, recipe.rows, BOARD_SIDES[name])
        return make_dataset(name, X, y, source=source, family=recipe.family)
    made = compose(rng, recipe, name=name, source=source)
    return _with_texts(made) if name == "categorical" else made


def _with_texts(dataset: Dataset) -> Dataset:
    """Return the one-hot groups of the categorical set as text columns, as a table has them."""
    X = np.where(dataset.X > 0.5, "yes", "no").astype(object)
    return make_dataset(dataset.name, X, dataset.y, source=dataset.source, family=dataset.family)


def synthetic_loader(spec: str) -> Callable[[], Dataset]:
    """Return the loader of ``NAME`` or ``NAME@SEED``."""
    name, at, seed = spec.partition("@")
    if name not in SYNTHETIC:
        raise nearest_name_error("synthetic data set", name, list(SYNTHETIC))
    if at and not seed.isdigit():
        raise UsageError(f"the seed of 'synthetic:{spec}' must be a whole number, got {seed!r}")
    return partial(load_synthetic, name, int(seed) if at else 0)
