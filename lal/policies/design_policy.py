"""DesignPolicy: the next experiment from the experiments so far, whatever their order."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.policies.program_policy import Event, Memory, ProgramPolicy, Signature


class DesignPolicy(ProgramPolicy):
    """A design network with a sum-pooled history (Foster et al. 2021).

    Sizes: ``design`` (D), ``outcome`` (1 as a rule), ``code``, ``n_steps`` (0: any number).
    Programs: ``encode`` maps ``context`` = [design, outcome] to a code; ``emit`` maps ``context`` =
    the sum of the codes to a design. Memory: ``sum`` (code,) and ``n`` ().
    """

    kind: ClassVar[str] = "design"
    INPUTS: ClassVar[str] = "the designs and outcomes so far, whatever their order"

    def signatures(self) -> Mapping[str, Signature]:
        """Return the widths of the two programs."""
        D, code = self.size("design"), self.size("code")
        return {
            "encode": Signature(output=code, context=D + self.size("outcome")),
            "emit": Signature(output=D, context=code),
        }

    def start(self, info: Event | None = None) -> Memory:
        """Return an empty history."""
        return {"sum": np.zeros(self.size("code")), "n": np.zeros((), dtype=np.int64)}

    def act(self, memory: Memory, observation: None = None) -> Floats:
        """Return the next design, shape (D,); all there is to observe is in the memory."""
        return self.run("emit", context=memory["sum"])

    def update(self, memory: Memory, event: Event) -> Memory:
        """Return the memory after ``event = {"design": (D,), "outcome": number or (k,)}``."""
        design = np.asarray(event["design"], dtype=np.float64).ravel()
        outcome = np.atleast_1d(np.asarray(event["outcome"], dtype=np.float64)).ravel()
        wanted = (self.size("design"), self.size("outcome"))
        if (len(design), len(outcome)) != wanted:
            raise UsageError(
                f"expected a design of {wanted[0]} and an outcome of {wanted[1]} numbers, got "
                f"{len(design)} and {len(outcome)}"
            )
        code = self.run("encode", context=np.concatenate([design, outcome]))
        return {"sum": memory["sum"] + code, "n": memory["n"] + 1}
