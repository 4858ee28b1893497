"""StreamPolicy: decides item by item whether to ask, with a memory that the caller holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np

from lal.arrays import Floats
from lal.errors import DataError, PolicyFileError
from lal.policies.card import Card, check_card
from lal.policies.files import Field, SavedPolicy, check_ids
from lal.policies.kinds import list_policies, load_as
from lal.policies.scoring.scorer import Scorer, compile_program
from lal.streams.features import (
    CONTENT,
    Memory,
    Record,
    StreamEvent,
    StreamItem,
    checked_event,
    checked_item,
    follow,
    memory_array,
    start,
    values,
    width,
)
from lal.streams.strategies import budget_share

Pace = Literal["sign", "level"]

BURST = 5.0
"""What may be spent ahead of the budget's pace, in labels of cost 1."""

LEVEL_RATE = 0.05
"""Step of the level, in running deviations of the utility."""


@dataclass(frozen=True, eq=False)
class StreamPolicy(SavedPolicy):
    """A learned stream strategy with the protocol of `lal.policies.kinds`.

    Its memory is a dictionary of plain arrays of fixed size, made by `start` and replaced, never
    changed, by `update`; save it with ``numpy.savez(path, **memory)`` and go on another day.

    Attributes:
        name: Its name.
        features: Ids of stream features; the scorer reads them as its one candidate row.
        program: Scorer program; its output is the worth of asking over skipping.
        tensors: Arrays of the program.
        card: What is known of its training and evidence.
        content_width: Numbers of ``content@1``; 0 without.
        pace: sign: ask when the utility is above 0. level: ask when it is above a level that
            follows the share of the budget. Either never spends ahead of the budget's pace.
    """

    kind: ClassVar[str] = "stream"
    FIELDS: ClassVar[Mapping[str, Field]] = {
        "name": Field(str),
        "features": Field(list),
        "program": Field(dict),
        "card": Field(dict),
        "content_width": Field(int),
        "pace": Field(str),
    }

    name: str
    features: Sequence[str]
    program: Mapping[str, Any]
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict)
    card: Any = field(default_factory=dict)  # a mapping when made, then a Card
    content_width: int = 0
    pace: Pace = "level"

    def __post_init__(self) -> None:
        if self.pace not in ("sign", "level"):
            raise PolicyFileError(f"pace {self.pace!r} is unknown; expected 'sign' or 'level'")
        if type(self.content_width) is not int or not 0 <= self.content_width <= 4096:
            raise PolicyFileError(f"content_width must be 0 to 4096, got {self.content_width!r}")
        check_card(self.card)
        about = {"name": self.name, "inputs": f"features of the stream: {', '.join(self.features)}"}
        object.__setattr__(self, "card", Card(self.card, about))
        self.scorer.width  # noqa: B018 (the program is checked when the policy is made)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is rebuilt when needed: operations are functions and do not pickle."""
        return {k: v for k, v in self.__dict__.items() if k not in ("scorer", "_latest")}

    @cached_property
    def scorer(self) -> Scorer:
        """The checked program."""
        n = width(self.features, self.content_width)
        return compile_program(self.program, self.tensors, n_candidate=n, n_context=0)

    def start(self, info: Mapping[str, Any] | None = None, *, budget: float = 0.1) -> Memory:
        """Return the memory before the first item.

        Args:
            info: ``{"budget": share}``; the same as `budget`.
            budget: Share of the stream's cost that may be spent, above 0 up to 1.
        """
        return {"statistics": np.array(start(budget_share(info, budget)))}

    def utility(self, memory: Memory, item: StreamItem) -> float:
        """Return the worth of asking for this item over skipping it."""
        return self._utility(_record(memory), checked_item(item))

    def act(self, memory: Memory, observation: StreamItem) -> bool:
        """Return whether to request the label of this item; pure."""
        record, item = _record(memory), checked_item(observation)
        if record.spent + item.cost > record.budget * record.seen + BURST:
            return False
        level = record.utility_level if self.pace == "level" else 0.0
        return self._utility(record, item) > level

    def update(self, memory: Memory, event: StreamEvent) -> Memory:
        """Return the memory after an item; the one given is left as it is."""
        record, event = _record(memory), checked_event(event)
        later = follow(record, event.item, asked=event.asked, error=event.error)
        if self.pace == "level":
            later = _follow_level(record, later, self._utility(record, event.item))
        return {"statistics": np.array(later)}

    asks, advance = act, update
    """The methods' names before all kinds of policy shared one protocol."""

    def to_fields(self) -> dict[str, Any]:
        """Return what a file says of the policy."""
        return {"kind": self.kind, **{name: getattr(self, name) for name in self.FIELDS}}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        """Return the policy of a file's fields and tensors."""
        check_ids(fields["features"])
        return cls(**{name: fields[name] for name in cls.FIELDS}, tensors=tensors)

    @cached_property
    def _latest(self) -> list[tuple[Record, StreamItem, float]]:
        """The last utility and what it was of: `act` and `update` want the same one."""
        return []

    def _utility(self, record: Record, item: StreamItem) -> float:
        for known, seen, utility in self._latest:
            if seen is item and known == record:
                return utility
        self._latest[:] = [(record, item, self._compute(record, item))]
        return self._latest[0][2]

    def _compute(self, record: Record, item: StreamItem) -> float:
        given = 0 if item.content is None else len(item.content)
        if CONTENT in self.features and given != self.content_width:
            raise DataError(
                f"policy {self.name!r} reads a content of {self.content_width} numbers, got {given}"
            )
        row: Floats = values(self.features, record, item)[None]
        registers = self.scorer.registers({"candidates": row, "context": np.zeros(0)})
        return float(registers[self.scorer.output].reshape(-1)[0])


def load_stream_policy(name_or_path: str | Path) -> StreamPolicy:
    """Return what `lal.load_policy` does, if it is a stream policy.

    Raises:
        UnknownNameError: No shipped policy of that name.
        PolicyFileError: The file is missing, damaged, of another kind or an unknown version.
    """
    return load_as(StreamPolicy, name_or_path)


def list_stream_policies() -> dict[str, str]:
    """Return the shipped stream policies: name to one line of description."""
    return list_policies(StreamPolicy.kind)


def _record(memory: Memory) -> Record:
    return Record(*memory_array(memory, "statistics", (len(Record._fields),)).tolist())


def _follow_level(record: Record, later: Record, utility: float) -> Record:
    """Move the level towards the utility that is exceeded by the budget's share of items."""
    away = abs(utility - record.utility_level)
    spread = record.utility_spread + 0.02 * (min(away, 10.0) - record.utility_spread)
    above = float(utility > record.utility_level)
    # a stochastic quantile, pulled along when spending falls behind or runs ahead of its pace
    lag = (record.budget * record.seen - record.spent) / 5.0
    goal = min(max(record.budget * (1.0 + lag), 0.0), 1.0)
    level = record.utility_level + LEVEL_RATE * max(spread, 1e-4) * (above - goal)
    return later._replace(utility_level=level, utility_spread=spread)
