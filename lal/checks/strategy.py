"""Check a strategy: shape, purity, seeding, row order, batches, pickling."""

import copy
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from lal.checks.states import (
    CLOSE,
    globals_untouched,
    make_rng,
    require,
    sample_regression_state,
    sample_state,
    shuffled,
    states,
)
from lal.errors import CheckError
from lal.state import QueryState, Strategy
from lal.strategies.base import make_strategy, select
from lal.task_kind import REGRESSION, served_kinds


def check_strategy(strategy: Strategy | str, learner: str = "logistic_regression") -> None:
    """Check a strategy: shape, purity, seeding, row order, batches, pickling.

    Args:
        strategy: A strategy, or a name of the registry.
        learner: Name of a learner that can give what the strategy needs.

    Raises:
        CheckError: The first sentence of the contract that is broken.
    """
    for _, check in strategy_checks(strategy, learner):
        check()


def strategy_checks(
    strategy: Strategy | str, learner: str = "logistic_regression"
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Return the checks of `check_strategy` one by one, each with what it tries.

    Args:
        strategy: A strategy, or a name of the registry.
        learner: Name of a learner that can give what the strategy needs.

    Raises:
        CheckError: It has no `utilities`.
    """
    name = strategy if isinstance(strategy, str) else type(strategy).__name__
    made = make_strategy(strategy) if isinstance(strategy, str) else strategy
    require(hasattr(made, "utilities"), f"{name} has no method utilities(state, rng)")
    kinds = served_kinds(made)
    for title, state in states(kinds, learner):
        where = f"{name} ({title})"
        yield f"utilities, {title}", partial(_check_utilities, made, state, where)
        yield f"batch, {title}", partial(_check_choice, made, state, where)
    for kind in kinds:
        example = sample_regression_state() if kind == REGRESSION else sample_state(learner=learner)
        yield f"order of rows, {kind}", partial(_check_order, made, example, name)


def _check_utilities(strategy: Strategy, state: QueryState, name: str) -> None:
    before = [None if v is None else v.copy() for v in _held(state)]
    with globals_untouched(name):
        first = np.asarray(strategy.utilities(state, make_rng()))
    require(first.shape == (state.N,), f"{name} gives shape {first.shape}, not {(state.N,)}")
    require(bool(np.isfinite(first).all()), f"{name} gives utilities that are not finite")
    for old, new in zip(before, _held(state), strict=True):
        same = old is None or np.array_equal(old, new)
        require(same, f"{name} changes the state that it is shown")
    again = strategy.utilities(state, make_rng())
    require(np.array_equal(first, again), f"{name} answers differently when asked again")
    copied = copy.deepcopy(strategy).utilities(state, make_rng())
    require(np.array_equal(first, copied), f"a copy of {name} answers differently")
    try:
        restored = pickle.loads(pickle.dumps(strategy))
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise CheckError(
            f"{name} cannot be pickled, so it cannot run in workers: {error}"
        ) from None
    again = restored.utilities(state, make_rng())
    require(np.array_equal(first, again), f"{name} answers differently after pickling")


def _held(state: QueryState) -> list[Any]:
    answer = None
    if state.model is not None:
        number = state.kind == REGRESSION
        answer = state.model.predict(state.X) if number else state.model.predict_proba(state.X)
    return [state.X, state.Z, state.labelled, state.labels, state.proba, state.prediction, answer]


def _check_choice(strategy: Strategy, state: QueryState, name: str) -> None:
    for size in (1, 5):
        chosen = select(strategy, state, make_rng(), make_rng(1), size)
        require(len(chosen) == size, f"{name} chooses {len(chosen)} rows when asked for {size}")
        require(len(set(chosen.tolist())) == size, f"{name} chooses a row twice in a batch")
        open_rows = set(state.open.tolist())
        require(set(chosen.tolist()) <= open_rows, f"{name} chooses a row that has a label")


def _check_order(strategy: Strategy, state: QueryState, name: str) -> None:
    """Strategies that draw random numbers are excused: their draws follow the rows."""
    first = strategy.utilities(state, make_rng())
    if not np.array_equal(first, strategy.utilities(state, make_rng(9))):
        return
    other, order = shuffled(state)
    moved = strategy.utilities(other, make_rng())
    require(np.allclose(moved, first[order], atol=CLOSE), f"{name} depends on the order of rows")
