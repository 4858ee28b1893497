"""A strategy out of a Python file of yours: ``mine.py:name``, a class or a plain function."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.registry import import_attribute
from lal.state import QueryState, Strategy


class FunctionStrategy:
    """A function of the state and a generator as a strategy.

    Args:
        function: Called with the state, the strategy's generator and the options; returns a
            utility for every row of the pool, shape (N,).
        name: What it is called in messages.
        options: Further keyword arguments.
    """

    def __init__(self, function: Callable[..., Any], name: str, options: dict[str, Any]) -> None:
        self.function, self.name, self.options = function, name, options

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return what the function says of the rows, shape (N,).

        Raises:
            UsageError: It is not a number for every row.
        """
        found: Floats = np.asarray(self.function(state, rng, **self.options), dtype=np.float64)
        if found.shape != (len(state.X),):
            raise UsageError(
                f"{self.name} must return a utility for every row, shape ({len(state.X)},), got "
                f"shape {found.shape}"
            )
        return found


def strategy_from_file(spec: str, **options: Any) -> Strategy:
    """Return the strategy in a Python file; the file is executed.

    Args:
        spec: ``"FILE.py:name"``; a class is called with the options, and what it makes has
            ``utilities(state, rng)``; a function is called as ``name(state, rng, **options)``.
        **options: Of the class or the function.

    Raises:
        UsageError: No such file or name, or what it makes cannot rank rows.
    """
    found = import_attribute(spec)
    if not inspect.isclass(found) and callable(found):
        return FunctionStrategy(found, spec, options)
    made: Any = found(**options) if inspect.isclass(found) else found
    if not callable(getattr(made, "utilities", None)):
        raise UsageError(
            f"{spec!r} has no utilities(state, rng), which returns a number for every row; see "
            "docs/extend/strategy.md"
        )
    strategy: Strategy = made
    return strategy
