"""Walls: data sets to train on, to choose on, and sealed ones; no family on two sides."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from lal.data.families import HasFamily, assert_disjoint
from lal.errors import DataError


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


@dataclass(frozen=True)
class Met:
    """A family that a policy met in training, under the policy's label."""

    name: str
    family: str


def check_sealed(sealed: Sequence[HasFamily], seen: Mapping[str, Iterable[str]]) -> None:
    """Refuse to open sealed data sets for a policy that was trained on their relatives.

    Args:
        sealed: Data sets, or entries of a suite, that are to be opened.
        seen: Families met in training, by the label of each policy.

    Raises:
        DataError: A family is on both sides; the message names policy and data set.
    """
    met = [Met(label, family) for label, families in seen.items() for family in families]
    try:
        Walls(train=met, dev=(), sealed=sealed).check()
    except DataError as error:
        raise DataError(
            f"{error}; nothing was opened: leave these policies out, or name the other data sets "
            "(--datasets)"
        ) from error
