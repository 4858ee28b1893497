"""Control test: did a policy learn anything? Ahead of random and of its own unlearned copies."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lal.errors import UsageError
from lal.evaluation.analysis.bootstrap import Interval, Paired, bootstrap_interval
from lal.evaluation.analysis.statistics import ROPE
from lal.evaluation.analysis.tables import Table, get_roles, paired

REQUIRED = ("random", "untrained", "shuffled")
"""Controls that a learned policy must be ahead of."""


def passes_controls(lower_ends: Mapping[str, float], required: Sequence[str] = REQUIRED) -> bool:
    """Return whether a policy learned: every required control's interval lies above 0.

    This is the one decision for every agent, whatever its measure: paired differences, higher
    favours the policy; ``untrained`` is the mean of the untrained copies.

    Args:
        lower_ends: Lower end of the interval of the paired difference to each control, by name;
            controls that are not required decide nothing.
        required: Controls that count; those of `REQUIRED` always do.

    Raises:
        UsageError: A required control is missing.
    """
    needed = list(dict.fromkeys([*REQUIRED, *required]))
    if missing := [name for name in needed if name not in lower_ends]:
        raise UsageError(
            f"the control test needs the controls {', '.join(needed)}; {', '.join(missing)} missing"
        )
    return all(lower_ends[name] > 0 for name in needed)


@dataclass(frozen=True)
class Comparison:
    """A policy compared with one control, paired.

    Attributes:
        control: Name of the control.
        members: Methods whose mean it is.
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
    def low(self) -> float:
        """Lower end of the interval over new data sets."""
        return self.interval.low

    def __str__(self) -> str:
        """Return the comparison in AUBC points."""
        i = self.interval
        return (
            f"{100 * i.mean:+.2f} points [{100 * i.low:+.2f}, {100 * i.high:+.2f}] "
            f"against {self.control}"
        )


@dataclass(frozen=True)
class ControlTest:
    """Whether a policy learned, the sentence that says so, and the numbers behind it."""

    policy: str
    passes_controls: bool
    sentence: str
    comparisons: tuple[Comparison, ...]

    def __getitem__(self, control: str) -> Comparison:
        """Return the comparison with a control."""
        return next(c for c in self.comparisons if c.control == control)


def control_test(
    table: Table,
    policy: str,
    controls: Mapping[str, str | Sequence[str]] | None = None,
    *,
    column: str = "area",
    seed: int = 0,
    n_samples: int = 10_000,
) -> ControlTest:
    """Return whether a policy learned.

    It did when it is ahead (paired, 95 % interval above 0) of random, of the mean of untrained
    copies of itself and of a copy trained on shuffled targets. Other controls, such as margin, are
    reported and decide nothing.

    Args:
        table: A table of `tables.read_table`, of data sets that the policy has not seen.
        policy: Method of the table.
        controls: Control names to the methods whose mean each is; ``random``, ``untrained`` and
            ``shuffled`` are required. Found by the roles of the table when None.
        column: Area to compare.
        seed: Seed of the bootstrap.
        n_samples: Bootstrap samples.

    Raises:
        UsageError: A required control is missing.
    """
    wanted = find_controls(table) if controls is None else controls
    compared = {
        name: compare(table, policy, names, control=name, column=column, seed=seed,
                      n_samples=n_samples)
        for name, names in wanted.items()
    }  # fmt: skip
    passed = passes_controls({name: c.low for name, c in compared.items()})
    said = [c for name, c in compared.items() if name in REQUIRED and (passed or c.low <= 0)]
    word = "learned" if passed else "did not learn"
    sentence = f"{policy} {word}: {'; '.join(map(str, said))}."
    return ControlTest(policy, passed, sentence, tuple(compared.values()))


def find_controls(table: Table, among: Iterable[str] | None = None) -> dict[str, list[str]]:
    """Return the methods of each required control, by the roles of a table; absent ones left out.

    Args:
        table: A table of `tables.read_table`.
        among: Methods to look at; all when None.
    """
    roles = get_roles(table)
    names = sorted(roles) if among is None else list(among)
    found = {
        "random": [s for s in names if s == "random"],
        "untrained": [s for s in names if roles.get(s) == "untrained"],
        "shuffled": [s for s in names if roles.get(s) == "shuffled"],
    }
    return {control: members for control, members in found.items() if members}


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
    """Return a method compared with the mean of some others, with both intervals."""
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
