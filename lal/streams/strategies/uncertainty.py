"""Stream strategies that look at probabilities: random, fixed and moving uncertainty.

Their memory is a dictionary of plain arrays that the caller holds, the state of a random
generator among them, so a stream can be saved and resumed.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lal.errors import UsageError
from lal.rng import generator, pack_rng
from lal.streams.features import (
    Memory,
    StreamEvent,
    StreamItem,
    checked_event,
    checked_item,
    memory_array,
    view,
)
from lal.streams.strategies.base import budget_share, drawn_from


class RandomStream:
    """Requests the labels of a share of the items at random.

    Args:
        seed: Of the draws.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def start(self, info: Mapping[str, Any] | None = None) -> Memory:
        """Return the memory: the budget and the generator's state."""
        rng = pack_rng(generator(self.seed, "strategy"))
        return {"budget": np.array(budget_share(info)), "rng": rng}

    def act(self, memory: Memory, observation: StreamItem) -> bool:
        """Return the throw of a coin."""
        checked_item(observation)
        return bool(drawn_from(memory).random() < memory_array(memory, "budget", ()))

    def update(self, memory: Memory, event: StreamEvent) -> Memory:
        """Return the memory after the throw."""
        checked_event(event)
        rng = drawn_from(memory)
        rng.random()
        return {**memory, "rng": pack_rng(rng)}


class UncertaintyStream:
    """Asks when the model's confidence is below a threshold.

    The moving threshold is "variable uncertainty" (Zliobaite, Bifet, Pfahringer and Holmes 2014,
    algorithm 2): it shrinks by the share `step` with every label and grows by it without. Spending
    is limited to the budget's pace by the forgetful estimate of that paper, over `window` items.

    Args:
        threshold: Confidence at the start.
        step: 0 for a fixed threshold.
        spread: Deviation of the factor that the threshold is drawn with anew for every item
            ("variable uncertainty with randomisation", algorithm 3).
        window: Items over which spending is estimated.
        seed: Of those draws.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.9,
        step: float = 0.0,
        spread: float = 0.0,
        window: int = 256,
        seed: int = 0,
    ) -> None:
        if not 0.0 < threshold <= 1.0:
            raise UsageError(f"threshold must lie above 0 and up to 1, got {threshold}")
        self.threshold, self.step, self.spread, self.window = threshold, step, spread, window
        self.seed = seed

    def start(self, info: Mapping[str, Any] | None = None) -> Memory:
        """Return the memory: budget, threshold and spending; the generator's state if it draws."""
        memory: Memory = {"state": np.array([budget_share(info), self.threshold, 0.0])}
        if self.spread:
            memory["rng"] = pack_rng(generator(self.seed, "strategy"))
        return memory

    def act(self, memory: Memory, observation: StreamItem) -> bool:
        """Return whether the confidence is low and the budget allows it."""
        budget, threshold, spent = memory_array(memory, "state", (3,)).tolist()
        checked_item(observation)
        if spent / self.window >= budget:
            return False
        if self.spread:
            threshold *= drawn_from(memory).normal(1.0, self.spread)
        return bool(view(observation).confidence < threshold)

    def update(self, memory: Memory, event: StreamEvent) -> Memory:
        """Return the memory after an item."""
        budget, threshold, spent = memory_array(memory, "state", (3,)).tolist()
        checked_event(event)
        later = dict(memory)
        if spent / self.window < budget:  # the published threshold rests while nothing may be spent
            threshold *= 1.0 - self.step if event.asked else 1.0 + self.step
            if self.spread:
                rng = drawn_from(memory)
                rng.normal(1.0, self.spread)
                later["rng"] = pack_rng(rng)
        spent = spent * (self.window - 1) / self.window
        spent += event.item.cost if event.asked else 0.0
        return {**later, "state": np.array([budget, min(threshold, 2.0), spent])}


def fixed(seed: int) -> UncertaintyStream:
    """Return the rule with a fixed threshold."""
    return UncertaintyStream(seed=seed)


def variable(seed: int) -> UncertaintyStream:
    """Return the rule with a moving threshold."""
    return UncertaintyStream(threshold=1.0, step=0.01, seed=seed)


def random_variable(seed: int) -> UncertaintyStream:
    """Return the rule with a moving threshold that is drawn anew for every item."""
    return UncertaintyStream(threshold=1.0, step=0.01, spread=1.0, seed=seed)
