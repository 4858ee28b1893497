"""Coordinated matching: the batch nearest to what asking one by one would have chosen."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.features.geometry import squared_distances
from lal.state import QueryState
from lal.strategies.refits import WhatIf
from lal.strategies.selection import ModelBatch, select_top
from lal.strategies.uncertainty import margin_utility

SWEEPS = 3
"""Rounds of exchanges at most."""


class CoordinatedMatching(ModelBatch):
    """Simulates margin sampling one by one, and takes the batch that matches the runs best.

    A run labels its picks by draws from the model and refits it; the batch minimises the sum over
    runs of the cost of a matching between batch and run, by exchanges from the best run. Source:
    Azimi, Fern, Zhang-Fern, Borradaile & Heeringa (2012), "Batch active learning via coordinated
    matching".

    Args:
        n_runs: Simulated runs.
    """

    def __init__(self, n_runs: int = 10) -> None:
        if n_runs < 1:
            raise UsageError(f"n_runs must be at least 1, got {n_runs}")
        self.n_runs = n_runs

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the margins: one row alone is the first of every run, shape (N,)."""
        return np.zeros(state.N) if state.proba is None else margin_utility(state.proba)

    def batch(
        self, state: QueryState, rng: np.random.Generator, ties: np.random.Generator, size: int
    ) -> Ints:
        """Return the matched batch, shape (size,)."""
        if size == 1:
            return select_top(self.utilities(state, rng), state.open, ties)
        runs = [simulated_run(state, rng, ties, size) for _ in range(self.n_runs)]
        rows = np.unique(np.concatenate(runs))
        places = np.stack([np.searchsorted(rows, run) for run in runs])
        Z = state.geometry.rows(rows)
        return rows[best_batch(np.sqrt(squared_distances(Z, Z)), places)]


def simulated_run(
    state: QueryState, rng: np.random.Generator, ties: np.random.Generator, size: int
) -> Ints:
    """Return the picks of margin sampling with labels drawn from the model, shape (size,)."""
    service, left = WhatIf(state, "CoordinatedMatching", rng), state.open
    proba = np.asarray(state.proba)
    rows, codes = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    for _ in range(size):
        row = select_top(margin_utility(proba), left, ties)
        left = left[left != row[0]]
        code = rng.choice(state.n_classes, p=proba[row[0]] / proba[row[0]].sum())
        rows, codes = np.append(rows, row), np.append(codes, code)
        if len(rows) < size:
            proba = service.proba(rows, codes, np.arange(state.N))
    return rows


def best_batch(distance: Floats, runs: Ints) -> Ints:
    """Return places of a batch that matches all runs at low cost, shape (size,).

    Args:
        distance: Between all places, shape (n, n).
        runs: Places of each run, shape (runs, size).
    """
    batch: Ints = min(runs, key=lambda run: matching_cost(distance, run, runs)).copy()
    cost = matching_cost(distance, batch, runs)
    for _ in range(SWEEPS):
        before = cost
        for at in range(len(batch)):
            for place in np.setdiff1d(np.arange(len(distance)), batch):
                changed = batch.copy()
                changed[at] = place
                other = matching_cost(distance, changed, runs)
                if other < cost - 1e-12:
                    batch, cost = changed, other
        if cost == before:
            break
    return batch


def matching_cost(distance: Floats, batch: Ints, runs: Ints) -> float:
    """Return the sum over runs of the cheapest matching of a batch with a run."""
    from scipy.optimize import linear_sum_assignment

    total = 0.0
    for run in runs:
        costs = distance[np.ix_(batch, run)]
        total += float(costs[linear_sum_assignment(costs)].sum())
    return total
