"""SLATES: which K open rows are offered to the agent."""

from collections.abc import Callable

import numpy as np

from lal.arrays import Floats, Ints
from lal.registry import Registry
from lal.state import QueryState

SlateRule = Callable[[QueryState, int, np.random.Generator], Ints]
"""State, number of rows n and the slate stream to n different open rows, shape (n,)."""

SLATES: Registry[SlateRule] = Registry("slate rule")


@SLATES.register("random")
def random_slate(state: QueryState, n: int, rng: np.random.Generator) -> Ints:
    """Return n open rows drawn uniformly, in random order."""
    return rng.permutation(state.open)[:n]


@SLATES.register("half_uncertain")
def half_uncertain_slate(state: QueryState, n: int, rng: np.random.Generator) -> Ints:
    """Return the n // 2 open rows of smallest top-two margin, the rest drawn uniformly, shuffled.

    Ties of the margin are broken at random. Without a model (fewer than two classes seen) no row
    is more uncertain than another, and the whole slate is drawn uniformly.
    """
    shuffled = rng.permutation(state.open)
    if state.proba is None:
        return shuffled[:n]
    order = np.argsort(top_two_margin(state.proba[shuffled]), kind="stable")
    uncertain = order[: n // 2]
    rest = np.setdiff1d(np.arange(len(shuffled)), uncertain)[: n - len(uncertain)]
    slate: Ints = rng.permutation(shuffled[np.concatenate([uncertain, rest])])
    return slate


def top_two_margin(proba: Floats) -> Floats:
    """Return the gap between the two largest probabilities of each row, (n, C) to (n,)."""
    top = np.partition(proba, -2, axis=1)[:, -2:]
    margin: Floats = top[:, 1] - top[:, 0]
    return margin
