"""Budget: stop after a number of labels."""

from lal.labelling.stopping.base import Advice, Checkpoints, Labels, check_threshold

BUDGET = 200
"""Labels, where nothing else is said."""


class Budget:
    """Stop when so many rows have labels, the ones that came with the table included.

    Args:
        checkpoints: Not looked at.
        threshold: Labels.
    """

    def __init__(self, checkpoints: Checkpoints, threshold: float = BUDGET) -> None:
        self.threshold = check_threshold("budget", threshold, 1, float("inf"))

    def judge(self, labels: Labels) -> Advice:
        """Return what the rule says."""
        n = len(labels)
        return Advice("number of labels", float(n), self.threshold, n >= self.threshold)
