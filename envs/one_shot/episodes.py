"""Episodes of Woodward and Finn (2016): few classes, shuffled samples, random label slots."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.class_banks import ClassBank, Split
from lal.arrays import Ints


class Episodes(NamedTuple):
    """E episodes of T items.

    Attributes:
        items: Samples, shape (E, T, D), float32.
        labels: Slots 0 .. C-1, shape (E, T); which class has which slot differs by episode.
        instances: How many items of the class came up to and with this one, 1 for the first.
    """

    items: NDArray[np.float32]
    labels: Ints
    instances: Ints


def draw_episodes(
    bank: ClassBank, rng: np.random.Generator, *, n: int, T: int, C: int, split: Split
) -> Episodes:
    """Return n episodes of C classes drawn afresh; items are drawn with replacement."""
    classes = bank.draw_classes(rng, n, C, split)  # in random order: the place is the slot
    labels = rng.integers(C, size=(n, T))
    rows = bank.draw_rows(rng, np.take_along_axis(classes, labels, axis=1))
    seen = np.cumsum(labels[..., None] == np.arange(C), axis=1)
    instances = np.take_along_axis(seen, labels[..., None], axis=2)[..., 0]
    return Episodes(bank.X[rows], labels, instances)
