"""Data partition: data sets to train on, to choose on, and locked ones; families never shared."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from lal.data.families import HasFamily, assert_disjoint
from lal.errors import DataError


@dataclass(frozen=True)
class DataPartition:
    """Which data sets serve what.

    Attributes:
        train: Policies are fitted on these.
        dev: All choices are made on these: features, architecture, checkpoint, budget.
        locked: The test suite, evaluated once for every registered version; see `access_log`.
    """

    train: Sequence[HasFamily]
    dev: Sequence[HasFamily]
    locked: Sequence[HasFamily]

    def check(self) -> None:
        """Refuse a partition with relatives in two parts.

        Raises:
            DataError: A family is in two parts; the message names them all.
        """
        for one, other in combinations((self.train, self.dev, self.locked), 2):
            assert_disjoint(one, other)


@dataclass(frozen=True)
class FamilySeen:
    """A family that a policy saw in training, under the policy's label."""

    name: str
    family: str


def check_locked(locked: Sequence[HasFamily], seen: Mapping[str, Iterable[str]]) -> None:
    """Refuse access to locked data sets for a policy that was trained on their relatives.

    Args:
        locked: Data sets, or entries of a suite, that are to be evaluated on.
        seen: Families seen in training, by the label of each policy.

    Raises:
        DataError: A family is in both parts; the message names policy and data set.
    """
    trained = [FamilySeen(label, f) for label, families in seen.items() for f in families]
    try:
        DataPartition(train=trained, dev=(), locked=locked).check()
    except DataError as error:
        raise DataError(
            f"{error}; nothing was accessed: leave these policies out, or name the other data sets "
            "(--datasets)"
        ) from error
