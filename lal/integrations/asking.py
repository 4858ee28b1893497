"""What all hosts share: finding the strategy that is meant, and asking it which rows come next."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from lal.arrays import Rows
from lal.errors import UnknownNameError, UsageError
from lal.policies.kinds import list_policies, load_as
from lal.policies.pool_policy import PoolPolicy
from lal.policies.query.request import Options, answer, read_request
from lal.state import Strategy
from lal.strategies.base import STRATEGIES, choose_batch, make_batch, make_strategy, select
from lal.strategies.selection import Picks

Asked = PoolPolicy | Strategy | str | Path
"""A policy, a strategy, the name of one, or the path of a policy file."""


def resolve(asked: Asked, *, missing_label: Any = float("nan")) -> Strategy:
    """Return the policy or strategy that is meant.

    Args:
        asked: A policy or a strategy (returned as it is), a path that ends in .safetensors, the
            name of a shipped policy, or the name of a strategy; policies win over strategies.
        missing_label: What stands for a missing label in a policy's `query`.

    Raises:
        UnknownNameError: Neither a policy nor a strategy has the name.
        PolicyFileError: The file cannot be loaded.
        UsageError: Something else was passed.
    """
    if isinstance(asked, str | Path):
        asked = _by_name(asked)
    if isinstance(asked, PoolPolicy):
        same = asked.missing_label is missing_label or _both_nan(asked.missing_label, missing_label)
        return asked if same else replace(asked, missing_label=missing_label)
    if hasattr(asked, "utilities") and not isinstance(asked, type):
        return asked
    raise UsageError(
        f"expected a policy, a strategy, the name of one or a path, got {type(asked).__name__}"
    )


def _by_name(asked: str | Path) -> Strategy:
    name = str(asked)
    shipped = list_policies(PoolPolicy.kind)
    if isinstance(asked, Path) or name.endswith(".safetensors") or name in shipped:
        return load_as(PoolPolicy, asked)
    if name in STRATEGIES or ":" in name:
        return make_strategy(name)
    raise UnknownNameError(
        f"no policy or strategy is called {name!r}; policies: {', '.join(shipped)}; strategies: "
        f"{', '.join(STRATEGIES.names())}; a policy file's name ends in .safetensors"
    )


def _both_nan(one: Any, other: Any) -> bool:
    return all(isinstance(v, float) and np.isnan(v) for v in (one, other))


def ask(
    strategy: Strategy,
    X: Rows,
    y: Any,
    clf: Any,
    options: Options,
    *,
    batch_size: int = 1,
    return_utilities: bool = False,
) -> Any:
    """Return what `PoolPolicy.query` returns, for any strategy.

    Args:
        strategy: What ranks the rows; a policy must have been resolved with the same missing label.
        X: Pool, N rows.
        y: Labels, missing ones as nan, None or the options' missing label, shape (N,).
        clf: A classifier, or None with probabilities in the options.
        options: Everything else that `query` takes.
        batch_size: Rows to choose.
        return_utilities: Also return the utilities, shape (batch_size, n).

    Raises:
        DataError: Samples or labels that cannot be used.
        UsageError: Arguments that contradict each other, or a strategy that chooses whole batches
            and is asked for one among part of the open rows.
    """
    if isinstance(strategy, PoolPolicy):
        given = {f.name: getattr(options, f.name) for f in fields(options)}
        del given["missing_label"]
        return strategy.query(
            X, y, clf, batch_size=batch_size, return_utilities=return_utilities, **given
        )
    request = read_request(X, y, clf, options)
    state, (rng, ties) = request.state, request.pair
    batch = make_batch(strategy, state, rng, request.rows, batch_size)
    if hasattr(strategy, "select_batch") and batch_size > 1:
        chosen = select(strategy, state, rng, ties, batch_size, rows=request.rows)
        picks = Picks(chosen, [batch.utilities])
    else:
        picks = choose_batch(strategy, batch, request.pair)
    return answer(request, picks, batch.rows) if return_utilities else request.index(picks.rows)


def labels_with_gaps(n: int, labelled: Any, labels: Any) -> np.ndarray:
    """Return y as `query` takes it: the labels at their rows, None elsewhere, shape (n,)."""
    y = np.full(n, None, dtype=object)
    y[np.asarray(labelled, dtype=np.int64)] = np.asarray(labels).tolist()
    return y
