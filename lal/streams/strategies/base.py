"""What a stream strategy is, and the registry of them."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from lal.errors import DataError, UsageError
from lal.registry import Registry
from lal.rng import unpack_rng
from lal.streams.features import Memory, StreamEvent, StreamItem


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


@runtime_checkable
class InfersLabels(Protocol):
    """A strategy that tells some labels without asking for them."""

    def infer(self, memory: Any, observation: StreamItem) -> int | None:
        """Return the class code that an item must have if the rule is right; None if unsure."""
        ...


REJECT = -1
"""The answer of a strategy that would rather not classify an item."""


@runtime_checkable
class Classifies(Protocol):
    """A strategy with a classifier of its own, which may reject an item at a cost."""

    def classify(self, memory: Any, observation: StreamItem) -> int:
        """Return the class code of an item, or `REJECT`."""
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


def drawn_from(memory: Memory) -> np.random.Generator:
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


STREAM_STRATEGIES: Registry[Callable[[int], StreamStrategy]] = Registry("stream strategy")
"""Stream strategies by name, each made from a seed; "skactiveml:Name" reaches the library's."""

for _name, _where in {
    "random": "uncertainty:RandomStream",
    "fixed_uncertainty": "uncertainty:fixed",
    "variable_uncertainty": "uncertainty:variable",
    "random_variable_uncertainty": "uncertainty:random_variable",
    "disagreement": "disagreement:linear",
    "finite_disagreement": "disagreement:finite",
    "abstention": "abstention:AbstentionStream",
    "active_vote": "active_vote:ActiveVoteStream",
    "peers": "peers:PeersStream",
    "reject_option": "reject_option:RejectOptionStream",
    "reject_option_ramp": "reject_option:ramp",
}.items():
    STREAM_STRATEGIES.add_lazy(_name, f"lal.streams.strategies.{_where}")

STREAM_STRATEGIES.add_prefix("skactiveml", "lal.streams.skactiveml:from_name")
