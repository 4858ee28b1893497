"""Reading a query of a regression: numbers with missing ones, and a regressor."""

import contextlib
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import DataError, UsageError
from lal.learners import make_learner
from lal.learners.regression import wrap_fitted_regressor
from lal.policies.query.labels import HINT, find_missing, label_column
from lal.pool import take
from lal.task import Learner, Model
from lal.task_kind import REGRESSION


def read_numbers(y: Any, n: int, missing_label: Any) -> tuple[Ints, Floats]:
    """Return the labelled rows in row order and their numbers, each of shape (L,).

    Args:
        y: Numbers with missing ones (nan, None or `missing_label`), one per row.
        n: Rows of the pool.
        missing_label: What stands for a missing label besides None and nan.

    Raises:
        DataError: Wrong length or shape, texts, or numbers that are not finite.
    """
    values = label_column(y, n)
    rows = np.flatnonzero(~find_missing(y, values, missing_label))
    held = values[rows]
    numbers: Floats = np.full(len(held), np.nan)
    if held.dtype.kind not in "USmMc":  # texts of digits, times and complex ones are no numbers
        with contextlib.suppress(TypeError, ValueError):
            numbers = held.astype(np.float64)
    odd = held[~np.isfinite(numbers)]
    if len(odd):
        raise DataError(
            f"y holds {odd[0]!r}, which is not a finite number, as a regression needs; {HINT}"
        )
    return rows, numbers


def fitted_regressor(
    X: Rows,
    labelled: tuple[Ints, Floats],
    reg: Any,
    seed: int,
    *,
    fit: bool = True,
    sample_weight: Floats | None = None,
) -> tuple[Model | None, Learner | None]:
    """Return the fitted model and what refits it, each None where there is none.

    Args:
        X: Pool.
        labelled: Labelled rows and their numbers.
        reg: The caller's regressor.
        seed: Of the fit.
        fit: False uses the regressor as it is.
        sample_weight: Weights of the labelled rows, shape (L,), or None.

    Raises:
        UsageError: Labels without a regressor.
    """
    rows, numbers = labelled
    if reg is None:
        if len(rows):
            raise UsageError(f"y shows {len(rows)} numbers but no model; give a regressor in clf=")
        return None, None
    if not fit:
        return wrap_fitted_regressor(reg, take(X, rows), numbers), None
    learner = make_learner(reg, task=REGRESSION)
    if not len(rows):
        return None, learner
    fitted = learner.fit(
        take(X, rows), numbers, n_classes=0, sample_weight=sample_weight, seed=seed
    )
    return fitted, learner
