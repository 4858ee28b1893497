"""The detector: scores of a glance, learned from fronts at first and from self-labels later."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from sklearn.linear_model import LogisticRegression

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.exploration.rooms import Looks, Room, make_looks, make_room

PICTURES = 40
"""Pictures of each class, from the front, that a detector has learned from."""


@dataclass(frozen=True, eq=False)
class Detector:
    """A linear classifier of glances.

    Attributes:
        weights: Shape (d, C).
        bias: Shape (C,).
    """

    weights: Floats
    bias: Floats

    def scores(self, glances: Floats) -> Floats:
        """Return the scores of the classes, which add up to 1, (n, d) to (n, C)."""
        logits = glances @ self.weights + self.bias
        scores = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
        total: Floats = scores / scores.sum(axis=1, keepdims=True)
        return total

    def accuracy(self, glances: Floats, codes: Ints) -> float:
        """Return the share of glances whose class is right."""
        return float((self.scores(glances).argmax(axis=1) == codes).mean())


def fit_detector(glances: Floats, codes: Ints, n_classes: int) -> Detector:
    """Return a detector fitted to glances; a class without one scores as good as nothing."""
    model = LogisticRegression(C=1.0, max_iter=500).fit(glances, codes)
    weights, bias = np.zeros((glances.shape[1], n_classes)), np.full(n_classes, -30.0)
    coef, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coef, intercept = np.vstack([-coef, coef]) / 2.0, np.append(-intercept, intercept) / 2.0
    weights[:, model.classes_], bias[model.classes_] = coef.T, intercept
    return Detector(weights, bias)


def front_pictures(looks: Looks, seed: int) -> tuple[Floats, Ints]:
    """Return the glances that a detector begins with and their classes, (n, d) and (n,)."""
    rng = np.random.default_rng((seed, 1))
    codes = np.arange(looks.n_classes).repeat(PICTURES)
    own = looks.noise[0] * rng.normal(size=(len(codes), looks.sides.shape[2]))
    return looks.glance(codes, np.zeros_like(codes), own, rng), codes


@lru_cache(maxsize=256)
def pretrained(world: int) -> Detector:
    """Return the detector that a world begins with: it knows fronts only."""
    looks = make_looks(world)
    return fit_detector(*front_pictures(looks, world), looks.n_classes)


def any_side(rooms: Sequence[Room], rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Return glances at all objects of some rooms from a random side each, and their classes."""
    glances, codes = [], []
    for room in rooms:
        sides = rng.integers(4, size=len(room.codes))
        glances.append(room.looks.glance(room.codes, sides, room.own, rng))
        codes.append(room.codes)
    return np.concatenate(glances), np.concatenate(codes)


@dataclass(frozen=True)
class MadeUpRooms:
    """Hands out rooms of made-up worlds, each with the detector that its world begins with.

    Attributes:
        n_worlds: Worlds to draw from.
        first: Number of the first; worlds with other numbers look different.
        n_objects: Objects in a room.
    """

    n_worlds: int = 100
    first: int = 0
    n_objects: int = 12

    def __post_init__(self) -> None:
        """Check ranges."""
        if self.n_worlds < 1 or self.first < 0:
            raise UsageError(
                "worlds are numbered from 0, and there must be at least one; got "
                f"n_worlds={self.n_worlds}, first={self.first}"
            )

    def __call__(self, rng: np.random.Generator) -> tuple[Room, Detector]:
        """Return a new room and a detector of its world."""
        world = self.first + int(rng.integers(self.n_worlds))
        return make_room(make_looks(world), rng, self.n_objects), pretrained(world)
