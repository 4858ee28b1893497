"""METRICS: what is measured at every point of a curve, by kind of task; higher is better."""

from collections.abc import Callable, Mapping

import numpy as np

from lal.arrays import Floats, Labels
from lal.task_kind import CLASSIFICATION, REGRESSION, TaskKind

Metric = Callable[[Labels, Floats], float]
"""True labels (n,) and what the model says of the rows to a number, higher is better: probabilities
(n, C) in classification, predictions (n,) in regression."""


def accuracy(y: Labels, proba: Floats) -> float:
    """Return the share of rows whose likeliest class is the true one."""
    return float(np.mean(np.argmax(proba, axis=1) == y))


def balanced_accuracy(y: Labels, proba: Floats) -> float:
    """Return the mean over the classes present of the share predicted right."""
    hit = np.argmax(proba, axis=1) == y
    return float(np.mean([hit[y == c].mean() for c in np.unique(y)]))


def log_likelihood(y: Labels, proba: Floats) -> float:
    """Return the mean log-probability of the true class, floored at log 1e-15 per row."""
    return float(np.mean(np.log(np.maximum(proba[np.arange(len(y)), y], 1e-15))))


def rmse(y: Labels, prediction: Floats) -> float:
    """Return the root mean square error; lower is better, so no metric of a curve."""
    return float(np.sqrt(np.mean((np.asarray(y, dtype=np.float64) - prediction) ** 2)))


def neg_rmse(y: Labels, prediction: Floats) -> float:
    """Return minus the root mean square error, in units of y (scikit-learn's sign)."""
    return -rmse(y, prediction)


def rmse_skill(y: Labels, prediction: Floats) -> float:
    """Return 1 minus the RMSE over the standard deviation of y.

    0 is what a constant at the mean of y scores, 1 a perfect prediction. The same for y in metres
    and in feet, so data sets can be averaged.
    """
    return 1.0 - rmse(y, prediction) / max(float(np.std(y)), 1e-12)


def r2(y: Labels, prediction: Floats) -> float:
    """Return the coefficient of determination: 1 minus MSE over the variance of y."""
    return 1.0 - (1.0 - rmse_skill(y, prediction)) ** 2


METRICS: Mapping[str, Metric] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "log_likelihood": log_likelihood,
}
"""Metrics of classification."""

REGRESSION_METRICS: Mapping[str, Metric] = {
    "rmse_skill": rmse_skill,
    "neg_rmse": neg_rmse,
    "r2": r2,
}
"""Metrics of regression."""

METRICS_OF_KIND: Mapping[TaskKind, Mapping[str, Metric]] = {
    CLASSIFICATION: METRICS,
    REGRESSION: REGRESSION_METRICS,
}
"""All metrics, by what a label is; the first of each is the headline of environments."""


def find_metrics(names: tuple[str, ...]) -> Mapping[str, Metric]:
    """Return metrics of either kind by name."""
    every = {**METRICS, **REGRESSION_METRICS}
    return {name: every[name] for name in names}
