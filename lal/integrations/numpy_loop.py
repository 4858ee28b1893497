"""The plain loop: nothing but arrays, a classifier and somebody who answers. The reference."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lal.arrays import Ints, Rows
from lal.integrations.asking import Asked, ask, labels_with_gaps, resolve
from lal.policies.query.request import Options
from lal.pool import n_rows

Answers = Callable[[Ints], Sequence[Any]]
"""Row numbers (n,) to their labels, n of them."""


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
        The rows in the order in which they were labelled, start included, and y as it then is:
        labels, None where there is none, shape (N,).
    """
    strategy = resolve(policy)
    options = Options(classes=classes, random_state=random_state)
    rows = [int(row) for row in start]
    y = labels_with_gaps(n_rows(X), rows, answers(np.array(rows, dtype=np.int64)))
    for _ in range(n_queries):
        chosen = ask(strategy, X, y, clf, options, batch_size=batch_size)
        for row, label in zip(chosen.tolist(), answers(chosen), strict=True):
            y[row] = label
            rows.append(row)
    return np.array(rows, dtype=np.int64), y
