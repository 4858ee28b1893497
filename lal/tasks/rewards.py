"""REWARDS: what a purchase is worth, measured on the reward part."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lal.errors import UsageError
from lal.registry import Registry


@dataclass(frozen=True)
class Purchase:
    """What happened between two refits.

    Attributes:
        before: Metrics on the reward part before the labels were bought.
        after: Metrics after them.
        n_bought: Labels bought, the batch size except at the end.
        n_budget: Labels that the task's budget buys in all after the start.
        reached_before: Whether an earlier purchase had reached the target.
        rival: Metrics after buying margin's picks from the same state and slate instead; None
            unless the reward asks for it.
    """

    before: Mapping[str, float]
    after: Mapping[str, float]
    n_bought: int
    n_budget: int
    reached_before: bool = False
    rival: Mapping[str, float] | None = None

    def gain(self, metric: str) -> float:
        """Return the change of a metric."""
        return self.after[metric] - self.before[metric]


@dataclass(frozen=True)
class Reward:
    """A reward by name.

    Attributes:
        compute: A purchase to a number.
        needs_target: The target quality must be known.
        needs_rival: What margin's picks would have given must be known (one more fit a step).
        needs_whole_budget: Only means what it says when the budget is always spent.
    """

    compute: Callable[[Purchase], float]
    needs_target: bool = False
    needs_rival: bool = False
    needs_whole_budget: bool = False


REWARDS: Registry[Reward] = Registry("reward")


def step_cost(bought: Purchase) -> float:
    """Return -1 for every label up to and with the one that reaches the target, then 0.

    Source: LAL-RL (Konyushkova et al., arXiv 1810.04114), whose episodes end at the target.
    """
    return 0.0 if bought.reached_before else -float(bought.n_bought)


def accuracy_gain(bought: Purchase) -> float:
    """Return the gain of accuracy; the sum over an episode is final minus initial accuracy."""
    return bought.gain("accuracy")


def balanced_accuracy_gain(bought: Purchase) -> float:
    """Return the gain of the mean accuracy over classes."""
    return bought.gain("balanced_accuracy")


def mean_accuracy_gain(bought: Purchase) -> float:
    """Return the mean of the gains of accuracy and of balanced accuracy."""
    return 0.5 * (bought.gain("accuracy") + bought.gain("balanced_accuracy"))


def log_loss_gain(bought: Purchase) -> float:
    """Return the fall of the log loss in nats a row (floored at log 1e-15)."""
    return bought.gain("log_likelihood")


def area(bought: Purchase) -> float:
    """Return the increment of the normalised area under the accuracy curve (trapezoids).

    The sum over an episode is `lal.curve.Curve.area` of the same curve.
    """
    height = 0.5 * (bought.before["accuracy"] + bought.after["accuracy"])
    return height * bought.n_bought / bought.n_budget


def advantage_over_margin(bought: Purchase) -> float:
    """Return the gain of accuracy minus the gain of margin's picks from the same state."""
    if bought.rival is None:
        raise UsageError("this reward needs the metrics after margin's picks (Purchase.rival)")
    return bought.after["accuracy"] - bought.rival["accuracy"]


REWARDS.add("step_cost", Reward(step_cost, needs_target=True))
REWARDS.add("accuracy_gain", Reward(accuracy_gain))
REWARDS.add("balanced_accuracy_gain", Reward(balanced_accuracy_gain))
REWARDS.add("mean_accuracy_gain", Reward(mean_accuracy_gain))
REWARDS.add("log_loss_gain", Reward(log_loss_gain))
REWARDS.add("area", Reward(area, needs_whole_budget=True))
REWARDS.add("advantage_over_margin", Reward(advantage_over_margin, needs_rival=True))
