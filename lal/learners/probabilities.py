"""From what a classifier answers to probabilities over all classes of the task."""

from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import DataError, LalError, UsageError, quoted

DECISION_SLOPE = 2.0
"""Slope of the fixed logistic: a support vector at margin 1 gets probability 0.88."""

TOLERANCE = 1e-3
"""How far the sum of a row of probabilities may be from 1."""


def spread(narrow: Floats, columns: Ints, n_classes: int) -> Floats:
    """Return probabilities over all classes, zero for the classes that were not fitted.

    Args:
        narrow: Probabilities of the fitted classes, shape (..., S).
        columns: Class code of each of them, shape (S,).
        n_classes: C, classes of the task.

    Returns:
        Shape (..., C), rows summing to one. A row without a finite probability (naive Bayes with
        all-equal rows has none) is uniform over the fitted classes.
    """
    total = row_sums(narrow)
    complete = len(columns) == n_classes and (columns == np.arange(n_classes)).all()
    if complete and total.size and total.min() > 0.0 and total.max() < np.inf:
        all_there: Floats = narrow / total  # the usual case, in the fewest passes
        return all_there
    usable = np.isfinite(total) & (total > 0)
    share = np.where(usable, narrow, 1.0) / np.where(usable, total, narrow.shape[-1])
    full = np.zeros((*narrow.shape[:-1], n_classes))
    full[..., columns] = share
    return full


def row_sums(narrow: Floats) -> Floats:
    """Return the sums along the last axis, which is kept: column by column where these are few."""
    if not 0 < narrow.shape[-1] < 8:  # numpy adds in another order then, and fast enough
        summed: Floats = narrow.sum(axis=-1, keepdims=True)
        return summed
    total: Floats = narrow[..., :1].copy()
    for column in range(1, narrow.shape[-1]):
        total += narrow[..., column : column + 1]
    return total


def decision_to_proba(decision: Floats, slope: float = DECISION_SLOPE) -> Floats:
    """Return probabilities from decision values through one fixed logistic.

    Two classes: ``p1 = 1 / (1 + exp(-slope * d))``. More: the same logistic for each class against
    the rest, normalised to one (Zadrozny & Elkan, 2002, without the fitted calibration: an inner
    cross-validation is impossible with a handful of labels).

    Args:
        decision: Shape (n,) for two classes, (n, S) for S one-vs-rest values.
        slope: Slope of the logistic.

    Returns:
        Shape (n, 2) or (n, S), rows summing to one.
    """
    values = np.asarray(decision, dtype=np.float64)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    with np.errstate(over="ignore"):
        one = 1.0 / (1.0 + np.exp(-slope * values))
    if one.ndim == 1:
        return np.stack([1.0 - one, one], axis=1)
    # The floor keeps a row that every class refuses by far from dividing zero by zero.
    one = np.maximum(one, 1e-12)
    normalised: Floats = one / one.sum(axis=1, keepdims=True)
    return normalised


def estimator_proba(estimator: Any, X: Rows, n_known: int) -> Floats:
    """Return the probabilities of the classes a fitted estimator knows, shape (n, S).

    Args:
        estimator: A fitted classifier.
        X: Rows.
        n_known: S, the classes it was fitted to or says that it knows.

    Raises:
        UsageError: The estimator has neither ``predict_proba`` nor ``decision_function``.
        DataError: The estimator fails, or its answer is not a table of probabilities.
    """
    name = type(estimator).__name__
    if not (hasattr(estimator, "predict_proba") or hasattr(estimator, "decision_function")):
        raise UsageError(
            f"{name} has neither predict_proba nor decision_function; expected a classifier with "
            "one of them"
        )
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            if hasattr(estimator, "predict_proba"):
                proba = np.asarray(estimator.predict_proba(X), dtype=np.float64)
            else:
                proba = decision_to_proba(estimator.decision_function(X))
    except LalError:
        raise
    except Exception as error:  # whatever a stranger's code raises, the caller gets one sentence
        raise DataError(
            f"{name} gives no probabilities for the rows of X: {quoted(error)}"
        ) from error
    if proba.ndim != 2 or proba.shape[1] != n_known:
        raise DataError(
            f"{name} gave probabilities of shape {proba.shape} for {n_known} classes; expected "
            f"(n, {n_known})"
        )
    _check_rows(proba, name)
    return proba


def _check_rows(proba: Floats, name: str) -> None:
    """Refuse rows that are not probabilities, except those without a single finite number."""
    total = row_sums(proba)
    if not np.isfinite(total).all():
        silent = np.isnan(proba).all(axis=1)
        proba, total = proba[~silent], total[~silent]
    if not total.size:
        return
    off = max(float(total.max()) - 1.0, 1.0 - float(total.min()))
    if not np.isfinite(off) or float(proba.min()) < 0.0:
        raise DataError(
            f"{name} gave probabilities that are negative or not finite (logits or "
            "log-probabilities?); probabilities must be finite and not negative"
        )
    if off > TOLERANCE:
        raise DataError(
            f"{name} gave probabilities that do not sum to 1 (one row is off by {off:.3g}); "
            "probabilities must sum to 1 in every row"
        )
