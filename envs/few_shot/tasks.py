"""What few-shot episodes are made of: new classes to tell apart, or a new condition to detect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from envs.class_banks import ClassBank, Split
from envs.few_shot.episodes import FewShot, Layout, draw_few_shot, prototype_accuracy
from lal.arrays import Floats, Ints
from lal.errors import UsageError

TaskName = Literal["classes", "conditions"]

GROUP_SHARES = (0.5, 0.25, 0.15, 0.1)
"""Shares of the groups that items with the condition come from, and those without it."""


class FewShotTask(Protocol):
    """Draws episodes and says how well their queries are answered."""

    @property
    def layout(self) -> Layout:
        """The sizes of its episodes."""
        ...

    def draw(self, bank: ClassBank, rng: np.random.Generator, n: int, split: Split) -> FewShot:
        """Return n episodes."""
        ...

    def score(self, labelled: Floats, labels: Ints, query: Floats, query_labels: Ints) -> Floats:
        """Return how well the embedded queries (E, Q, d) are answered, 0 to 1, shape (E,)."""
        ...


@dataclass(frozen=True)
class Classes:
    """C new classes; the nearest prototype answers, and its accuracy counts.

    Attributes:
        layout: The sizes of an episode.
        apart: Whether no query is an item of the pool, too.
    """

    layout: Layout
    apart: bool = False

    def draw(self, bank: ClassBank, rng: np.random.Generator, n: int, split: Split) -> FewShot:
        """Return n episodes; see `draw_few_shot`."""
        return draw_few_shot(bank, rng, self.layout, n=n, split=split, apart=self.apart)

    def score(self, labelled: Floats, labels: Ints, query: Floats, query_labels: Ints) -> Floats:
        """Return the accuracy; see `prototype_accuracy`."""
        return prototype_accuracy(labelled, labels, query, query_labels, self.layout.n_classes)


@dataclass(frozen=True)
class Conditions:
    """A condition that half of the items have, after Smit et al. (2021); AUROC counts.

    Items with it (label 1) come from four classes of the bank of very different frequency, as one
    disease has common and rare presentations, and so do those without it (label 0). The score of a
    query is its mean cosine to the labelled items with the condition minus that to those without.
    """

    layout: Layout

    def __post_init__(self) -> None:
        """Check what a condition leaves no choice of."""
        if self.layout.n_classes != 2 or self.layout.n_distractors or self.layout.shots:
            raise UsageError(
                "a condition is there or not: expected n_classes=2, n_distractors=0 and shots=0"
            )
        if self.layout.n_query < 2:
            raise UsageError(
                f"AUROC needs queries of both sides: expected n_query of at least 2, got "
                f"{self.layout.n_query}"
            )

    def draw(self, bank: ClassBank, rng: np.random.Generator, n: int, split: Split) -> FewShot:
        """Return n episodes; the first four classes have the condition, half of all items do.

        Pool and queries come from different halves of the rows of a class.
        """
        groups = len(GROUP_SHARES)
        classes = bank.draw_classes(rng, n, 2 * groups, split)
        parts: list[np.ndarray] = []
        halves = ((0.0, 0.5), (0.5, 1.0))
        for size, half in zip((self.layout.n_pool, self.layout.n_query), halves, strict=True):
            labels = rng.permuted(np.tile(np.arange(size) % 2, (n, 1)), axis=1)
            group = rng.choice(groups, size=(n, size), p=GROUP_SHARES)
            slots = group + groups * (1 - labels)
            codes = np.take_along_axis(classes, slots, axis=1)
            parts += [bank.X[bank.draw_rows(rng, codes, between=half)], labels]
        pool, labels, query, query_labels = parts
        none = np.zeros((n, 0), dtype=np.int64)
        return FewShot(pool, labels, pool[:, :0], none, query, query_labels)

    def score(self, labelled: Floats, labels: Ints, query: Floats, query_labels: Ints) -> Floats:
        """Return the AUROC; a side without a labelled item adds nothing to the scores."""
        cosines = _unit(query) @ np.swapaxes(_unit(labelled), -1, -2)
        sides = []
        for side in (1, 0):
            there = (labels == side).astype(np.float64)[:, None]
            sides.append((cosines * there).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1.0))
        return auroc(sides[0] - sides[1], query_labels)


def auroc(scores: Floats, labels: Ints) -> Floats:
    """Return the share of pairs (1, 0) in the right order, ties half, per row of (E, Q)."""
    ahead = np.sign(scores[:, :, None] - scores[:, None, :])
    pairs = (labels[:, :, None] == 1) & (labels[:, None, :] == 0)
    values: Floats = ((0.5 + 0.5 * ahead) * pairs).sum(axis=(1, 2)) / pairs.sum(axis=(1, 2))
    return values


def _unit(Z: Floats) -> Floats:
    values: Floats = Z / np.maximum(np.linalg.norm(Z, axis=-1, keepdims=True), 1e-12)
    return values


TASKS: Mapping[TaskName, type[Classes] | type[Conditions]] = {
    "classes": Classes,
    "conditions": Conditions,
}


def make_task(name: TaskName, layout: Layout) -> FewShotTask:
    """Return a task by name."""
    return TASKS[name](layout)
