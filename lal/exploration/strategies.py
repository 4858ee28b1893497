"""EXPLORERS: where to go next, by rules that need no training."""

from collections.abc import Callable

import numpy as np

from lal.arrays import Bools
from lal.exploration.observer import Observer
from lal.registry import Registry

Explorer = Callable[[Observer, np.random.Generator], int]
"""Observer and generator to an open move."""

EXPLORERS: Registry[Explorer] = Registry("explorer")


@EXPLORERS.register("random_walk")
def random_walk(observer: Observer, rng: np.random.Generator) -> int:
    """Return any open move."""
    return int(rng.choice(np.flatnonzero(observer.open_moves())))


@EXPLORERS.register("frontier")
def frontier(observer: Observer, rng: np.random.Generator) -> int:
    """Return a move towards the nearest cell beside an unknown one.

    Source: Yamauchi (1997), "A frontier-based approach for autonomous exploration".
    """
    return _towards(observer, rng, observer.frontier())


@EXPLORERS.register("lookout")
def lookout(observer: Observer, rng: np.random.Generator) -> int:
    """Return a move towards the nearest unseen side of an object that is not confident yet.

    Where no such side is known, towards the frontier.
    """
    return _towards(observer, rng, observer.lookouts(), observer.frontier())


def _towards(observer: Observer, rng: np.random.Generator, *goals: Bools) -> int:
    """Return a move on a shortest way to the first goals that can be reached, else any move."""
    moves = np.flatnonzero(observer.open_moves())
    cells = [observer.neighbours()[move] for move in moves]
    for some in goals:
        some = some.copy()
        some[observer.cell] = False
        steps = np.array([observer.steps_to(some)[cell] for cell in cells])
        if np.isfinite(steps).any():
            return int(rng.choice(moves[steps == steps.min()]))
    return int(rng.choice(moves))
