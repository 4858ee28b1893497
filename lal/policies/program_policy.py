"""Policies that rank no pool: explicit memory, named programs, the same safe files.

A sibling of `PoolPolicy` has a `kind`. Its memory is a dictionary of plain arrays, so it can be
saved and resumed: ``memory = policy.start(info)``, then ``memory = policy.advance(memory, event)``
after every event. Neither call changes what it is given.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lal.arrays import Floats
from lal.errors import LalError, PolicyFileError
from lal.policies.card import check_card
from lal.policies.scoring.ops import Shape, need
from lal.policies.scoring.scorer import Program, Scorer, compile_program
from lal.policies.store import read_file, save_policy
from lal.registry import Registry

Memory = dict[str, np.ndarray]
"""What a policy remembers: arrays by name."""

Event = Mapping[str, Any]
"""What happened: a kind of policy says which keys it reads."""


@dataclass(frozen=True)
class Signature:
    """The widths of a program: its given vectors and rows, and its output."""

    output: int
    context: int = 0
    rows: int = 0
    extra: Mapping[str, Shape] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class SiblingPolicy:
    """What all siblings share: programs that are checked when the policy is made.

    Attributes:
        name: Name, for tables and messages.
        sizes: Whole numbers that fix the widths; every kind names its own.
        programs: Scorer programs by role.
        tensors: Arrays that the programs name.
        card: Plain JSON values: what it was trained on, its evidence.
    """

    kind: ClassVar[str] = ""

    name: str
    sizes: Mapping[str, int]
    programs: Mapping[str, Program]
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    card: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Compile all programs; nothing is left to the first use."""
        check_card(self.card)
        _ = self.scorers

    def signatures(self) -> Mapping[str, Signature]:
        """Return the widths that each program must have, by role."""
        raise TypeError(f"{type(self).__name__} is no kind of policy of its own")

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
            )
            for role, widths in wanted.items()
        }

    def run(self, role: str, **inputs: Floats) -> Floats:
        """Return the output of a program, shape (n, width) or (width,)."""
        scorer = self.scorers[role]
        return scorer.registers(inputs)[scorer.output]

    def start(self, info: Event | None = None) -> Memory:
        """Return the memory at the start of an episode."""
        raise TypeError(f"{type(self).__name__} has no start")

    def advance(self, memory: Memory, event: Event) -> Memory:
        """Return the memory after an event; the one given stays as it is."""
        raise TypeError(f"{type(self).__name__} has no advance")

    def save(self, path: str | Path) -> None:
        """Write to a file; see `lal.policies.store.save_policy`."""
        save_policy(self, path)


KINDS: Registry[type[SiblingPolicy]] = Registry("policy kind")
"""Kinds of siblings; the name is what a file says."""

KINDS.add_lazy("design", "lal.policies.design_policy:DesignPolicy")
KINDS.add_lazy("predict_or_ask", "lal.policies.predict_or_ask_policy:PredictOrAskPolicy")
KINDS.add_lazy("subset", "lal.policies.subset_policy:SubsetPolicy")


def load_sibling(path: str | Path) -> SiblingPolicy:
    """Return the policy in a file; loading never runs code.

    Raises:
        PolicyFileError: Missing, damaged, a policy over pools, or of an unknown kind.
    """
    path = Path(path)
    fields, tensors = read_file(path)
    if "kind" not in fields:
        raise PolicyFileError(f"{path}: holds a policy over pools; load it with lal.load_policy")
    if fields["kind"] == "stream":
        raise PolicyFileError(f"{path}: a stream policy; load it with lal.load_stream_policy")
    given = {key: fields[key] for key in ("name", "sizes", "programs", "card")}
    try:
        return KINDS[fields["kind"]](**given, tensors=tensors)
    except LalError as error:
        raise PolicyFileError(f"{path}: {error}") from error
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise PolicyFileError(f"{path}: the policy is malformed ({error})") from error
