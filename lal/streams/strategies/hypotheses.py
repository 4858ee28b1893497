"""Classes of hypotheses whose version space can be found exactly: finite ones, and linear ones.

A version space holds the hypotheses that agree with all labels (Mitchell 1982). Of a finite class
it is found by enumeration; of linear classifiers one linear programme says whether any member
gives a class to a row.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from scipy.optimize import linprog

from lal.arrays import Bools, Floats, Ints
from lal.rng import generator
from lal.streams.strategies.rows import direction


class VersionSpace(Protocol):
    """What disagreement is measured in."""

    def possible(self, X: Floats, y: Ints, x: Floats, n_classes: int) -> Bools:
        """Return which classes a row gets from hypotheses that agree with all labels, shape (C,).

        Args:
            X: Labelled rows, shape (m, D).
            y: Their class codes, shape (m,).
            x: The row in question, shape (D,).
            n_classes: C.
        """
        ...


class FiniteHypotheses(Protocol):
    """A finite class: H rules that give every row a class."""

    def predict(self, X: Floats, n_classes: int) -> Ints:
        """Return the class codes of all rules, (n, D) to (H, n)."""
        ...


@dataclass(frozen=True)
class Thresholds:
    """Class 1 above a threshold on one column, class 0 else; a rule for each threshold."""

    values: tuple[float, ...]
    column: int = 0

    def predict(self, X: Floats, n_classes: int) -> Ints:
        """Return the class codes of all rules, (n, D) to (H, n)."""
        return (X[:, self.column] > np.array(self.values)[:, None]).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Boxes:
    """Class 1 inside a box, class 0 outside; `low` and `high` have shape (H, D)."""

    low: Floats
    high: Floats

    def predict(self, X: Floats, n_classes: int) -> Ints:
        """Return the class codes of all rules, (n, D) to (H, n)."""
        inside = (self.low[:, None] <= X) & (self.high[:, None] >= X)
        return np.asarray(inside.all(axis=2), dtype=np.int64)


@dataclass(frozen=True)
class SampledLinear:
    """Linear classifiers with Gaussian weights: `size` of them, drawn once from the seed."""

    size: int = 500
    seed: int = 0

    def predict(self, X: Floats, n_classes: int) -> Ints:
        """Return the class codes of all rules, (n, D) to (H, n)."""
        weights = _drawn_weights(self.size, n_classes, X.shape[1] + 1, self.seed)
        codes: Ints = (direction(X) @ weights).argmax(axis=2)
        return codes


@lru_cache(maxsize=4)
def _drawn_weights(size: int, n_classes: int, width: int, seed: int) -> Floats:
    """Return weights, shape (H, D + 1, C)."""
    return generator(seed, "hypotheses").standard_normal((size, width, n_classes))


@dataclass(frozen=True)
class FiniteVersionSpace:
    """The version space of a finite class, by enumeration.

    Attributes:
        hypotheses: The class.
        tolerance: Of noise; see `confidence_set`.
    """

    hypotheses: FiniteHypotheses
    tolerance: float | None = None

    def possible(self, X: Floats, y: Ints, x: Floats, n_classes: int) -> Bools:
        """Return which classes a row gets from hypotheses that agree with all labels."""
        codes = self.hypotheses.predict(np.concatenate([X, x[None]]), n_classes)
        alive = confidence_set(codes[:, :-1], y, self.tolerance)
        found: Bools = np.bincount(codes[alive, -1], minlength=n_classes)[:n_classes] > 0
        return found


@dataclass(frozen=True)
class LinearVersionSpace:
    """The version space of all linear classifiers, by one linear programme for each class.

    Weights W (C, D + 1) agree with a label when its class's score is above every other's. Scores
    are scale-free, so "above" may be read as "by 1 at least", and the programme asks for any W.
    """

    def possible(self, X: Floats, y: Ints, x: Floats, n_classes: int) -> Bools:
        """Return which classes a row gets from hypotheses that agree with all labels."""
        known = _constraints(direction(X), y, n_classes)
        z = direction(x)[None]
        found = [
            _feasible(np.concatenate([known, _constraints(z, np.array([c]), n_classes)]))
            for c in range(n_classes)
        ]
        return np.array(found)


def _constraints(Z: Floats, y: Ints, n_classes: int) -> Floats:
    """Return A with ``A vec(W) >= 1`` for weights that give the labels.

    A row for each label and rival class, a column for each weight of the first C - 1 classes.
    """
    own = np.eye(n_classes)[y]
    others = np.eye(n_classes)[None] - own[:, None]  # (m, C, C): rival minus own class
    kept = others[np.arange(n_classes) != y[:, None]].reshape(len(y), n_classes - 1, n_classes)
    # scores only matter by their differences, so the last class's weights may be 0
    A: Floats = -np.einsum("mkc,md->mkcd", kept[:, :, :-1], Z)
    return A.reshape(len(y) * (n_classes - 1), -1)


def _feasible(A: Floats) -> bool:
    if len(A) == 0:
        return True
    found = linprog(np.zeros(A.shape[1]), A_ub=-A, b_ub=-np.ones(len(A)), bounds=(None, None))
    return bool(found.status == 0)


def confidence_set(codes: Ints, y: Ints, tolerance: float | None) -> Bools:
    """Return which hypotheses are kept after the labels, shape (H,).

    Args:
        codes: Classes that the hypotheses give the labelled rows, shape (H, m).
        y: Their labels, shape (m,).
        tolerance: None: those without a mistake, perhaps none. Otherwise those whose mistakes
            exceed the best hypothesis's by at most the tolerance times the root of the number of
            labels on which the two differ, which is what noise may do.
    """
    mistakes = (codes != y).sum(axis=1)
    if tolerance is None:
        faultless: Bools = mistakes == 0
        return faultless
    best = int(mistakes.argmin())
    apart = (codes != codes[best]).sum(axis=1)
    kept: Bools = mistakes - mistakes[best] <= tolerance * np.sqrt(apart)
    return kept


CONTRADICTED = (
    "no hypothesis of the class agrees with all labels: they are noisy, the rule has drifted, or "
    "the class is too small; use a rule that forgives, such as 'disagreement' or 'abstention'"
)
