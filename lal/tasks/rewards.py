"""REWARDS: rewards of an acquisition, measured on the reward part."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log

from lal.errors import UsageError
from lal.registry import Registry


@dataclass(frozen=True)
class Acquisition:
    """What happened between two refits.

    Attributes:
        before: Metrics on the reward part before the labels were acquired.
        after: Metrics after them.
        n_acquired: Labels acquired, the batch size except at the end.
        n_budget: Labels that the task's budget allows after the initial labelled set.
        n_start: Labels of the initial labelled set.
        n_labelled: Labels before the acquisition.
        reached_before: Whether an earlier acquisition had reached the target.
        baseline: Metrics after acquiring margin's choice from the same state and slate; None
            unless the reward asks for it.
    """

    before: Mapping[str, float]
    after: Mapping[str, float]
    n_acquired: int
    n_budget: int
    n_start: int
    n_labelled: int
    reached_before: bool = False
    baseline: Mapping[str, float] | None = None

    def gain(self, metric: str) -> float:
        """Return the change of a metric."""
        return self.after[metric] - self.before[metric]


@dataclass(frozen=True)
class Reward:
    """A reward by name.

    Attributes:
        compute: An acquisition to a number.
        needs_target: The target quality must be known.
        needs_baseline: The result of margin's choice must be known (one more fit per step).
        needs_whole_budget: Only means what it says when the budget is always spent.
    """

    compute: Callable[[Acquisition], float]
    needs_target: bool = False
    needs_baseline: bool = False
    needs_whole_budget: bool = False


REWARDS: Registry[Reward] = Registry("reward")
"""Rewards of classification."""

REGRESSION_REWARDS: Registry[Reward] = Registry("reward for regression")

REGION_REWARDS: Registry[Reward] = Registry("reward for regions")
"""Rewards where rows are regions of images and metrics are of pixels."""


def step_cost(acquired: Acquisition) -> float:
    """Return -1 for every label up to and with the one that reaches the target, then 0.

    Source: LAL-RL (Konyushkova et al., arXiv 1810.04114), whose episodes end at the target.
    """
    return 0.0 if acquired.reached_before else -float(acquired.n_acquired)


def accuracy_gain(acquired: Acquisition) -> float:
    """Return the gain of accuracy; the sum over an episode is final minus initial accuracy."""
    return acquired.gain("accuracy")


def balanced_accuracy_gain(acquired: Acquisition) -> float:
    """Return the gain of the mean accuracy over classes."""
    return acquired.gain("balanced_accuracy")


def mean_accuracy_gain(acquired: Acquisition) -> float:
    """Return the mean of the gains of accuracy and of balanced accuracy."""
    return 0.5 * (acquired.gain("accuracy") + acquired.gain("balanced_accuracy"))


def log_loss_gain(acquired: Acquisition) -> float:
    """Return the fall of the log loss in nats per row (floored at log 1e-15)."""
    return acquired.gain("log_likelihood")


def area(acquired: Acquisition) -> float:
    """Return the increment of the normalised area under the accuracy curve (trapezoids).

    The sum over an episode is `lal.curve.Curve.area` of the same curve.
    """
    height = 0.5 * (acquired.before["accuracy"] + acquired.after["accuracy"])
    return height * acquired.n_acquired / acquired.n_budget


def log_budget(acquired: Acquisition) -> float:
    """Return the increment of the area under accuracy over the logarithm of the labels.

    The axis runs from the initial labelled set to the whole budget and has length 1, so each
    doubling of the labels counts the same; under `area` the last half of the labels counts half.
    """
    height = 0.5 * (acquired.before["accuracy"] + acquired.after["accuracy"])
    width = log((acquired.n_labelled + acquired.n_acquired) / acquired.n_labelled)
    return height * width / log((acquired.n_start + acquired.n_budget) / acquired.n_start)


def advantage_over_margin(acquired: Acquisition) -> float:
    """Return the gain of accuracy minus the gain of margin's picks from the same state."""
    if acquired.baseline is None:
        raise UsageError("this reward needs the metrics of margin's choice (Acquisition.baseline)")
    return acquired.after["accuracy"] - acquired.baseline["accuracy"]


def rmse_gain(acquired: Acquisition) -> float:
    """Return the fall of the RMSE over the standard deviation of y on the reward part."""
    return acquired.gain("rmse_skill")


def rmse_area(acquired: Acquisition) -> float:
    """Return the increment of the normalised area under the curve of 1 - RMSE / std."""
    height = 0.5 * (acquired.before["rmse_skill"] + acquired.after["rmse_skill"])
    return height * acquired.n_acquired / acquired.n_budget


def mean_iou_gain(acquired: Acquisition) -> float:
    """Return the gain of the mean intersection over union of the classes."""
    return acquired.gain("mean_iou")


def mean_iou_area(acquired: Acquisition) -> float:
    """Return the increment of the normalised area under the curve of the mean IoU."""
    height = 0.5 * (acquired.before["mean_iou"] + acquired.after["mean_iou"])
    return height * acquired.n_acquired / acquired.n_budget


REGION_REWARDS.add("mean_iou_gain", Reward(mean_iou_gain))
REGION_REWARDS.add("mean_iou_area", Reward(mean_iou_area, needs_whole_budget=True))
REGION_REWARDS.add("accuracy_gain", Reward(accuracy_gain))
REGION_REWARDS.add("step_cost", Reward(step_cost, needs_target=True))
REGRESSION_REWARDS.add("rmse_gain", Reward(rmse_gain))
REGRESSION_REWARDS.add("rmse_area", Reward(rmse_area, needs_whole_budget=True))
REWARDS.add("step_cost", Reward(step_cost, needs_target=True))
REWARDS.add("accuracy_gain", Reward(accuracy_gain))
REWARDS.add("balanced_accuracy_gain", Reward(balanced_accuracy_gain))
REWARDS.add("mean_accuracy_gain", Reward(mean_accuracy_gain))
REWARDS.add("log_loss_gain", Reward(log_loss_gain))
REWARDS.add("area", Reward(area, needs_whole_budget=True))
REWARDS.add("log_budget", Reward(log_budget, needs_whole_budget=True))
REWARDS.add("advantage_over_margin", Reward(advantage_over_margin, needs_baseline=True))
