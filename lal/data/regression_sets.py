"""Regression data sets by name: bundled tables and functions of the simulation literature.

``sklearn:diabetes`` comes with scikit-learn; ``sklearn:wine-proline`` and the like predict one
measured column of a bundled table from its other measurements (the classes are left out).
``regression:NAME@SEED`` draws rows of a known function.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from lal.arrays import Floats
from lal.data.dataset import Dataset, make_dataset
from lal.data.families import get_family
from lal.data.names import nearest_name_error
from lal.errors import UsageError
from lal.rng import generator
from lal.task_kind import REGRESSION

COLUMNS: Mapping[str, tuple[str, str]] = {
    "wine-proline": ("wine", "proline"),
    "wine-alcohol": ("wine", "alcohol"),
    "breast_cancer-worst_area": ("breast_cancer", "worst area"),
    "breast_cancer-mean_smoothness": ("breast_cancer", "mean smoothness"),
}
"""Data sets made of a bundled table and one of its columns."""

BUNDLED_REGRESSION = ("diabetes", *COLUMNS)
"""Regression data sets that come with scikit-learn and need no network."""


def load_bundled_regression(name: str) -> Dataset:
    """Return one of `BUNDLED_REGRESSION`."""
    from sklearn import datasets

    table, column = COLUMNS.get(name, (name, ""))
    bunch = getattr(datasets, f"load_{table}")()
    columns = [str(n) for n in bunch.feature_names]
    X, y = np.asarray(bunch.data, dtype=np.float64), bunch.target
    if column:
        place = columns.index(column)
        y, X = X[:, place], np.delete(X, place, axis=1)
        del columns[place]
    source = f"sklearn:{name}"
    return make_dataset(
        name, X, y, source=source, feature_names=columns, task=REGRESSION, family=get_family(source)
    )


@dataclass(frozen=True)
class Function:
    """A known function of independent uniform inputs.

    Attributes:
        value: Rows (n, d) in the unit cube to values (n,).
        columns: d, inputs that the function is given.
        noise: Standard deviation of the noise, over that of the values.
        idle: Further inputs that it does not read.
        rows: Rows of a data set.
    """

    value: Callable[[Floats], Floats]
    columns: int
    noise: float = 0.1
    idle: int = 0
    rows: int = 600


def _scaled(U: Floats, *ends: tuple[float, float]) -> list[Floats]:
    """Return the columns of the unit cube stretched to intervals."""
    return [low + (high - low) * u for u, (low, high) in zip(U.T, ends, strict=True)]


def friedman1(U: Floats) -> Floats:
    """Friedman (1991), "Multivariate adaptive regression splines", the first function."""
    a, b, c, d, e = U.T
    found: Floats = 10 * np.sin(np.pi * a * b) + 20 * (c - 0.5) ** 2 + 10 * d + 5 * e
    return found


def _impedance(U: Floats) -> tuple[Floats, Floats]:
    r, f, length, c = _scaled(U, (0, 100), (40 * np.pi, 560 * np.pi), (0, 1), (1, 11))
    return r, f * length - 1.0 / (f * c)


def friedman2(U: Floats) -> Floats:
    """Friedman (1991): the size of an impedance."""
    r, x = _impedance(U)
    found: Floats = np.sqrt(r**2 + x**2)
    return found


def friedman3(U: Floats) -> Floats:
    """Friedman (1991): the phase of an impedance."""
    r, x = _impedance(U)
    found: Floats = np.arctan(x / np.maximum(r, 1e-6))
    return found


def california_like(U: Floats) -> Floats:
    """House values: two towns by the sea, income that saturates, age and crowding.

    Made up, with the columns and the ceiling of the California housing table.
    """
    income, age, rooms, people, east, north = U.T
    town = np.exp(-8 * ((east - 0.3) ** 2 + (north - 0.3) ** 2))
    town = town + 0.7 * np.exp(-12 * ((east - 0.7) ** 2 + (north - 0.8) ** 2))
    value = 0.4 + 2.2 * income**1.5 + 1.5 * town * (0.5 + income) + 0.3 * rooms * income
    value = value - 0.6 * people + 0.2 * np.abs(age - 0.5)
    found: Floats = np.minimum(value, 3.0)
    return found


def borehole(U: Floats) -> Floats:
    """Flow of water through a borehole; Harper & Gupta (1983)."""
    rw, r, tu, hu, tl, hl, length, kw = _scaled(
        U, (0.05, 0.15), (100, 50_000), (63_070, 115_600), (990, 1110), (63.1, 116), (700, 820),
        (1120, 1680), (9855, 12_045),
    )  # fmt: skip
    ratio = np.log(r / rw)
    found: Floats = (
        2
        * np.pi
        * tu
        * (hu - hl)
        / (ratio * (1 + 2 * length * tu / (ratio * rw**2 * kw) + tu / tl))
    )
    return found


def piston(U: Floats) -> Floats:
    """Cycle time of a piston; Kenett & Zacks (1998)."""
    m, s, v0, k, p0, ta, t0 = _scaled(
        U, (30, 60), (0.005, 0.02), (0.002, 0.01), (1000, 5000), (90_000, 110_000), (290, 296),
        (340, 360),
    )  # fmt: skip
    a = p0 * s + 19.62 * m - k * v0 / s
    v = s / (2 * k) * (np.sqrt(a**2 + 4 * k * p0 * v0 * ta / t0) - a)
    found: Floats = 2 * np.pi * np.sqrt(m / (k + s**2 * p0 * v0 * ta / (t0 * v**2)))
    return found


def wing_weight(U: Floats) -> Floats:
    """Weight of a light aircraft's wing; Forrester, Sobester & Keane (2008)."""
    sw, wfw, a, sweep, q, taper, tc, nz, wdg, wp = _scaled(
        U, (150, 200), (220, 300), (6, 10), (-10, 10), (16, 45), (0.5, 1), (0.08, 0.18), (2.5, 6),
        (1700, 2500), (0.025, 0.08),
    )  # fmt: skip
    cos = np.cos(np.radians(sweep))
    found: Floats = (
        0.036 * sw**0.758 * wfw**0.0035 * (a / cos**2) ** 0.6 * q**0.006 * taper**0.04
        * (100 * tc / cos) ** -0.3 * (nz * wdg) ** 0.49 + sw * wp
    )  # fmt: skip
    return found


def ishigami(U: Floats) -> Floats:
    """Ishigami & Homma (1990): waves of three angles."""
    a, b, c = (np.pi * (2 * U - 1)).T
    found: Floats = np.sin(a) + 7 * np.sin(b) ** 2 + 0.1 * c**4 * np.sin(a)
    return found


def robot_arm(U: Floats) -> Floats:
    """Reach of a planar arm of four links; An & Owen (2001)."""
    angles, lengths = 2 * np.pi * U[:, :4], U[:, 4:]
    turned = np.cumsum(angles, axis=1)
    x, y = ((lengths * f(turned)).sum(axis=1) for f in (np.cos, np.sin))
    found: Floats = np.sqrt(x**2 + y**2)
    return found


FUNCTIONS: Mapping[str, Function] = {
    "friedman1": Function(friedman1, 5, noise=0.2, idle=5),
    "friedman2": Function(friedman2, 4),
    "friedman3": Function(friedman3, 4),
    "california_like": Function(california_like, 6, noise=0.3),
    "borehole": Function(borehole, 8, noise=0.05),
    "piston": Function(piston, 7),
    "wing_weight": Function(wing_weight, 10),
    "ishigami": Function(ishigami, 3, noise=0.1),
    "robot_arm": Function(robot_arm, 8),
}
"""Functions of ``regression:NAME``."""


def load_function(name: str, seed: int = 0) -> Dataset:
    """Return rows of a function with noise; another seed draws other rows and other noise."""
    if name not in FUNCTIONS:
        raise nearest_name_error("regression data set", name, list(FUNCTIONS))
    recipe = FUNCTIONS[name]
    rng = generator(seed, "regression", name)
    U = rng.random((recipe.rows, recipe.columns + recipe.idle))
    clean = recipe.value(U[:, : recipe.columns])
    y = clean + recipe.noise * clean.std() * rng.normal(size=len(clean))
    source = f"regression:{name}@{seed}"
    return make_dataset(name, U, y, source=source, family=f"regression:{name}", task=REGRESSION)


def function_loader(spec: str) -> Callable[[], Dataset]:
    """Return the loader of ``NAME`` or ``NAME@SEED``."""
    name, at, seed = spec.partition("@")
    if name not in FUNCTIONS:
        raise nearest_name_error("regression data set", name, list(FUNCTIONS))
    if at and not seed.isdigit():
        raise UsageError(f"the seed of 'regression:{spec}' must be a whole number, got {seed!r}")
    return partial(load_function, name, int(seed) if at else 0)


REGRESSION_NAMES = (
    *(f"sklearn:{name}" for name in BUNDLED_REGRESSION),
    *(f"regression:{name}" for name in FUNCTIONS),
)
"""The suite ``regression``: fourteen data sets that need no download."""
