"""ProgramPolicy: the base of policies with memory that are made of named scorer programs.

Memory and protocol are those of `lal.policies.kinds`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from lal.arrays import Floats
from lal.policies.card import Card, check_card
from lal.policies.files import Field, SavedPolicy
from lal.policies.scoring.ops import Shape, need
from lal.policies.scoring.scorer import Program, Scorer, compile_program

Memory = dict[str, np.ndarray]
"""What a policy remembers: arrays by name."""

Event = Mapping[str, Any]
"""What happened: a kind of policy says which keys it reads."""


@dataclass(frozen=True)
class Signature:
    """The widths of a program: its given vectors and rows, its output, and what else is kept."""

    output: int
    context: int = 0
    rows: int = 0
    extra: Mapping[str, Shape] = field(default_factory=dict)
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class ProgramPolicy(SavedPolicy):
    """Programs that are checked when the policy is made.

    Attributes:
        name: Name, for tables and messages.
        sizes: Whole numbers that fix the widths; every kind names its own.
        programs: Scorer programs by role.
        tensors: Arrays that the programs name.
        card: Plain JSON values: what it was trained on, its evidence; see `lal.policies.card`.
    """

    kind: ClassVar[str] = ""
    INPUTS: ClassVar[str] = ""
    """What it looks at, for its card."""
    FIELDS: ClassVar[Mapping[str, Field]] = {
        "name": Field(str), "sizes": Field(dict), "programs": Field(dict), "card": Field(dict),
    }  # fmt: skip

    name: str
    sizes: Mapping[str, int]
    programs: Mapping[str, Program]
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    card: Any = field(default_factory=dict, repr=False)  # a mapping when made, then a Card

    def __post_init__(self) -> None:
        """Compile all programs; nothing is left to the first use."""
        check_card(self.card)
        card = Card(self.card, {"name": self.name, "inputs": self.INPUTS})
        object.__setattr__(self, "card", card)
        _ = self.scorers

    def signatures(self) -> Mapping[str, Signature]:
        """Return the widths that each program must have, by role."""
        raise TypeError(f"{type(self).__name__} is not a kind of policy of its own")

    def size(self, name: str) -> int:
        """Return a size by name."""
        need(name in self.sizes, f"a {self.kind} policy needs the size {name!r}")
        return int(self.sizes[name])

    @cached_property
    def scorers(self) -> Mapping[str, Scorer]:
        """The checked programs by role."""
        wanted = self.signatures()
        need(
            set(wanted) == set(self.programs),
            f"the programs are {sorted(self.programs)}, expected {sorted(wanted)}",
        )
        return {
            role: compile_program(
                self.programs[role],
                self.tensors,
                n_candidate=widths.rows,
                n_context=widths.context,
                extra=widths.extra,
                n_output=widths.output,
                keep=widths.keep,
            )
            for role, widths in wanted.items()
        }

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is rebuilt when needed: operations are functions and do not pickle."""
        return {k: v for k, v in self.__dict__.items() if k != "scorers"}

    def run(self, role: str, **inputs: Floats) -> Floats:
        """Return the output of a program, shape (n, width) or (width,)."""
        scorer = self.scorers[role]
        return scorer.registers(inputs)[scorer.output]

    def start(self, info: Event | None = None) -> Memory:
        """Return the memory at the start of an episode."""
        raise TypeError(f"{type(self).__name__} has no start")

    def act(self, memory: Memory, observation: Any) -> Any:
        """Return the action; a kind says what it observes and what its actions are."""
        raise TypeError(f"{type(self).__name__} has no act")

    def update(self, memory: Memory, event: Event) -> Memory:
        """Return the memory after an event; the one given stays as it is."""
        raise TypeError(f"{type(self).__name__} has no update")

    def to_fields(self) -> dict[str, Any]:
        """Return what a file says of the policy."""
        return {"kind": self.kind, **{name: getattr(self, name) for name in self.FIELDS}}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        """Return the policy of a file's fields and tensors."""
        sizes, programs = fields["sizes"], fields["programs"]
        need(len(programs) <= 16 and len(sizes) <= 64, "a policy has at most 16 programs, 64 sizes")
        whole = all(type(size) is int and 0 <= size <= 1_000_000 for size in sizes.values())
        need(whole, "sizes must be whole numbers from 0 to 1 000 000")
        return cls(**{name: fields[name] for name in cls.FIELDS}, tensors=tensors)
