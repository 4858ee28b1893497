"""Features of regions of images, from the probabilities of their pixels.

Defined where the model speaks of pixels (`QueryState.pixel_proba`), which the learner
"segmentation" does. Source of the last three, in other bins: Casanova, Pinheiro, Rostamzadeh & Pal
(2020), "Reinforced active learning for image segmentation" (RALIS).
"""

import math

import numpy as np

from lal.arrays import Floats, Ints
from lal.features.base import define
from lal.features.labelled import entropy, given
from lal.state import QueryState

BINS = 8
"""Bins of every histogram, from 0 to 1."""


def pixels_of(state: QueryState, rows: Ints) -> Floats:
    """Return the probabilities of the pixels of some regions, shape (n, P, C)."""
    return given(state.pixel_proba, "pixel_proba")[rows]


def pixel_entropy(state: QueryState) -> Floats:
    """Return the entropy over log C of every pixel, shape (N, P); made once per state."""
    return state.memo(
        "pixel_entropy", lambda: entropy(given(state.pixel_proba, "pixel_proba")), same
    )


def class_shares(state: QueryState) -> Floats:
    """Return the share of pixels whose likeliest class is each one, shape (N, C)."""

    def make() -> Floats:
        proba = given(state.pixel_proba, "pixel_proba")
        codes = proba.argmax(axis=2)
        shares: Floats = (codes[:, :, None] == np.arange(proba.shape[2])).mean(axis=1)
        return shares

    return state.memo("class_shares", make, same)


def same(value: Floats) -> Floats:
    """Return a quantity that an assumed label leaves as it is."""
    return value


def grid_of(codes: Ints) -> Ints:
    """Return the pixels of regions in their places, (n, P) to (n, h, w); a line if not square."""
    side = math.isqrt(codes.shape[1])
    return codes.reshape(len(codes), side if side**2 == codes.shape[1] else 1, -1)


def border_share(codes: Ints) -> Floats:
    """Return the share of neighbouring pixels of regions that differ in class, (n, P) to (n,)."""
    grid = grid_of(codes)
    pairs = [grid[:, 1:] != grid[:, :-1], grid[:, :, 1:] != grid[:, :, :-1]]
    n = sum(math.prod(pair.shape[1:]) for pair in pairs)
    share: Floats = sum(pair.sum(axis=(1, 2)) for pair in pairs) / max(n, 1)
    return share


def divergence_histogram(shares: Floats, others: Floats) -> Floats:
    """Return how far regions are from others, ``1 - exp(-KL)`` in bins, shape (n, `BINS`).

    Rows sum to 1, or to 0 where there are no others.

    Args:
        shares: Class shares of regions, shape (n, C).
        others: Those of other regions, shape (m, C).
    """
    p, q = (np.maximum(values, 1e-3) for values in (shares, others))
    kl = (p * np.log(p)).sum(axis=1)[:, None] - p @ np.log(q).T
    kl = kl + q.sum(axis=1) - p.sum(axis=1)[:, None]  # floored shares do not sum to one
    bins = np.minimum(((1.0 - np.exp(-np.maximum(kl, 0.0))) * BINS).astype(np.int64), BINS - 1)
    counts = (bins[:, :, None] == np.arange(BINS)).sum(axis=1)
    histogram: Floats = counts / max(len(others), 1)
    return histogram


@define(
    "region_entropy@1", "candidate", dim=3, needs=("pixel_proba",), of_labels="nothing",
    cost="N P C",
)  # fmt: skip
def region_entropy(state: QueryState, rows: Ints) -> Floats:
    """Mean, smallest and largest entropy of the pixels, over log C."""
    found = pixel_entropy(state)[rows]
    return np.column_stack([found.mean(axis=1), found.min(axis=1), found.max(axis=1)])


@define("region_margin@1", "candidate", needs=("pixel_proba",), of_labels="nothing", cost="N P C")
def region_margin(state: QueryState, rows: Ints) -> Floats:
    """Mean over pixels of the gap between the two largest probabilities."""
    top = np.partition(pixels_of(state, rows), -2, axis=2)
    gap: Floats = (top[:, :, -1] - top[:, :, -2]).mean(axis=1)
    return gap


@define(
    "region_class_entropy@1", "candidate", needs=("pixel_proba",), of_labels="nothing", cost="N P C"
)
def region_class_entropy(state: QueryState, rows: Ints) -> Floats:
    """Entropy of the shares of the predicted classes, over log C."""
    return entropy(class_shares(state)[rows])


@define("region_borders@1", "candidate", needs=("pixel_proba",), of_labels="nothing", cost="N P C")
def region_borders(state: QueryState, rows: Ints) -> Floats:
    """Share of neighbouring pixels with different predicted classes: what costs clicks."""
    return border_share(pixels_of(state, rows).argmax(axis=2))


@define("region_rarity@1", "candidate", needs=("pixel_proba",), cost="N P C")
def region_rarity(state: QueryState, rows: Ints) -> Floats:
    """Share of each class times how much rarer than the commonest it is.

    Rarity is of what is predicted in labelled regions (in the reference set when there are none).
    """
    proba = given(state.pixel_proba, "pixel_proba")
    labelled = state.labelled if len(state.labelled) else state.reference
    known = proba[labelled].mean(axis=(0, 1))
    rarity: Floats = proba[rows].mean(axis=1) @ (1.0 - known / known.max())
    return rarity


@define("region_kl_labelled@1", "candidate", dim=BINS, needs=("pixel_proba",), cost="N L C")
def region_kl_labelled(state: QueryState, rows: Ints) -> Floats:
    """How far the predicted shares of classes are from those of labelled regions, in bins."""
    shares = class_shares(state)
    return divergence_histogram(shares[rows], shares[state.labelled])


@define(
    "region_kl_pool@1", "candidate", dim=BINS, needs=("pixel_proba",), of_labels="nothing",
    cost="N R C",
)  # fmt: skip
def region_kl_pool(state: QueryState, rows: Ints) -> Floats:
    """How far the predicted shares of classes are from those of the reference set, in bins."""
    shares = class_shares(state)
    return divergence_histogram(shares[rows], shares[state.reference])


@define(
    "region_state@1", "context", dim=BINS + 1, needs=("pixel_proba",), of_labels="nothing",
    cost="R P C",
)  # fmt: skip
def region_state(state: QueryState, _rows: Ints) -> Floats:
    """The reference set's mean entropies in bins, and the entropy of all its predicted classes."""
    mean = pixel_entropy(state)[state.reference].mean(axis=1)
    bins = np.minimum((mean * BINS).astype(np.int64), BINS - 1)
    histogram = np.bincount(bins, minlength=BINS) / max(len(mean), 1)
    return np.append(histogram, entropy(class_shares(state)[state.reference].mean(axis=0)))
