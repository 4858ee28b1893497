"""SubsetPolicy: which few items of a small pool to label; four heads over one embedding."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.policies.program_policy import Event, Memory, ProgramPolicy, Signature
from lal.policies.scoring.ops import Shape, need
from lal.policies.subset_features import (
    N_DIVERSITY,
    N_KNOWN,
    N_NODE,
    N_ORDER,
    N_STATISTICS,
    Similarities,
    coverage_order,
    diversity_features,
    known_features,
    neighbours,
    node_features,
    order_features,
    prototype_statistics,
    similarities,
)

HEADS = ("one_step", "sequential", "batch", "graph")
"""one_step: Contardo et al. 2017. sequential: Bachman et al. 2017. batch: Ravi and Larochelle.
graph: Yan et al. 2022."""

MAX_PROTOTYPES = 100_000
"""Numbers in all prototypes; every item is compared with all of them."""

ANY_EMBEDDING = frozenset({"batch", "graph"})
"""Heads that look at similarities alone, so that items may come in any embedding."""

READS_LABELS = frozenset({"sequential", "graph"})
"""Heads that look at the labels acquired so far."""


class SubsetPolicy(ProgramPolicy):
    """Chooses items one after the other; the sequential and graph heads look at labels acquired.

    Sizes: ``head`` (place in `HEADS`), ``classes`` (C), ``columns`` (D), ``embedding``, ``hidden``.
    Program ``embed`` maps samples (rows) to the embedding. one_step: ``forward`` and ``backward``
    are recurrent cells over [embedding, place features] in the order of `coverage_order`,
    ``score`` reads both. sequential: ``read`` is a cell over [embedding, one-hot label], ``score``
    is gated by it. batch: ``score`` adds a quality and a diversity. graph: ``first`` and
    ``second`` map [features, their mean over neighbours] of every item, ``score`` reads the
    result. Memory: the embedded set, its similarities, what was chosen.
    """

    kind: ClassVar[str] = "subset"
    INPUTS: ClassVar[str] = "all items of a small pool at once, and the labels it acquired"

    @property
    def head(self) -> str:
        """Name of the head."""
        place = self.size("head")
        need(place < len(HEADS), f"the head must be 0 to {len(HEADS) - 1}, got {place}")
        return HEADS[place]

    def signatures(self) -> Mapping[str, Signature]:
        """Return the widths of the head's programs."""
        d, hidden, C = self.size("embedding"), self.size("hidden"), self.size("classes")
        need(C * d <= MAX_PROTOTYPES, f"{C} prototypes of {d} numbers are too many")
        memory = {"h": Shape("vector", hidden)}
        wanted = {"embed": Signature(output=d, rows=self.size("columns"))}
        if self.head == "one_step":
            cell = Signature(output=hidden, context=d + N_ORDER, extra=memory)
            score = Signature(output=1, rows=2 * hidden + N_ORDER)
            return {**wanted, "forward": cell, "backward": cell, "score": score}
        if self.head == "sequential":
            read = Signature(output=hidden, context=d + C + 1, extra=memory)
            score = Signature(output=1, rows=N_KNOWN + d, context=hidden)
            return {**wanted, "read": read, "score": score}
        if self.head == "graph":
            first = Signature(output=hidden, rows=2 * N_NODE)
            second = Signature(output=hidden, rows=2 * hidden)
            score = Signature(output=1, rows=hidden + N_NODE)
            return {**wanted, "first": first, "second": second, "score": score}
        return {**wanted, "score": Signature(output=1, rows=N_STATISTICS + N_DIVERSITY)}

    def embed(self, samples: Floats) -> Floats:
        """Return the embedded samples, shape (n, d)."""
        return self.run("embed", candidates=np.asarray(samples, dtype=np.float64))

    def _embedded(self, info: Event, name: str) -> Floats:
        """Return items or support as the head sees them."""
        if not info.get("embedded", False):
            return self.embed(info[name])
        Z, width = np.asarray(info[name], dtype=np.float64), self.size("embedding")
        if Z.ndim != 2 or (self.head not in ANY_EMBEDDING and Z.shape[1] != width):
            wanted = "any width" if self.head in ANY_EMBEDDING else f"{width} columns"
            raise UsageError(
                f"the {self.head} head takes embedded {name} (rows, {wanted}), got shape {Z.shape}"
            )
        return Z

    def start(self, info: Event | None = None) -> Memory:
        """Return the memory of ``info = {"items": (N, D)}``.

        The batch head also needs ``"support": (S, D)`` and ``"support_labels": (S,)``. With
        ``"embedded": True`` samples are embedded already, by the policy or by any other embedding
        (heads batch and graph).
        """
        if info is None or "items" not in info:
            raise UsageError("a subset policy starts with {'items': samples}")
        Z = self._embedded(info, "items")
        support = None
        if self.head == "batch":
            if "support" not in info or len(info["support"]) == 0:
                raise UsageError(
                    "the batch head needs a support set: 'support' and 'support_labels'"
                )
            support = self._embedded(info, "support")
            if support.shape[1] != Z.shape[1]:
                raise UsageError(
                    f"items have {Z.shape[1]} columns and the support set {support.shape[1]}; "
                    "embed both alike"
                )
        given = similarities(Z, support)
        memory = {"Z": Z, "chosen": np.zeros(len(Z), dtype=bool), **given._asdict()}
        if self.head == "one_step":
            return {**memory, "static": self._one_step(Z, given)}
        if self.head == "sequential":
            return {**memory, "h": np.zeros(self.size("hidden"))}
        if support is None:
            return {**memory, "labels": np.full(len(Z), -1)}
        labels, C = np.asarray(info["support_labels"]), self.size("classes")
        return {**memory, "static": prototype_statistics(Z, given.density, support, labels, C)}

    def _one_step(self, Z: Floats, given: Similarities) -> Floats:
        """Return [forward memory, backward memory, place features] of every item."""
        place, worth = coverage_order(given.K, Z)
        features = order_features(given, place, worth)
        inputs = np.concatenate([Z, features], axis=1)[np.argsort(place)]
        found = []
        for role, step in (("forward", 1), ("backward", -1)):
            h, states = np.zeros(self.size("hidden")), []
            for row in inputs[::step]:
                h = self.run(role, context=row, h=h)
                states.append(h)
            found.append(np.stack(states[::step])[place])
        return np.concatenate([*found, features], axis=1)

    @property
    def reads_labels(self) -> bool:
        """Whether labels may change what is chosen; a sequential head can have no weight on them.

        Where they may not, all items can be chosen before the first one is labelled.
        """
        weight = self.tensors.get("read.weight_ih")
        if self.head != "sequential" or weight is None or weight.ndim != 2:
            return self.head in READS_LABELS
        return bool(weight[:, self.size("embedding") :].any())

    def scores(self, memory: Memory) -> Floats:
        """Return the logits of all items, shape (N,); -inf for those chosen already."""
        given = Similarities(*(memory[name] for name in Similarities._fields))
        if self.head == "sequential":
            rows = np.concatenate([known_features(given, memory["chosen"]), memory["Z"]], axis=1)
            values = self.run("score", candidates=rows, context=memory["h"])
        elif self.head == "batch":
            diversity = diversity_features(given, memory["chosen"])
            values = self.run(
                "score", candidates=np.concatenate([memory["static"], diversity], axis=1)
            )
        elif self.head == "graph":
            values = self._graph(given, memory)
        else:
            values = self.run("score", candidates=memory["static"])
        return np.where(memory["chosen"], -np.inf, values[:, 0])

    def _graph(self, given: Similarities, memory: Memory) -> Floats:
        nodes = node_features(given, memory["chosen"], memory["labels"])
        edges, h = neighbours(given.S), nodes
        for role in ("first", "second"):
            h = self.run(role, candidates=np.concatenate([h, edges @ h], axis=1))
        return self.run("score", candidates=np.concatenate([h, nodes], axis=1))

    def update(self, memory: Memory, event: Event) -> Memory:
        """Return the memory after ``event = {"item": index, "label": slot, or -1 if unknown}``.

        The label C says that the item is of none of the classes.
        """
        index, label = int(event["item"]), int(event.get("label", -1))
        if not 0 <= index < len(memory["chosen"]) or memory["chosen"][index]:
            raise UsageError(f"item {index} cannot be chosen any more")
        if self.reads_labels and label < 0:
            raise UsageError(f"the {self.head} head needs the label of every chosen item")
        chosen = memory["chosen"].copy()
        chosen[index] = True
        later = {**memory, "chosen": chosen}
        if self.head == "sequential":
            told = (np.arange(self.size("classes") + 1) == label).astype(np.float64)
            read = np.concatenate([memory["Z"][index], told])
            later["h"] = self.run("read", context=read, h=memory["h"])
        if self.head == "graph":
            later["labels"] = memory["labels"].copy()
            later["labels"][index] = label
        return later

    def act(self, memory: Memory, observation: None = None) -> int:
        """Return the item to label next; all there is to observe is in the memory."""
        return int(self.scores(memory).argmax())

    def choose(self, info: Event, labels: Ints, budget: int) -> Ints:
        """Return `budget` items, best first; labels are read only as they are acquired."""
        memory, chosen = self.start(info), []
        for _ in range(budget):
            index = self.act(memory)
            memory = self.update(memory, {"item": index, "label": int(labels[index])})
            chosen.append(index)
        return np.array(chosen)
