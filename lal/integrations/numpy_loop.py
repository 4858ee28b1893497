"""The plain loop: nothing but arrays, a classifier and somebody who answers. The reference."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lal.arrays import Ints, Rows
from lal.data.hashing import is_missing
from lal.errors import DataError
from lal.integrations.asking import Asked, ask, resolve
from lal.policies.query.request import Options
from lal.pool import n_rows
from lal.state import Strategy

Answers = Callable[[Ints], Sequence[Any]]
"""Row numbers (n,) to their labels, n of them; None (or nan) for a row nobody can tell."""


def label_loop(
    policy: Asked,
    X: Rows,
    answers: Answers,
    clf: Any,
    *,
    start: Sequence[int],
    n_queries: int,
    batch_size: int = 1,
    classes: Sequence[Any] | None = None,
    random_state: int = 0,
) -> tuple[Ints, np.ndarray]:
    """Label a pool, one query after the other.

    A row whose answer is None or nan is not asked again: it costs its query, gets no label, and is
    not among the rows returned. The loop ends early when no other row is left.

    Args:
        policy: A policy, a strategy, the name of one, or the path of a policy file.
        X: Pool, N rows.
        answers: Gives the labels of rows.
        clf: scikit-learn classifier; clones of it are fitted.
        start: Rows that are labelled first, without a query.
        n_queries: Queries after the start.
        batch_size: Rows of one query.
        classes: All classes, when known.
        random_state: Seeds the learner and breaks ties.

    Returns:
        The rows that got a label, in the order in which they were labelled, start included, and y
        as it then is: labels, None where there is none, shape (N,).

    Raises:
        DataError: Fewer or more answers than rows.
    """
    strategy = resolve(policy)
    options = Options(classes=classes, random_state=random_state)
    asked = [int(row) for row in start]
    n = n_rows(X)
    y = np.full(n, None, dtype=object)
    _fill(y, asked, answers(np.array(asked, dtype=np.int64)))
    for _ in range(n_queries):
        unanswered = [row for row in asked if y[row] is None]
        wanted = min(batch_size, n - len(set(asked))) if unanswered else batch_size
        if wanted == 0:
            break
        chosen = _ask_others(strategy, (X, y, clf), options, wanted, unanswered)
        _fill(y, chosen.tolist(), answers(chosen))
        asked += chosen.tolist()
    return np.array([row for row in asked if y[row] is not None], dtype=np.int64), y


def _ask_others(
    strategy: Strategy,
    pool: tuple[Rows, np.ndarray, Any],
    options: Options,
    n: int,
    without: Sequence[int],
) -> Ints:
    """Return the next n rows, none of which is among those that nobody can tell."""
    X, y, clf = pool
    if without and n > 1 and hasattr(strategy, "select_batch"):
        # It chooses among all open rows; so many more that n remain.
        chosen: Ints = ask(strategy, X, y, clf, options, batch_size=n + len(without))
        return chosen[~np.isin(chosen, without)][:n]
    if without:
        others = np.setdiff1d([row for row, label in enumerate(y) if label is None], without)
        options = replace(options, candidates=others)
    rows: Ints = ask(strategy, X, y, clf, options, batch_size=n)
    return rows


def _fill(y: np.ndarray, rows: Sequence[int], given: Sequence[Any]) -> None:
    """Write labels down at their rows."""
    if len(given) != len(rows):
        raise DataError(f"{len(rows)} rows were asked for and {len(given)} answers came")
    for row, label in zip(rows, np.asarray(given, dtype=object).tolist(), strict=True):
        y[row] = None if is_missing(label) else label
