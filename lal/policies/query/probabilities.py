"""Probabilities that a caller gives in place of a classifier: checked, never bent into some."""

from typing import Any

import numpy as np

from lal.arrays import Floats
from lal.errors import DataError
from lal.learners.probabilities import TOLERANCE, row_sums

PART = 20_000
"""Rows whose probabilities are checked at once; they stay in the cache."""


def checked_proba(proba: Any, n: int, n_classes: int) -> Floats:
    """Return probabilities of shape (n, C) or say what is wrong with them."""
    table = np.asarray(proba, dtype=np.float64)
    if table.shape != (n, n_classes):
        raise DataError(f"probabilities must have shape {(n, n_classes)}, got {table.shape}")
    off, least = 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for first in range(0, n, PART):
            part = table[first : first + PART]
            sums = row_sums(part)
            sums -= 1.0
            # np.maximum, unlike max, keeps a nan
            off = np.maximum(off, np.maximum(sums.max(), -sums.min()))
            least = min(least, part.min())
    if not off < np.inf or least < 0:
        raise DataError("probabilities must be finite and not negative")
    if off > TOLERANCE:
        raise DataError(f"probabilities must sum to 1 in every row; one row is off by {off:.3g}")
    return table
