"""ALiPy's strategies as ours: ``make_strategy("alipy:QueryInstanceUncertainty")``.

They are given the encoded rows Z, known probabilities, and labels of labelled rows only: ALiPy
hands its strategies the true labels of all rows, so those of the others are blanked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.integrations.alipy import load
from lal.integrations.named import pick
from lal.state import QueryState
from lal.strategies.base import select_top
from lal.strategies.committee import committee_proba


@dataclass(frozen=True, eq=False)
class _Question:
    """What a strategy of ALiPy is asked: the state, rows that may be asked, and how many."""

    state: QueryState
    rows: Ints
    size: int
    rng: np.random.Generator

    @property
    def proba(self) -> Floats:
        proba: Floats = np.asarray(self.state.proba)[self.rows]
        return proba


def _uncertainty(kind: Any, asked: _Question) -> Any:
    return kind.select_by_prediction_mat(asked.rows, asked.proba, batch_size=asked.size)


def _committee(kind: Any, asked: _Question) -> Any:
    members = committee_proba(asked.state, asked.rng, 8)[:, asked.rows]
    shown = members if kind._disagreement == "KL_divergence" else np.argmax(members, axis=2)
    return kind.select_by_prediction_mat(asked.rows, list(shown), batch_size=asked.size)


def _weighted(kind: Any, asked: _Question) -> Any:
    return kind.select(
        asked.state.labelled, asked.rows, batch_size=asked.size, proba_prediction=asked.proba
    )


def _core_set(kind: Any, asked: _Question) -> Any:
    return kind.select(asked.state.labelled, asked.rows, batch_size=asked.size)


OFFERED: dict[str, tuple[Callable[..., Any], bool]] = {
    "QueryInstanceUncertainty": (_uncertainty, False),
    "QueryInstanceQBC": (_committee, False),
    "QueryInstanceDensityWeighted": (_weighted, False),
    "QueryInstanceCoresetGreedy": (_core_set, True),
}
"""Strategy to how it is asked, and whether its constructor takes the rows of the pool."""

_SOLVER = "it needs cvxpy with the ECOS solver, and two classes; use 'skactiveml:MaxHerding'"
REFUSED = {
    "QueryInstanceLAL": "it tries to download its training data when it is built, and knows two "
    "classes only; a trained policy of ours does the same job",
    "QueryInstanceRandom": "it draws from the global generators; 'random' does the same",
    "QueryRandom": "it draws from the global generators; 'random' does the same",
    "QueryInstanceGraphDensity": "it remembers what it asked, so it is not a function of the "
    "pool as it stands; use 'skactiveml:TypiClust'",
    "QueryInstanceQUIRE": "it inverts an N x N matrix for every query; use 'skactiveml:Quire'",
    "QueryExpectedErrorReduction": "it takes the logarithm of probabilities that may be 0; use "
    "'skactiveml:MonteCarloEER'",
    "QueryInstanceBMDR": _SOLVER,
    "QueryInstanceSPAL": _SOLVER,
}


def from_name(name: str) -> Callable[..., "AlipyStrategy"]:
    """Return the constructor of the strategy that wraps ALiPy's.

    Raises:
        UnknownNameError: ALiPy has no such strategy, or it is not offered; says why.
        MissingDependencyError: ALiPy is not installed.
    """
    pick("alipy", name, OFFERED, REFUSED)
    return partial(AlipyStrategy, name)


class AlipyStrategy:
    """A strategy of ALiPy behind our contract.

    Args:
        name: Class name in ``alipy.query_strategy``.
        **options: Passed to its constructor.
    """

    def __init__(self, name: str, **options: Any) -> None:
        self.name, self.options = name, options
        pick("alipy", name, OFFERED, REFUSED)
        load("alipy.query_strategy")

    def __repr__(self) -> str:
        """Return the name and the options."""
        return f"AlipyStrategy({self.name!r}, **{self.options!r})"

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return 1 for the row that ALiPy chooses, 0 elsewhere, shape (N,): it tells no more.

        All equal before two classes are seen.
        """
        utilities = np.zeros(state.N)
        if state.proba is not None:
            utilities[self._ask(state, rng, 1)] = 1.0
        return utilities

    def select_batch(
        self,
        state: QueryState,
        rng: np.random.Generator,
        ties: np.random.Generator,
        batch_size: int,
    ) -> Ints:
        """Return the batch that ALiPy chooses, shape (batch_size,)."""
        if state.proba is None:
            return select_top(np.zeros(state.N), state.open, ties, batch_size)
        if batch_size > len(state.open):
            raise UsageError(
                f"batch_size {batch_size} is more than the {len(state.open)} rows that may be asked"
            )
        return self._ask(state, rng, batch_size)

    def _ask(self, state: QueryState, rng: np.random.Generator, size: int) -> Ints:
        ask, whole_pool = OFFERED[self.name]
        y = np.zeros(state.N, dtype=np.int64)
        y[state.labelled] = state.labels
        # ALiPy breaks ties by position; in a drawn order they follow the strategy's stream.
        order = rng.permutation(state.N)
        rows = {"train_idx": order} if whole_pool else {}
        make = getattr(load("alipy.query_strategy"), self.name)
        asked = _Question(state, order[np.isin(order, state.open)], size, rng)
        chosen = ask(make(state.Z, y, **rows, **self.options), asked)
        return np.asarray(chosen, dtype=np.int64)
