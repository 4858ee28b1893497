"""Learning from peers: a task's learner asks the other tasks' learners before it asks a person."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.rng import generator, pack_rng
from lal.streams.features import Memory, StreamEvent, StreamItem, checked_event
from lal.streams.strategies.base import budget_share, drawn_from
from lal.streams.strategies.rows import check_width, direction, item_row, known_label, stored


class Peers(NamedTuple):
    """What the learners say of an item.

    Attributes:
        own: Scores of the item's own task, shape (C,).
        others: Scores of all tasks, shape (K, C).
        trust: Weight that the item's task gives each of them, 0 to itself, shape (K,).
        task: Index of the item's task.
    """

    own: Floats
    others: Floats
    trust: Floats
    task: int

    @property
    def advice(self) -> Floats:
        """Return the peers' scores, shape (C,)."""
        scores: Floats = self.trust @ self.others
        return scores


class PeersStream:
    """One perceptron per task; where it is unsure it asks its peers, where they are, a person.

    With p the margin of the item's own task, peers are consulted with probability
    ``b1 / (b1 + p)``. Their scores are averaged with the weights tau; with p' the margin of the
    average, a person is asked with probability ``b2 / (b2 + p')``; otherwise the peers' class is
    taken for the label, without asking. The perceptron is updated when it was wrong, and after a
    person's answer ``tau_km`` falls by ``exp(-loss_m / lambda)``, with the loss of peer m's hinge.
    Source: Murugesan and Carbonell (2017), Active learning from peers, algorithm 1; b1, b2 and
    lambda are our own.

    An item's task is the first number of its ``content``; an item without content belongs to
    task 0. A single task has no peers: the rule is then margin-based selective sampling.

    Args:
        seed: Of the draws.
        b1: Margin at which half of the items are shown to the peers.
        b2: The same for a person.
        scale: Lambda; the smaller, the faster trust moves.
    """

    def __init__(
        self, seed: int = 0, *, b1: float = 1.0, b2: float = 1.0, scale: float = 1.0
    ) -> None:
        if min(b1, b2, scale) <= 0:
            raise UsageError(f"b1, b2 and scale must be above 0, got {b1}, {b2} and {scale}")
        self.seed, self.b1, self.b2, self.scale = seed, b1, b2, scale

    def start(self, info: Mapping[str, Any] | None = None) -> Memory:
        """Return the memory: no tasks. The rule has no pace; the loop keeps the budget."""
        budget_share(info)
        rng = pack_rng(generator(self.seed, "strategy"))
        empty = {"weights": np.zeros((0, 0, 0)), "tau": np.zeros((0, 0)), "tasks": np.zeros(0)}
        return {**empty, "rng": rng}

    def act(self, memory: Memory, observation: StreamItem) -> bool:
        """Return whether a person is asked."""
        return self._decide(memory, observation)[0]

    def infer(self, memory: Memory, observation: StreamItem) -> int | None:
        """Return the peers' class, where they are consulted and sure; None elsewhere."""
        return self._decide(memory, observation)[1]

    def classify(self, memory: Memory, observation: StreamItem) -> int:
        """Return the class that is told: the peers' where they are sure, else the task's own."""
        inferred = self._decide(memory, observation)[1]
        own = self._consult(self._grown(memory, observation), observation).own
        return int(own.argmax()) if inferred is None else inferred

    def update(self, memory: Memory, event: StreamEvent) -> Memory:
        """Return the memory after an item, with a person's label, the peers' or none."""
        item = checked_event(event).item
        _, inferred = self._decide(memory, item)
        label = known_label(event)
        rng = drawn_from(memory)
        rng.random(2)
        later = {**self._grown(memory, item), "rng": pack_rng(rng)}
        said = self._consult(later, item)
        if label is not None:
            later["tau"] = self._trust(later["tau"], said, label)
        told = label if label is not None else inferred
        guess = int(said.own.argmax())
        if told is not None and told != guess:
            z, weights = direction(item_row(item)), later["weights"].copy()
            weights[said.task, told] += z
            weights[said.task, guess] -= z
            later["weights"] = weights
        return later

    def _decide(self, memory: Memory, item: StreamItem) -> tuple[bool, int | None]:
        """Return whether a person is asked, and the label that the peers are sure of."""
        said = self._consult(self._grown(memory, item), item)
        first, second = drawn_from(memory).random(2)
        if first >= self.b1 / (self.b1 + _margin(said.own)):
            return False, None
        if second < self.b2 / (self.b2 + _margin(said.advice)):
            return True, None
        return False, int(said.advice.argmax())

    def _consult(self, memory: Memory, item: StreamItem) -> Peers:
        task = int(np.flatnonzero(memory["tasks"] == _task(item))[0])
        scores = memory["weights"] @ direction(item_row(item))
        return Peers(scores[task], scores, memory["tau"][task], task)

    def _trust(self, tau: Floats, said: Peers, label: int) -> Floats:
        """Return trust after a label: peers lose by their hinge losses on it."""
        later = tau.copy()
        rivals = np.delete(said.others, label, axis=1).max(axis=1, initial=-np.inf)
        losses = np.clip(1.0 - (said.others[:, label] - rivals) / 2.0, 0.0, 50.0)
        row = tau[said.task] * np.exp(-(losses - losses.min()) / self.scale)
        row = np.maximum(row, 1e-6) * (np.arange(len(row)) != said.task)
        if len(row) > 1:
            later[said.task] = row / row.sum()
        return later

    def _grown(self, memory: Memory, item: StreamItem) -> Memory:
        """Return the memory with room for the item's task; a new task trusts all alike."""
        weights, tau = stored(memory, "weights", 3), stored(memory, "tau", 2)
        tasks = stored(memory, "tasks", 1)
        width = len(item_row(item)) + 1
        shape = (item.proba.shape[-1], width)
        if len(tasks):
            check_width(weights.shape[1:], shape)
        if (tasks == _task(item)).any():
            return {**memory, "weights": weights, "tau": tau, "tasks": tasks}
        n = len(tasks) + 1
        grown = (1.0 - np.eye(n)) / max(n - 1, 1)
        grown[:-1, :-1] = tau * (n - 2) / max(n - 1, 1)
        return {
            **memory, "tau": grown, "tasks": np.append(tasks, _task(item)),
            "weights": np.concatenate([weights.reshape(-1, *shape), np.zeros((1, *shape))]),
        }  # fmt: skip


def _task(item: StreamItem) -> float:
    return 0.0 if item.content is None or len(item.content) == 0 else float(item.content[0])


def _margin(scores: Floats) -> float:
    """Return half of the largest score's lead, which for two classes is |f|."""
    ordered = np.sort(scores)
    return float(ordered[-1] - ordered[-2]) / 2.0 if len(ordered) > 1 else 0.0
