"""The order in which the rows of a pool should be labelled, near-duplicates kept apart."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError
from lal.labelling.query import ProjectQuery
from lal.rng import Streams
from lal.state import QueryState
from lal.strategies.base import select, select_top

NEAR = 0.25
"""Texts or images nearer than this share of their typical distance are near-duplicates; ours."""

EQUAL = 1e-6
"""The same for rows of a table, which may lie close together in a few columns: equal rows."""

LOOKED_AT = 1000
"""First rows of the order among which near-duplicates are looked for."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """The order of the rows that may be labelled.

    Attributes:
        state: What the policy looked at.
        rows: Positions of the rows, best first, shape (n,).
        utilities: What they were ranked by, shape (n,); not falling throughout, because the first
            rows are chosen as a batch and near-duplicates stand behind.
    """

    state: QueryState
    rows: Ints
    utilities: Floats

    def predicted(self, row: int) -> tuple[int, float] | None:
        """Return the likeliest class of a row and its probability; None without a model."""
        proba = self.state.proba
        if proba is None:
            return None
        code = int(np.argmax(proba[row]))
        return code, float(proba[row, code])


def rank_rows(
    query: ProjectQuery, codes: Mapping[int, int], *, batch_size: int = 1, near: float = EQUAL
) -> Ranking:
    """Rank all rows without a label.

    The first `batch_size` rows are those of a batch of the policy; the rest follow by their
    utility. Among the first 1 000, a row that is nearly the same as one before it is put behind
    these 1 000.

    Args:
        query: The rows, the policy and the learner.
        codes: Row to class code of the labelled rows.
        batch_size: Labels that will be given before the order is made again.
        near: What is nearly the same; see `keep_apart`.

    Raises:
        UsageError: No row is left, or the batch is not 1 to the number of rows.
    """
    state = query.state(codes)
    n = len(state.open)
    if n == 0:
        raise UsageError("every row has a label; there is nothing to rank")
    if not 1 <= batch_size <= n:
        raise UsageError(f"batch_size must be 1 to {n}, the rows to rank; got {batch_size}")
    streams = Streams(query.query_seed(len(codes)))
    first = select(query.policy, state, streams["strategy"], streams["ties"], batch_size)
    again = Streams(query.query_seed(len(codes)))
    utilities = query.policy.utilities(state, again["strategy"])
    rest = np.setdiff1d(state.open, first)
    if len(rest):
        rest = select_top(utilities, rest, again["ties"], len(rest))
    order = keep_apart(np.concatenate([first, rest]), query.X, near)
    return Ranking(state, order, utilities[order])


def keep_apart(order: Ints, X: Rows, near: float) -> Ints:
    """Return an order with near-duplicates of earlier rows behind the first `LOOKED_AT`.

    Two rows are near-duplicates when their distance is below `near` times the root mean square
    distance of two rows of the pool.

    Args:
        order: Rows, best first.
        X: The whole pool, encoded, shape (N, d).
        near: Share of the typical distance.
    """
    head, tail = order[:LOOKED_AT], order[LOOKED_AT:]
    values: Floats = np.asarray(X[head], dtype=np.float64)
    limit = near**2 * 2.0 * float(np.asarray(X, dtype=np.float64).var(axis=0).sum())
    kept: list[int] = []
    for i, row in enumerate(values):
        if not kept or ((values[kept] - row) ** 2).sum(axis=1).min() >= limit:
            kept.append(i)
    late = np.setdiff1d(np.arange(len(head)), kept)
    return np.concatenate([head[kept], head[late], tail])
