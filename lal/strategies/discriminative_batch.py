"""Discriminative batches: rows that leave the refitted model sure of itself, in the best case."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.state import QueryState
from lal.strategies.refits import WhatIf
from lal.strategies.selection import ModelBatch, select_top
from lal.strategies.uncertainty import entropy_utility


class DiscriminativeBatch(ModelBatch):
    """Asks for the batch whose best labels make labels likely and the rest certain.

    Maximises ``sum_{i in L+S} log p+(y_i|x_i) - alpha sum_{u not in S} H(p+(.|u))`` over the batch
    S and its labels, p+ refitted with both; greedily, row after row, where the paper relaxes. At
    most 80 refits a row. Source: Guo & Schuurmans (2007), "Discriminative batch mode active
    learning".

    Args:
        alpha: Weight of the entropy, not negative.
    """

    def __init__(self, alpha: float = 0.1) -> None:
        if alpha < 0.0:
            raise UsageError(f"alpha must not be negative, got {alpha}")
        self.alpha = alpha

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the objective of each row with its best label, shape (N,); zeros at first."""
        if state.proba is None or len(state.open) == 0:
            return np.zeros(state.N)
        service = WhatIf(state, "DiscriminativeBatch", rng)
        return self._best(service, [], [])[0]

    def batch(
        self, state: QueryState, rng: np.random.Generator, ties: np.random.Generator, size: int
    ) -> Ints:
        """Return the greedy batch, shape (size,)."""
        service, left = WhatIf(state, "DiscriminativeBatch", rng), state.open
        rows: list[int] = []
        codes: list[int] = []
        for _ in range(size):
            values, labels = self._best(service, rows, codes)
            row = int(select_top(values, left, ties)[0])
            left = left[left != row]
            rows.append(row)
            codes.append(int(labels[row]))
        return np.array(rows, dtype=np.int64)

    def _best(self, service: WhatIf, rows: list[int], codes: list[int]) -> tuple[Floats, Ints]:
        """Return the best objective with each row added, and its label, each (N,)."""
        n = service.state.n_classes
        table = [
            [self.objective(service, [*rows, row], [*codes, c]) for c in range(n)]
            for row in service.tried.tolist()
        ]
        values = np.array(table)
        labels = np.zeros(service.state.N, dtype=np.int64)
        labels[service.tried] = values.argmax(axis=1)
        return service.scatter(values.max(axis=1)), labels

    def objective(self, service: WhatIf, rows: list[int], codes: list[int]) -> float:
        """Return the objective of a batch with its labels."""
        state = service.state
        known = np.append(state.labelled, np.array(rows, dtype=np.int64))
        labels = np.append(state.labels, np.array(codes, dtype=np.int64))
        rest = np.setdiff1d(service.reference, rows)
        on = np.concatenate([known, rest])
        proba = service.proba(np.array(rows, dtype=np.int64), np.array(codes, dtype=np.int64), on)
        likely = np.log(np.maximum(proba[np.arange(len(known)), labels], 1e-12)).sum()
        return float(likely - self.alpha * entropy_utility(proba[len(known) :]).sum())
