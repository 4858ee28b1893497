"""Verdict: did a policy learn anything? Ahead of random and of its own unlearned copies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lal.errors import UsageError
from lal.evaluation.analysis.bootstrap import Interval, Paired, bootstrap_interval
from lal.evaluation.analysis.statistics import ROPE
from lal.evaluation.analysis.tables import Table, paired

REQUIRED = ("random", "untrained", "shuffled")
"""Controls that a learned policy must be ahead of."""


@dataclass(frozen=True)
class Comparison:
    """A policy against one control, paired.

    Attributes:
        control: Name of the control.
        members: Strategies whose mean it is.
        interval: Mean difference with its interval over new data sets.
        these_sets: The same over new runs of the listed sets.
        wins, ties, losses: Data sets above, within and below the region of equivalence.
    """

    control: str
    members: tuple[str, ...]
    interval: Interval
    these_sets: Interval
    wins: int
    ties: int
    losses: int

    @property
    def ahead(self) -> bool:
        """Whether the interval lies above 0."""
        return self.interval.low > 0

    def __str__(self) -> str:
        """Return the comparison in points of the metric."""
        i = self.interval
        return (
            f"{100 * i.mean:+.2f} points [{100 * i.low:+.2f}, {100 * i.high:+.2f}] "
            f"against {self.control}"
        )


@dataclass(frozen=True)
class Verdict:
    """Whether a policy learned, the sentence that says so, and the numbers behind it."""

    policy: str
    learned: bool
    sentence: str
    comparisons: tuple[Comparison, ...]

    def __getitem__(self, control: str) -> Comparison:
        """Return the comparison with a control."""
        return next(c for c in self.comparisons if c.control == control)


def verdict(
    table: Table,
    policy: str,
    controls: Mapping[str, str | Sequence[str]],
    *,
    column: str = "area",
    seed: int = 0,
    n_samples: int = 10_000,
) -> Verdict:
    """Return whether a policy learned.

    It did when it is ahead (paired, 95 % interval above 0) of random, of the mean of untrained
    copies of itself and of a copy trained on shuffled targets. Other controls, such as margin, are
    reported and decide nothing.

    Args:
        table: A tidy table of `RunStore.to_table`, of data sets the policy has not seen.
        policy: Strategy of the table.
        controls: Control names to the strategies whose mean each is; ``random``, ``untrained``
            and ``shuffled`` are required.
        column: Area to compare.
        seed: Seed of the bootstrap.
        n_samples: Bootstrap samples.

    Raises:
        UsageError: A required control is missing.
    """
    if missing := [name for name in REQUIRED if name not in controls]:
        raise UsageError(
            f"the verdict needs the controls {', '.join(REQUIRED)}; {', '.join(missing)} missing"
        )
    compared = tuple(
        compare(table, policy, names, control=name, column=column, seed=seed, n_samples=n_samples)
        for name, names in controls.items()
    )
    behind = [c for c in compared if c.control in REQUIRED and not c.ahead]
    word = "learned" if not behind else "did not learn"
    why = "; ".join(str(c) for c in (behind or [c for c in compared if c.control in REQUIRED]))
    return Verdict(policy, not behind, f"{policy} {word}: {why}.", compared)


def compare(
    table: Table,
    policy: str,
    names: str | Sequence[str],
    *,
    control: str,
    column: str = "area",
    seed: int = 0,
    n_samples: int = 10_000,
) -> Comparison:
    """Return a strategy against the mean of some others, with both intervals."""
    members = (names,) if isinstance(names, str) else tuple(names)
    sample = paired(table, policy, members, column)
    rng = np.random.default_rng(seed)
    new, these = (
        bootstrap_interval(sample, rng, scope=scope, n_samples=n_samples)
        for scope in ("new_sets", "these_sets")
    )
    wins, ties, losses = wins_ties_losses(sample)
    return Comparison(control, members, new, these, wins, ties, losses)


def wins_ties_losses(sample: Paired, rope: float = ROPE) -> tuple[int, int, int]:
    """Return the number of data sets above, within and below the region of equivalence."""
    means = sample.set_means()
    wins, losses = int((means > rope).sum()), int((means < -rope).sum())
    return wins, len(means) - wins - losses, losses
