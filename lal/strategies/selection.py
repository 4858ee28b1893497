"""SELECTIONS: named steps from utilities to a batch of rows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats, Ints
from lal.registry import Registry
from lal.state import Geometry
from lal.strategies.base import select_top

PRESELECT = 10
"""`greedy_diverse` chooses among this many times the batch of the best rows."""


@dataclass(frozen=True, eq=False)
class Batch:
    """What a selection step chooses from.

    Attributes:
        utilities: Utilities of all rows, shape (N,).
        rows: Rows that may be asked, shape (n,).
        geometry: Encodes the rows.
        size: Rows to choose.
    """

    utilities: Floats
    rows: Ints
    geometry: Geometry
    size: int


Selection = Callable[[Batch, np.random.Generator, np.random.Generator], Ints]
"""Batch, strategy stream and tie stream to the chosen rows, best first, without duplicates."""

SELECTIONS: Registry[Selection] = Registry("selection step")


@SELECTIONS.register("top")
def top(batch: Batch, rng: np.random.Generator, ties: np.random.Generator) -> Ints:
    """Return the rows of highest utility."""
    return select_top(batch.utilities, batch.rows, ties, batch.size)


@SELECTIONS.register("gumbel")
def gumbel(batch: Batch, rng: np.random.Generator, ties: np.random.Generator) -> Ints:
    """Return the top rows after Gumbel noise is added to standardised utilities.

    That samples without replacement with probabilities softmax(utility). One row alone is chosen
    without noise. Source: Kirsch et al. 2023, "Stochastic batch acquisition".
    """
    if batch.size == 1:
        return top(batch, rng, ties)
    values = batch.utilities[batch.rows]
    spread = float(values.std())
    noisy = batch.utilities / (spread if spread > 0.0 else 1.0)
    noisy += rng.gumbel(size=len(noisy))
    return select_top(noisy, batch.rows, ties, batch.size)


@SELECTIONS.register("greedy_diverse")
def greedy_diverse(batch: Batch, rng: np.random.Generator, ties: np.random.Generator) -> Ints:
    """Return the best row, then again and again the preselected row farthest from those chosen.

    Preselected are the ten times `size` rows of highest utility. Source: the two-stage scheme of
    Settles 2009, section 3.1, with k-centre greedy (Sener and Savarese 2018) inside.
    """
    few = min(PRESELECT * batch.size, len(batch.rows))
    best = select_top(batch.utilities, batch.rows, ties, max(few, batch.size))
    Z = batch.geometry.rows(best)
    chosen = [0]
    away = ((Z - Z[0]) ** 2).sum(axis=1)
    away[0] = -1.0
    while len(chosen) < batch.size:
        following = int(np.argmax(away))  # the better row of equally far ones: best come first
        chosen.append(following)
        away = np.minimum(away, ((Z - Z[following]) ** 2).sum(axis=1))
        away[chosen] = -1.0
    return best[chosen]
