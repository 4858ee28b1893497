"""Few-shot episodes: a pool with distractors, a support set, query samples; a prototype learner."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.class_banks import ClassBank, Split
from lal.arrays import Floats, Ints
from lal.errors import UsageError


class FewShot(NamedTuple):
    """E episodes over C classes; labels are slots 0 .. C-1, distractors have the label C.

    Attributes:
        pool: Samples that may be labelled, shape (E, N, D).
        labels: Hidden labels of the pool, shape (E, N).
        support: Samples labelled from the start, shape (E, S, D); S = C times the shots.
        support_labels: Their labels, shape (E, S).
        query: Samples that accuracy is measured on, shape (E, Q, D); no distractors.
        query_labels: Their labels, shape (E, Q).
    """

    pool: NDArray[np.float32]
    labels: Ints
    support: NDArray[np.float32]
    support_labels: Ints
    query: NDArray[np.float32]
    query_labels: Ints


class Layout(NamedTuple):
    """The sizes of an episode."""

    n_classes: int = 5
    n_pool: int = 30
    n_distractors: int = 0
    shots: int = 0
    n_query: int = 15
    n_other_classes: int = 5
    """Classes that the distractors are drawn from, if the bank has so many."""


def draw_few_shot(
    bank: ClassBank,
    rng: np.random.Generator,
    layout: Layout,
    *,
    n: int,
    split: Split,
    apart: bool = False,
) -> FewShot:
    """Return n episodes; classes, distractors and order are drawn afresh.

    The pool's classes are drawn independently, so small pools may lack one. Samples may appear
    twice where a class has few, also as an item and as a query unless these are `apart`: then
    queries come from the other half of the rows of a class.
    """
    halves = ((0.0, 0.5), (0.0, 0.5), (0.5, 1.0)) if apart else ((0.0, 1.0),) * 3
    C = layout.n_classes
    inside = layout.n_pool - layout.n_distractors
    if inside < 1:
        raise UsageError(
            f"a pool of {layout.n_pool} cannot hold {layout.n_distractors} distractors"
        )
    n_others = min(layout.n_other_classes, len(bank.classes(split)) - C)
    n_others = n_others if layout.n_distractors else 0
    if layout.n_distractors and n_others < 1:
        raise UsageError(f"bank {bank.name!r} has too few {split} classes for distractors")
    classes = bank.draw_classes(rng, n, C + n_others, split)
    labels = rng.integers(C, size=(n, inside))
    strangers = C + rng.integers(max(n_others, 1), size=(n, layout.n_distractors))
    drawn = np.concatenate([labels, strangers], axis=1)
    drawn = rng.permuted(drawn, axis=1)
    support = np.tile(np.repeat(np.arange(C), layout.shots), (n, 1))
    query = np.tile(np.arange(layout.n_query) % C, (n, 1))
    parts = []
    for slots, half in zip((drawn, support, query), halves, strict=True):
        rows = bank.draw_rows(rng, np.take_along_axis(classes, slots, axis=1), between=half)
        parts.append(bank.X[rows])
    return FewShot(parts[0], np.minimum(drawn, C), parts[1], support, parts[2], query)


def prototype_accuracy(
    labelled: Floats, labels: Ints, query: Floats, query_labels: Ints, C: int
) -> Floats:
    """Return the share of query samples whose nearest prototype has their class, shape (E,).

    A prototype is the mean of the labelled samples of a class; classes without one are never
    named, labels of C (distractors) are ignored, and without any prototype the share is 1 / C.
    """
    one_hot = (labels[..., None] == np.arange(C)).astype(np.float64)
    counts = one_hot.sum(axis=-2)
    prototypes = np.swapaxes(one_hot, -1, -2) @ labelled / np.maximum(counts, 1.0)[..., None]
    squared = (prototypes**2).sum(axis=-1)[..., None, :] - 2.0 * query @ np.swapaxes(
        prototypes, -1, -2
    )
    squared = np.where(counts[..., None, :] > 0, squared, np.inf)
    right = (squared.argmin(axis=-1) == query_labels).mean(axis=-1)
    return np.where(counts.sum(axis=-1) > 0, right, 1.0 / C)
