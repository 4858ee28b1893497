"""Walls: data sets to train on, to choose on, and sealed ones; no family on two sides."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from lal.data.families import HasFamily, assert_disjoint


@dataclass(frozen=True)
class Walls:
    """Which data sets serve what.

    Attributes:
        train: Policies are fitted on these.
        dev: All choices are made on these: features, architecture, checkpoint, budget.
        sealed: Opened once for every registered version; see `openings`.
    """

    train: Sequence[HasFamily]
    dev: Sequence[HasFamily]
    sealed: Sequence[HasFamily]

    def check(self) -> None:
        """Refuse walls with relatives on both sides.

        Raises:
            DataError: A family is on two sides; the message names them all.
        """
        for one, other in combinations((self.train, self.dev, self.sealed), 2):
            assert_disjoint(one, other)
