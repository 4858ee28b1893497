"""Selective sampling by disagreement: ask only where the version space is not of one mind."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from lal.arrays import Bools, Floats, Ints
from lal.errors import DataError, UsageError
from lal.streams.features import Memory, StreamEvent, StreamItem, checked_event
from lal.streams.strategies.base import budget_share
from lal.streams.strategies.hypotheses import (
    CONTRADICTED,
    FiniteVersionSpace,
    LinearVersionSpace,
    SampledLinear,
    VersionSpace,
)
from lal.streams.strategies.rows import NO_LABELS, item_row, known_label, stored_labels

Conflict = Literal["raise", "forget"]


class DisagreementStream:
    """Asks where two hypotheses that agree with all labels differ; infers all other labels.

    With V the version space, x is asked for if ``h(x) != h'(x)`` for some h, h' of V. If the true
    rule is in the class, no inferred label is wrong. Source: Cohn, Atlas and Ladner (1994),
    Improving generalization with active learning, Machine Learning 15.

    Args:
        space: The version space of a class of hypotheses.
        conflict: Where no hypothesis agrees with all labels: "raise" a `DataError`, or "forget"
            the oldest labels until one does.
        window: Labels remembered at most.
    """

    def __init__(
        self, space: VersionSpace, *, conflict: Conflict = "raise", window: int = 500
    ) -> None:
        if conflict not in ("raise", "forget"):
            raise UsageError(f"conflict must be 'raise' or 'forget', got {conflict!r}")
        self.space, self.conflict, self.window = space, conflict, window
        self._latest: list[tuple[Memory, StreamItem, Bools]] = []

    def start(self, info: Mapping[str, Any] | None = None) -> Memory:
        """Return the memory: no labels. The rule has no pace; the loop keeps the budget."""
        budget_share(info)
        return dict(NO_LABELS)

    def possible(self, memory: Memory, item: StreamItem) -> Bools:
        """Return which classes the version space gives an item, shape (C,)."""
        for known, seen, found in self._latest:  # act, infer and update want the same answer
            if known is memory and seen is item:
                return found
        self._latest = [(memory, item, self._possible(memory, item))]
        return self._latest[0][2]

    def _possible(self, memory: Memory, item: StreamItem) -> Bools:
        x, n_classes = item_row(item), item.proba.shape[-1]
        X, y = stored_labels(memory, len(x), n_classes)
        if len(y) == 0 and n_classes > 1:
            return np.ones(n_classes, dtype=np.bool_)
        return self.space.possible(X, y, x, n_classes)

    def act(self, memory: Memory, observation: StreamItem) -> bool:
        """Return whether the version space gives the item more than one class.

        Raises:
            DataError: No hypothesis agrees with the labels.
        """
        found = int(self.possible(memory, observation).sum())
        if found == 0:
            raise DataError(CONTRADICTED)
        return found > 1

    def infer(self, memory: Memory, observation: StreamItem) -> int | None:
        """Return the class that all hypotheses give the item; None if they differ."""
        found = self.possible(memory, observation)
        return int(found.argmax()) if found.sum() == 1 else None

    def update(self, memory: Memory, event: StreamEvent) -> Memory:
        """Return the memory with the label of an item that was acquired."""
        label = known_label(checked_event(event))
        x, n_classes = item_row(event.item), event.item.proba.shape[-1]
        X, y = stored_labels(memory, len(x), n_classes)
        if label is None:
            return {**memory, "X": X, "y": y}
        fits = self.possible(memory, event.item)[label]
        X, y = np.concatenate([X, x[None]])[-self.window :], np.append(y, label)[-self.window :]
        if self.conflict == "forget" and not fits:
            first = self._first_kept(X, y, n_classes)
            X, y = X[first:], y[first:]
        return {**memory, "X": X, "y": y.astype(np.float64)}

    def _first_kept(self, X: Floats, y: Ints, n_classes: int) -> int:
        """Return the least number of oldest labels without which some hypothesis agrees."""
        low, high = 0, len(y)  # what agrees still does without a label, so halving finds it
        while low < high:
            middle = (low + high) // 2
            if self.space.possible(X[middle:-1], y[middle:-1], X[-1], n_classes)[y[-1]]:
                high = middle
            else:
                low = middle + 1
        return low


def linear(seed: int = 0) -> DisagreementStream:
    """Return the rule over all linear classifiers, by linear programmes."""
    return DisagreementStream(LinearVersionSpace(), conflict="forget", window=100)


def finite(seed: int = 0) -> DisagreementStream:
    """Return the rule over 500 linear classifiers drawn from the seed; forgives noise."""
    space = FiniteVersionSpace(SampledLinear(seed=seed), tolerance=1.0)
    return DisagreementStream(space, conflict="forget")
