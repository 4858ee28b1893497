"""Rules that look at how sure the model is of the rows without a label."""

from collections.abc import Callable

import numpy as np

from lal.arrays import Floats
from lal.labelling.stopping.base import Advice, Checkpoints, Labels, check_threshold

WINDOW = 3
"""Models that confidence is averaged over, so that one lucky model stops nothing; ours."""


def overall_uncertainty(proba: Floats) -> float:
    """Return the mean entropy of rows, in shares of the most there can be, in [0, 1].

    ``OU = 1 / |U| * sum_x H(P(y | x)) / log C``. Source: Zhu, Wang, Hovy and Ma (2010),
    "Confidence-based stopping criteria for active learning for data annotation", which leaves the
    division by log C to the choice of the threshold.
    """
    p = np.clip(proba, 1e-15, 1.0)
    return float(-(p * np.log(p)).sum(axis=1).mean() / np.log(proba.shape[1]))


def expected_error(proba: Floats) -> float:
    """Return the error that the model expects of itself, in [0, 1 - 1 / C].

    ``Error = 1 / |U| * sum_x (1 - max_y P(y | x))``. Source: Zhu, Wang and Hovy (2008), "Learning
    a stopping criterion for active learning for word sense disambiguation and text
    classification", IJCNLP.
    """
    return float(1.0 - proba.max(axis=1).mean())


class OverallUncertainty:
    """Stop when the model's mean entropy on rows without a label is low.

    See `overall_uncertainty`. The threshold of 0.1 is ours: the sources choose it for each task.

    Args:
        checkpoints: What is looked at.
        threshold: Mean of the last three values from which labelling may stop.
    """

    def __init__(self, checkpoints: Checkpoints, threshold: float = 0.1) -> None:
        self.checkpoints = checkpoints
        self.threshold = check_threshold("overall_uncertainty", threshold, 0.0, 1.0)

    def judge(self, labels: Labels) -> Advice:
        """Return what the rule says."""
        value = _mean_of(overall_uncertainty, self.checkpoints, labels)
        low = value is not None and value <= self.threshold
        return Advice("mean entropy of rows without a label", value, self.threshold, low)


class MinimumExpectedError:
    """Stop when the error that the model expects on rows without a label is low.

    See `expected_error`. The threshold of 0.05 is ours: the source chooses it for each task.

    Args:
        checkpoints: What is looked at.
        threshold: Mean of the last three values from which labelling may stop.
    """

    def __init__(self, checkpoints: Checkpoints, threshold: float = 0.05) -> None:
        self.checkpoints = checkpoints
        self.threshold = check_threshold("minimum_expected_error", threshold, 0.0, 1.0)

    def judge(self, labels: Labels) -> Advice:
        """Return what the rule says."""
        value = _mean_of(expected_error, self.checkpoints, labels)
        low = value is not None and value <= self.threshold
        return Advice("expected error on rows without a label", value, self.threshold, low)


class PerformanceConvergence:
    """Stop when the accuracy that the model estimates of itself no longer rises.

    The estimate is the mean confidence ``1 / |U| * sum_x max_y P(y | x)``; its gradient is the
    difference of the medians of the last two windows of three estimates, and labelling may stop
    when it is no larger than the threshold in either direction. Source: Laws and Schuetze (2008),
    "Stopping criteria for active learning of named entity recognition", COLING (performance
    convergence); the windows of three and the threshold of 0.002 are ours, because models are
    looked at every tenth label here.

    Args:
        checkpoints: What is looked at.
        threshold: Gradient below which labelling may stop.
    """

    def __init__(self, checkpoints: Checkpoints, threshold: float = 0.002) -> None:
        self.checkpoints = checkpoints
        self.threshold = check_threshold("performance_convergence", threshold, 0.0, 1.0)

    def judge(self, labels: Labels) -> Advice:
        """Return what the rule says."""
        counts = self.checkpoints.counts(labels, 2 * WINDOW)
        measure = "rise of the estimated accuracy"
        if not counts:
            return Advice(measure, None, self.threshold, False)
        sure = [1.0 - expected_error(self.checkpoints.open_proba(labels[:n])) for n in counts]
        rise = float(np.median(sure[WINDOW:]) - np.median(sure[:WINDOW]))
        return Advice(measure, rise, self.threshold, abs(rise) <= self.threshold)


def _mean_of(
    formula: Callable[[Floats], float], checkpoints: Checkpoints, labels: Labels
) -> float | None:
    counts = checkpoints.counts(labels, WINDOW)
    if not counts:
        return None
    return float(np.mean([formula(checkpoints.open_proba(labels[:n])) for n in counts]))
