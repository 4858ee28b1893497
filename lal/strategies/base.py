"""STRATEGIES: hand-written rules by name; "prefix:Name" reaches other libraries."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import DataError, UsageError
from lal.registry import Registry
from lal.state import QueryState, Strategy

STRATEGIES: Registry[Callable[..., Strategy]] = Registry("strategy")
for _name, _where in {
    "random": "lal.strategies.random:RandomSampling",
    "margin": "lal.strategies.uncertainty:Margin",
    "least_confident": "lal.strategies.uncertainty:LeastConfident",
    "entropy": "lal.strategies.uncertainty:Entropy",
    "epsilon_margin": "lal.strategies.uncertainty:EpsilonMargin",
    "query_by_committee": "lal.strategies.committee:QueryByCommittee",
    "k_farthest_then_margin": "lal.strategies.farthest:FarthestThenMargin",
    "typiclust_then_margin": "lal.strategies.typiclust:TypiclustThenMargin",
    "albl": "lal.strategies.albl:ALBL",
}.items():
    STRATEGIES.add_lazy(_name, _where)
STRATEGIES.add_prefix("skactiveml", "lal.strategies.skactiveml:from_name")
for _prefix in ("modal", "alipy", "baal"):
    STRATEGIES.add_prefix(_prefix, f"lal.integrations.{_prefix}_strategies:from_name")


def make_strategy(name: str, **options: Any) -> Strategy:
    """Return the strategy called `name`, for example ``"margin"`` or ``"skactiveml:BatchBALD"``.

    Args:
        name: A name of the registry, or ``"prefix:Name"`` for another library's.
        **options: Passed to the strategy's constructor.
    """
    return STRATEGIES[name](**options)


def select_top(
    utilities: Floats, candidates: Ints, rng: np.random.Generator, batch_size: int = 1
) -> Ints:
    """Return the `batch_size` candidates of highest utility, best first; ties break by `rng`.

    Args:
        utilities: One finite number per row, shape (N,).
        candidates: Rows that may be asked.
        rng: The tie stream; drawn from exactly once, whatever the ties.
        batch_size: Number of rows to return.
    """
    if batch_size < 1:
        raise UsageError(f"batch_size must be at least 1, got {batch_size}")
    if batch_size > len(candidates):
        raise UsageError(
            f"batch_size {batch_size} is more than the {len(candidates)} rows that may be asked"
        )
    keys = rng.random(len(utilities))
    values = utilities[candidates]
    if not (np.isfinite(values.max()) and np.isfinite(values.min())):
        raise DataError(f"{(~np.isfinite(values)).sum()} utilities are not finite numbers")
    few = np.arange(len(values))
    if len(values) > batch_size:  # sort no more than those that may come first
        last = values.max() if batch_size == 1 else np.partition(values, -batch_size)[-batch_size]
        few = np.flatnonzero(values >= last)
    order = np.lexsort((keys[candidates[few]], -values[few]))
    return candidates[few[order[:batch_size]]]


def select(
    strategy: Strategy,
    state: QueryState,
    rng: np.random.Generator,
    ties: np.random.Generator,
    batch_size: int = 1,
) -> Ints:
    """Return the open rows that the strategy asks for, best first, shape (batch_size,).

    A strategy that chooses whole batches has ``select_batch(state, rng, ties, batch_size)``.
    """
    choose = getattr(strategy, "select_batch", None)
    if choose is not None and batch_size > 1:
        picked: Ints = choose(state, rng, ties, batch_size)
        return picked
    return select_top(strategy.utilities(state, rng), state.open, ties, batch_size)


class EpisodeStart(NamedTuple):
    """What a strategy with memory is told before an episode.

    Attributes:
        n_rows: Rows of the pool.
        n_queries: Labels that will be acquired after the start; None when unknown.
    """

    n_rows: int
    n_queries: int | None


class Observed(NamedTuple):
    """What a strategy with memory acts on: the state, and the generator of its draws."""

    state: QueryState
    rng: np.random.Generator


class Acted(NamedTuple):
    """What a strategy with memory learns from: its last action, and the state that it led to."""

    action: Any
    state: QueryState


class StatefulStrategyAdapter:
    """A strategy with its memory of one episode, as a strategy without.

    Such a strategy has the protocol of `lal.policies.kinds`: ``start(EpisodeStart) -> memory``,
    ``act(memory, Observed) -> action``, which has a ``row``, and ``update(memory, Acted) ->
    memory``. It requests one row at a time.
    """

    def __init__(self, strategy: Any, info: EpisodeStart) -> None:
        self.strategy = strategy
        self.memory = strategy.start(info)
        self.action: Any = None

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return 1 for the row of the action and 0 for all others, shape (N,)."""
        if self.action is not None:
            self.memory = self.strategy.update(self.memory, Acted(self.action, state))
        self.action = self.strategy.act(self.memory, Observed(state, rng))
        utilities = np.zeros(state.N)
        utilities[self.action.row] = 1.0
        return utilities

    def select_batch(
        self,
        state: QueryState,
        rng: np.random.Generator,
        ties: np.random.Generator,
        batch_size: int,
    ) -> Ints:
        """Refuse: the memory learns from one label at a time."""
        raise UsageError(
            f"{type(self.strategy).__name__} asks one row at a time, got batch_size {batch_size}"
        )


def with_memory(strategy: Strategy, info: EpisodeStart) -> Strategy:
    """Return what plays one episode: the strategy, or it with a fresh memory if it has one."""
    return StatefulStrategyAdapter(strategy, info) if hasattr(strategy, "start") else strategy
