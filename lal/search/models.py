"""What is believed of unlabelled rows while targets are searched for."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lal.arrays import Bools, Floats, Ints
from lal.errors import DataError

Labels = Ints
"""What is known of N rows: 1 target, 0 none, -1 not labelled; shape (N,)."""


class SearchModel(Protocol):
    """Predicts targets from the labels so far."""

    def probabilities(self, labels: Labels) -> Floats:
        """Return the probability of every row of being a target, given the labels, shape (N,)."""
        ...

    def best_after(self, labels: Labels) -> tuple[float, float]:
        """Return bounds of any open row's probability after one more label: of 0, and of 1."""
        ...


@dataclass(frozen=True, eq=False)
class NeighbourModel:
    """``p(x) = (gamma + targets among the labelled neighbours) / (1 + labelled neighbours)``.

    Source: Garnett, Krishnamurthy, Xiong, Schneider and Mann (2012), Bayesian optimal active
    search and surveying, section 7.

    Attributes:
        neighbours: Which rows are neighbours, symmetric, shape (N, N); none of itself.
        prior: gamma, the probability of a row without labelled neighbours.
    """

    neighbours: Bools
    prior: float = 0.1

    def counts(self, labels: Labels) -> tuple[Floats, Floats]:
        """Return how many neighbours are targets, and how many are labelled, shapes (N,)."""
        known = np.array([labels == 1, labels >= 0], dtype=np.float64)
        targets, labelled = known @ self.neighbours
        return targets, labelled

    def probabilities(self, labels: Labels) -> Floats:
        """Return the probability of every row of being a target, given the labels, shape (N,)."""
        targets, labelled = self.counts(labels)
        found: Floats = (self.prior + targets) / (1.0 + labelled)
        return found

    def best_after(self, labels: Labels) -> tuple[float, float]:
        """Return bounds of any open row's probability after one more label: of 0, and of 1.

        A 0 raises no probability; a 1 raises one at most to what a neighbour's would give it.
        """
        targets, labelled = self.counts(labels)
        is_open = labels < 0
        now = (self.prior + targets) / (1.0 + labelled)
        then = np.maximum(now, (self.prior + targets + 1.0) / (2.0 + labelled))
        return float(now[is_open].max(initial=0.0)), float(then[is_open].max(initial=0.0))

    def expected_best(self, labels: Labels) -> Floats:
        """Return the expected largest probability of another open row after each row's label.

        The same as `lal.search.strategies.expected_best` row by row, in one piece; shape (N,), of
        use for open rows.
        """
        targets, labelled = self.counts(labels)
        p = (self.prior + targets) / (1.0 + labelled)
        usable = (labels < 0) & ~np.eye(len(labels), dtype=np.bool_)
        best = []
        for y in (0.0, 1.0):
            later = (self.prior + targets + y * self.neighbours) / (
                1.0 + labelled + self.neighbours
            )
            best.append(np.where(usable, later, 0.0).max(axis=1))
        expected: Floats = (1.0 - p) * best[0] + p * best[1]
        return expected


@dataclass(frozen=True, eq=False)
class EnumeratedModel:
    """The exact posterior of a prior over complete labellings, for a dozen rows.

    Attributes:
        labellings: All labellings with a positive prior, shape (M, N).
        prior: Their probabilities, shape (M,).
    """

    labellings: Ints
    prior: Floats

    def probabilities(self, labels: Labels) -> Floats:
        """Return the probability of every row of being a target, given the labels, shape (N,).

        Raises:
            DataError: The labels cannot be.
        """
        known = labels >= 0
        weights = self.prior * (self.labellings[:, known] == labels[known]).all(axis=1)
        total = weights.sum()
        if total <= 0:
            raise DataError("these labels have probability 0 under the prior of this model")
        found: Floats = (weights / total) @ self.labellings
        return found

    def best_after(self, labels: Labels) -> tuple[float, float]:
        """Return bounds of any open row's probability after one more label: nothing is known."""
        return 1.0, 1.0

    def draw(self, rng: np.random.Generator) -> Ints:
        """Return a labelling drawn from the prior, shape (N,)."""
        labelling: Ints = self.labellings[rng.choice(len(self.prior), p=self.prior)]
        return labelling


def ising_model(edges: Bools, *, coupling: float = 1.0, field: float = -0.8) -> EnumeratedModel:
    """Return the prior ``p(y) ~ exp(coupling * agreeing edges + field * targets)`` of a graph.

    Args:
        edges: Adjacency, symmetric, shape (N, N), N at most 14.
        coupling: How much neighbours agree.
        field: Below 0: targets are rare.

    Raises:
        DataError: A graph of more than 14 rows; its labellings are not enumerated.
    """
    n = len(edges)
    if n > 14:
        raise DataError(f"labellings are enumerated for at most 14 rows, got {n}")
    labellings = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    signs = 2.0 * labellings - 1.0
    agreeing = np.einsum("mi,ij,mj->m", signs, np.triu(edges).astype(float), signs)
    energy = 0.5 * coupling * agreeing + field * labellings.sum(axis=1)
    weights = np.exp(energy - energy.max())
    return EnumeratedModel(labellings.astype(np.int64), weights / weights.sum())
