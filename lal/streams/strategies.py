"""Stream strategies of our own: random, and uncertainty with a fixed or a moving threshold.

They share the protocol of `lal.streams.policy.StreamPolicy`: a memory that the caller holds.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from lal.errors import UsageError
from lal.registry import Registry
from lal.rng import generator
from lal.streams.features import StreamItem


class Event(Protocol):
    """An item that has passed, whether it was asked for, and the model's error if known."""

    @property
    def item(self) -> StreamItem:
        """The item as it was decided on."""
        ...

    @property
    def asked(self) -> bool:
        """Whether its label was bought."""
        ...

    @property
    def error(self) -> float | None:
        """Share that the model had wrong; None without label."""
        ...


class StreamStrategy(Protocol):
    """What decides item by item."""

    def start(self, *, budget: float = ...) -> Any:
        """Return the memory before the first item."""
        ...

    def asks(self, memory: Any, item: StreamItem) -> bool:
        """Return whether to ask for this item."""
        ...

    def advance(self, memory: Any, event: Any) -> Any:
        """Return the memory after an item."""
        ...


class RandomStream:
    """Asks for a share of the items at random."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = generator(seed, "strategy")

    def start(self, *, budget: float = 0.1) -> dict[str, Any]:
        """Return the memory: the budget alone."""
        return {"budget": np.array(budget)}

    def asks(self, memory: dict[str, Any], item: StreamItem) -> bool:
        """Return the throw of a coin."""
        return bool(self._rng.random() < memory["budget"])

    def advance(self, memory: dict[str, Any], event: Event) -> dict[str, Any]:
        """Return the memory as it is."""
        return memory


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
        self._rng = generator(seed, "strategy")

    def start(self, *, budget: float = 0.1) -> dict[str, Any]:
        """Return the memory: budget, threshold and spending."""
        return {"state": np.array([budget, self.threshold, 0.0])}

    def asks(self, memory: dict[str, Any], item: StreamItem) -> bool:
        """Return whether the confidence is low and the budget allows it."""
        budget, threshold, spent = memory["state"].tolist()
        if spent / self.window >= budget:
            return False
        if self.spread:
            threshold *= self._rng.normal(1.0, self.spread)
        return bool(_confidence(item) < threshold)

    def advance(self, memory: dict[str, Any], event: Event) -> dict[str, Any]:
        """Return the memory after an item."""
        budget, threshold, spent = memory["state"].tolist()
        if spent / self.window < budget:  # the published threshold rests while nothing may be spent
            threshold *= 1.0 - self.step if event.asked else 1.0 + self.step
        spent = spent * (self.window - 1) / self.window
        spent += event.item.cost if event.asked else 0.0
        return {"state": np.array([budget, min(threshold, 2.0), spent])}


def _confidence(item: StreamItem) -> float:
    if item.confidence is not None:
        return item.confidence
    return float(item.proba.max(axis=-1).mean())


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
