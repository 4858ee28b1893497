"""Copies of environments share nothing with the original, whichever way they are made."""

import copy
from typing import Self


class IndependentCopies:
    """Makes `copy.copy` of an environment a deep one.

    Two environments that share an episode would move it for each other, without a word.
    """

    def __copy__(self) -> Self:
        """Return an independent copy, as `copy.deepcopy` does."""
        return copy.deepcopy(self)
