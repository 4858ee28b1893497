"""Stream strategies of our own: random, and uncertainty with a fixed or a moving threshold.

Their memory is a dictionary of plain arrays that the caller holds, the state of a random
generator among them, so a stream can be saved and resumed.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from lal.errors import DataError, UsageError
from lal.registry import Registry
from lal.rng import generator, pack_rng, unpack_rng
from lal.streams.features import (
    Memory,
    StreamEvent,
    StreamItem,
    checked_event,
    checked_item,
    memory_array,
    view,
)


class StreamStrategy(Protocol):
    """What decides item by item; the protocol of `lal.policies.kinds`."""

    def start(self, info: Mapping[str, Any] | None = ...) -> Any:
        """Return the memory before the first item; ``info = {"budget": share}``."""
        ...

    def act(self, memory: Any, observation: StreamItem) -> bool:
        """Return whether to request the label of this item."""
        ...

    def update(self, memory: Any, event: StreamEvent) -> Any:
        """Return the memory after an item."""
        ...


def budget_share(info: Mapping[str, Any] | None, default: float = 0.1) -> float:
    """Return the share of the stream's cost that may be spent.

    Raises:
        UsageError: It does not lie above 0 and up to 1, or there is no way to read it.
    """
    if info is not None and not isinstance(info, Mapping):
        raise UsageError(f"info must be a mapping as {{'budget': 0.1}}, got {type(info).__name__}")
    budget = (info or {}).get("budget", default)
    number = isinstance(budget, float | int | np.number) and not np.iscomplexobj(budget)
    if not number or not 0.0 < budget <= 1.0:
        raise UsageError(f"budget must lie above 0 and up to 1, got {budget}")
    return float(budget)


def _drawn_from(memory: Memory) -> np.random.Generator:
    """Return the generator of a memory.

    Raises:
        DataError: There is none.
    """
    try:
        return unpack_rng(memory["rng"])
    except (TypeError, KeyError, IndexError, ValueError, AttributeError):
        raise DataError(
            "the memory must hold a generator's state as 'rng'; pass what start or update of this "
            "strategy returned"
        ) from None


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
        return bool(_drawn_from(memory).random() < memory_array(memory, "budget", ()))

    def update(self, memory: Memory, event: StreamEvent) -> Memory:
        """Return the memory after the throw."""
        checked_event(event)
        rng = _drawn_from(memory)
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
            threshold *= _drawn_from(memory).normal(1.0, self.spread)
        return bool(view(observation).confidence < threshold)

    def update(self, memory: Memory, event: StreamEvent) -> Memory:
        """Return the memory after an item."""
        budget, threshold, spent = memory_array(memory, "state", (3,)).tolist()
        checked_event(event)
        later = dict(memory)
        if spent / self.window < budget:  # the published threshold rests while nothing may be spent
            threshold *= 1.0 - self.step if event.asked else 1.0 + self.step
            if self.spread:
                rng = _drawn_from(memory)
                rng.normal(1.0, self.spread)
                later["rng"] = pack_rng(rng)
        spent = spent * (self.window - 1) / self.window
        spent += event.item.cost if event.asked else 0.0
        return {**later, "state": np.array([budget, min(threshold, 2.0), spent])}


STREAM_STRATEGIES: Registry[Callable[[int], StreamStrategy]] = Registry("stream strategy")
"""Stream strategies by name, each made from a seed; "skactiveml:Name" reaches the library's."""

STREAM_STRATEGIES.add("random", RandomStream)
STREAM_STRATEGIES.add("fixed_uncertainty", lambda seed: UncertaintyStream(seed=seed))
STREAM_STRATEGIES.add(
    "variable_uncertainty", lambda seed: UncertaintyStream(threshold=1.0, step=0.01, seed=seed)
)
STREAM_STRATEGIES.add(
    "random_variable_uncertainty",
    lambda seed: UncertaintyStream(threshold=1.0, step=0.01, spread=1.0, seed=seed),
)
STREAM_STRATEGIES.add_prefix("skactiveml", "lal.streams.skactiveml:from_name")
