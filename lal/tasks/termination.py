"""TERMINATIONS: when an episode is over."""

from dataclasses import dataclass

from lal.registry import Registry

TARGET_SHARE = 0.98
"""The target is this share of the reward-part accuracy of the learner fitted to the whole pool."""


@dataclass(frozen=True)
class Termination:
    """What ends an episode besides an empty pool.

    Attributes:
        at_budget: The task's budget is spent.
        at_target: The target quality was reached by a query; looked at after steps only, so every
            episode has at least one query even when the start is above the target.
    """

    at_budget: bool
    at_target: bool

    def flags(self, *, spent: bool, empty: bool, reached: bool) -> tuple[bool, bool]:
        """Return (terminated, truncated).

        Reaching the target, an empty pool and a spent budget that is the task's own end terminate.
        A budget that merely cuts a search for the target short truncates.
        """
        if (self.at_target and reached) or empty:
            return True, False
        if self.at_budget and spent:
            return not self.at_target, self.at_target
        return False, False


TERMINATIONS: Registry[Termination] = Registry("termination")
TERMINATIONS.add("budget", Termination(at_budget=True, at_target=False))
TERMINATIONS.add("target", Termination(at_budget=False, at_target=True))
TERMINATIONS.add("both", Termination(at_budget=True, at_target=True))
