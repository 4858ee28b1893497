"""Hand-written rules on the compiled panel: ranked for all episodes at once, or state by state."""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from lal.arrays import Floats
from lal.data.view import make_geometry
from lal.errors import UsageError
from lal.evaluation.runs.methods import parse_method
from lal.rng import generator
from lal.state import Geometry, QueryState, Strategy
from lal.task import Part

Ranker = Callable[[Any], Floats]
"""What every episode's offered rows are ranked by, from a simulator: shape (E, K)."""

RULES = (
    "k_farthest_then_margin?k=5",
    "k_farthest_then_margin?k=10",
    "epsilon_margin",
    "typiclust_then_margin",
)
"""Rules that a panel can also play beside margin and random, options as in `parse_method`."""


def margin(simulator: Any) -> Floats:
    """Rank by the margin of the two most probable classes, the smallest first."""
    doubt: Floats = -_column(simulator, "margin@1")
    return doubt


def chance(simulator: Any) -> Floats:
    """Rank at random."""
    rng = generator(7, "chance", int(simulator.n_labelled.sum()))
    drawn: Floats = rng.random(simulator.slates.shape)
    return drawn


def rule(spec: str) -> Ranker:
    """Return the ranker of a rule, for example ``"epsilon_margin?epsilon=0.1"``.

    Raises:
        UsageError: A rule that asks a fitted model, which the compiled simulator does not hand out.
    """
    method = parse_method(spec)
    name = method.spec
    if name == "margin":
        return margin
    if name == "random":
        return chance
    strategy: Any = method.make()
    if name == "epsilon_margin":
        return _epsilon(strategy.epsilon)
    if name == "k_farthest_then_margin":
        return _explore_first(strategy, by_distance)
    if name == "typiclust_then_margin":
        return _explore_first(strategy, _by_state(strategy))
    raise UsageError(
        f"the panel cannot play {name!r}; it plays margin, random and {', '.join(RULES)}. Use "
        "python -m scripts.evaluate for the others"
    )


def by_distance(simulator: Any) -> Floats:
    """Rank by the distance to the nearest labelled row, the farthest first."""
    return _column(simulator, "min_distance@1")


def _epsilon(epsilon: float) -> Ranker:
    def rank(simulator: Any) -> Floats:
        rng = generator(7, "epsilon", int(simulator.n_labelled.sum()))
        exploring = rng.random((len(simulator.slates), 1)) < epsilon
        drawn = rng.random(simulator.slates.shape)
        return np.where(exploring, drawn, margin(simulator))

    return rank


def _explore_first(strategy: Any, explore: Ranker) -> Ranker:
    """Rank by `explore` until as many labels as the strategy explores for, by margin after."""
    from lal.strategies.farthest import exploration_labels

    def rank(simulator: Any) -> Floats:
        seen = [len(np.unique(_labels(simulator, e))) for e in range(len(simulator.slates))]
        limits = np.array([exploration_labels(strategy.k, n) for n in seen])
        early = simulator.n_labelled < limits
        found = margin(simulator)
        if early.any():
            found = np.where(early[:, None], explore(simulator), found)
        return found

    return rank


def _by_state(strategy: Strategy) -> Ranker:
    """Return a ranker that asks the strategy itself, state by state; only for early states."""
    geometries: WeakKeyDictionary[Part, Geometry] = WeakKeyDictionary()

    def rank(simulator: Any) -> Floats:
        found = np.zeros(simulator.slates.shape)
        for e, slate in enumerate(simulator.slates):
            pool = simulator.tasks[simulator.task_numbers[e]].pool
            if pool not in geometries:
                geometries[pool] = make_geometry(pool.X)
            state = _state(simulator, e, geometries[pool])
            rng = generator(7, "state", e, len(state.labelled))
            found[e] = strategy.utilities(state, rng)[slate]
        return found

    return rank


def _state(simulator: Any, episode: int, geometry: Geometry) -> QueryState:
    """Return what a rule that needs no model sees of an episode."""
    task = simulator.tasks[simulator.task_numbers[episode]]
    labelled = np.sort(simulator.labelled_rows(episode))
    seen, codes = np.unique(task.pool.y[labelled], return_inverse=True)
    return QueryState(
        X=task.pool.X,
        geometry=geometry,
        labelled=labelled,
        labels=codes,
        n_classes=len(seen),
        classes_known=False,
        proba=None,
    )


def _labels(simulator: Any, episode: int) -> Any:
    task = simulator.tasks[simulator.task_numbers[episode]]
    return task.pool.y[simulator.labelled_rows(episode)]


def _column(simulator: Any, name: str) -> Floats:
    column: Floats = simulator.observations.candidates[
        :, :, simulator.candidate_features.index(name)
    ].astype(np.float64)
    return column
