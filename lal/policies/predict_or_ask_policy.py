"""PredictOrAskPolicy: names an item's label or asks for it, with a recurrent memory."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.policies.program_policy import Event, Memory, ProgramPolicy, Signature
from lal.policies.scoring.ops import Shape

NEXT = ("h_next", "c_next")
"""Registers in which the program ``step`` leaves the memory's next hidden and cell vectors."""


class PredictOrAskPolicy(ProgramPolicy):
    """An LSTM over [label just acquired, item] with a value for every answer and for asking.

    Sizes: ``classes`` (C), ``columns`` (D), ``hidden``. Program ``step`` reads ``context`` =
    [one-hot label of the item before if it was acquired, else zeros; item], ``h`` and ``c``, writes
    ``h_next`` and ``c_next`` and gives C + 1 values, the last one of asking. Memory: ``h``, ``c``,
    ``label`` (C,). Arrays may have leading axes: many episodes at once.
    """

    kind: ClassVar[str] = "predict_or_ask"
    INPUTS: ClassVar[str] = "the items of an episode one by one, and the labels it asked for"

    def signatures(self) -> Mapping[str, Signature]:
        """Return the widths of the program."""
        C, hidden = self.size("classes"), self.size("hidden")
        memory = {name: Shape("vector", hidden) for name in ("h", "c")}
        width = C + self.size("columns")
        return {"step": Signature(output=C + 1, context=width, extra=memory, keep=NEXT)}

    def start(self, info: Event | None = None) -> Memory:
        """Return the memory at the start; ``info = {"episodes": E}`` runs E at once."""
        lead = (int(info["episodes"]),) if info and "episodes" in info else ()
        hidden, C = self.size("hidden"), self.size("classes")
        return {
            "h": np.zeros((*lead, hidden)), "c": np.zeros((*lead, hidden)),
            "label": np.zeros((*lead, C)),
        }  # fmt: skip

    def values(self, memory: Memory, item: Floats) -> Floats:
        """Return the values of the C answers and of asking, shape (..., C + 1)."""
        return self._registers(memory, item)[self.scorers["step"].output]

    def act(self, memory: Memory, observation: Floats) -> Ints:
        """Return the best action for an item (..., D): a label, or C to ask."""
        return np.asarray(self.values(memory, observation).argmax(axis=-1))

    def update(self, memory: Memory, event: Event) -> Memory:
        """Return the memory after ``event = {"item": (D,), "label": slot}``; -1: not acquired."""
        registers = self._registers(memory, event["item"])
        label = np.asarray(event["label"])
        C = self.size("classes")
        if label.shape != memory["label"].shape[:-1] or (label >= C).any() or (label < -1).any():
            raise UsageError(f"labels must be -1 to {C - 1} of shape {memory['label'].shape[:-1]}")
        acquired = (label[..., None] == np.arange(C)).astype(np.float64)
        return {"h": registers["h_next"], "c": registers["c_next"], "label": acquired}

    def _registers(self, memory: Memory, item: Floats) -> dict[str, Floats]:
        item = np.asarray(item, dtype=np.float64)
        if item.shape[-1] != self.size("columns"):
            raise UsageError(f"expected {self.size('columns')} columns, got {item.shape[-1]}")
        context = np.concatenate([memory["label"], item], axis=-1)
        given = {"context": context, "h": memory["h"], "c": memory["c"]}
        return self.scorers["step"].registers(given)
