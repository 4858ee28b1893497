"""Active vote: copies of an online learner ask for the items on which they disagree."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.rng import generator
from lal.streams.features import Memory, StreamEvent, StreamItem, checked_event, checked_item
from lal.streams.strategies.base import budget_share
from lal.streams.strategies.rows import check_width, direction, item_row, known_label, stored

Kind = Literal["perceptron", "winnow"]

LARGEST = 15.0
"""Bound of Winnow's exponents."""


class ActiveVoteStream:
    """Copies of an online learner that begin with different random weights vote on each item.

    An item is asked for unless the vote is unanimous; copies that were wrong learn its label.
    Every label asked for corrects at least one copy, so a bound on the learner's mistakes bounds
    the labels. Source: Mesterharm and Pazzani (2011), Active learning using on-line algorithms.

    Args:
        seed: Of the initial weights.
        kind: "perceptron", or "winnow": balanced Winnow, weights ``2 sinh(V)`` that V's additive
            updates move by factors, for many columns of which few matter.
        size: Number of copies K.
        rate: Step of an update; it only matters beside the spread of the initial weights, 1.
    """

    def __init__(
        self, seed: int = 0, *, kind: Kind = "perceptron", size: int = 10, rate: float = 2.0
    ) -> None:
        if kind not in ("perceptron", "winnow") or size < 2:
            raise UsageError(
                "kind must be 'perceptron' or 'winnow' and size at least 2, got "
                f"{kind!r} and {size}"
            )
        self.seed, self.kind, self.size, self.rate = seed, kind, size, rate

    def start(self, info: Mapping[str, Any] | None = None) -> Memory:
        """Return the memory: no weights yet. The rule has no pace; the loop keeps the budget."""
        budget_share(info)
        return {"weights": np.zeros((0, 0, 0))}

    def votes(self, memory: Memory, item: StreamItem) -> Ints:
        """Return the class that each copy gives the item, shape (K,)."""
        weights, z = self._weights(memory, item)
        scores = (np.sinh(weights) if self.kind == "winnow" else weights) @ z
        found: Ints = scores.argmax(axis=1)
        return found

    def act(self, memory: Memory, observation: StreamItem) -> bool:
        """Return whether the vote is not unanimous."""
        votes = self.votes(memory, checked_item(observation))
        return bool((votes != votes[0]).any())

    def classify(self, memory: Memory, observation: StreamItem) -> int:
        """Return the class with most votes."""
        return int(np.bincount(self.votes(memory, checked_item(observation))).argmax())

    def update(self, memory: Memory, event: StreamEvent) -> Memory:
        """Return the memory after an item; copies that had it wrong have learned its label."""
        label = known_label(checked_event(event))
        if label is None:
            return memory
        weights, z = self._weights(memory, event.item)
        votes = self.votes(memory, event.item)
        wrong = np.flatnonzero(votes != label)
        later = weights.copy()
        later[wrong, label] += self.rate * z
        later[wrong, votes[wrong]] -= self.rate * z
        return {"weights": np.clip(later, -LARGEST, LARGEST) if self.kind == "winnow" else later}

    def _weights(self, memory: Memory, item: StreamItem) -> tuple[Floats, Floats]:
        """Return the copies' weights (K, C, D + 1) and the item's direction (D + 1,)."""
        z, n_classes = direction(item_row(item)), item.proba.shape[-1]
        weights = stored(memory, "weights", 3)
        if weights.size == 0:
            shape = (self.size, n_classes, len(z))
            return generator(self.seed, "strategy").standard_normal(shape), z
        check_width(weights.shape[1:], (n_classes, len(z)))
        return weights, z
