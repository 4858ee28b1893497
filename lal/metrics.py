"""METRICS: what is measured at every point of a curve, by kind of task; higher is better."""

from collections.abc import Callable, Mapping

import numpy as np

from lal.arrays import Floats, Ints, Labels
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


def class_ious(y: Labels, proba: Floats) -> Floats:
    """Return the intersection over union of every class among the truth, shape (classes,).

    A pixel's class is the likeliest one. Classes without a pixel in the truth are left out.
    """
    said, n = np.argmax(proba, axis=1), proba.shape[1]
    counts = np.bincount(y * n + said, minlength=n * n).reshape(n, n)
    true = counts.sum(axis=1)
    union = true + counts.sum(axis=0) - counts.diagonal()
    ious: Floats = counts.diagonal()[true > 0] / union[true > 0]
    return ious


def mean_iou(y: Labels, proba: Floats) -> float:
    """Return the mean intersection over union of the classes among the truth."""
    return float(class_ious(y, proba).mean())


def rare_iou(y: Labels, proba: Floats) -> float:
    """Return the intersection over union of the rarest class among the truth."""
    counts = np.bincount(y)
    return float(class_ious(y, proba)[np.argmin(counts[counts > 0])])


def group_accuracies(y: Labels, proba: Floats, groups: Ints) -> Floats:
    """Return the accuracy within each group, in the order of their codes, shape (G,)."""
    hit = np.argmax(proba, axis=1) == y
    return np.array([hit[groups == g].mean() for g in np.unique(groups)])


def parity_gap(y: Labels, proba: Floats, groups: Ints) -> float:
    """Return the mean over predicted classes of the groups' largest difference in precision.

    0 is predictive parity: a prediction is as likely to be right whatever the group. Classes that
    are predicted in fewer than two groups say nothing; without any other, it is 0.
    """
    codes = np.argmax(proba, axis=1)
    gaps = []
    for code in np.unique(codes):
        told = codes == code
        right = [(y[told & (groups == g)] == code).mean() for g in np.unique(groups[told])]
        if len(right) > 1:
            gaps.append(max(right) - min(right))
    return float(np.mean(gaps)) if gaps else 0.0


def group_metrics(groups: Ints) -> Mapping[str, Metric]:
    """Return what is measured of rows in groups: of the worst group, and minus two gaps.

    Args:
        groups: Group of every row that the metrics are given, shape (n,).
    """
    return {
        "worst_group_accuracy": lambda y, proba: float(group_accuracies(y, proba, groups).min()),
        "neg_group_gap": lambda y, proba: -float(np.ptp(group_accuracies(y, proba, groups))),
        "neg_parity_gap": lambda y, proba: -parity_gap(y, proba, groups),
    }


def with_group_metrics(metrics: Mapping[str, Metric], groups: Ints | None) -> Mapping[str, Metric]:
    """Return metrics with those of groups, where the rows have any."""
    return metrics if groups is None else {**metrics, **group_metrics(groups)}


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
"""Metrics by what a label is; the first of each is the headline of environments."""


REGION_METRICS: Mapping[str, Metric] = {"mean_iou": mean_iou, **METRICS, "rare_iou": rare_iou}
"""Metrics of regions; those of classification are of pixels there."""


def task_metrics(kind: TaskKind, *, of_pixels: bool) -> Mapping[str, Metric]:
    """Return what is measured of a task; the first one is its headline.

    Args:
        kind: What a label is.
        of_pixels: Rows are regions, answered pixel by pixel.
    """
    return REGION_METRICS if of_pixels else METRICS_OF_KIND[kind]


def find_metrics(names: tuple[str, ...]) -> Mapping[str, Metric]:
    """Return metrics by name."""
    every = {**REGION_METRICS, **REGRESSION_METRICS}
    return {name: every[name] for name in names}
