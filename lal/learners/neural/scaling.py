"""Rows as the networks take them."""

from dataclasses import dataclass

import numpy as np
import torch

from lal.arrays import Floats, Rows
from lal.errors import DataError
from lal.pool import dense

FLOOR = 0.01
"""Share of the overall variance added to each column's, so that constant columns stay small."""


@dataclass(frozen=True)
class Scaling:
    """Centre and scale of the rows.

    Attributes:
        mean: Shape (D,).
        scale: Shape (D,), or one number for all columns.
    """

    mean: Floats
    scale: Floats

    def apply(self, X: Rows) -> torch.Tensor:
        """Return scaled rows, shape (n, D)."""
        return torch.as_tensor((dense(X) - self.mean) / self.scale, dtype=torch.float32)


def make_scaling(X: Rows, *, by_column: bool) -> Scaling:
    """Return the scaling of labelled rows.

    Args:
        X: Labelled rows, shape (L, D).
        by_column: Scale every column by itself; images have one scale for all, so that shifts and
            filters mean the same everywhere.

    Raises:
        DataError: Values that are not finite numbers.
    """
    rows = dense(X)
    if not np.isfinite(rows).all():
        raise DataError(
            "a neural learner needs finite numbers; impute missing values first, for example by a "
            "pipeline"
        )
    overall = float(rows.var()) or 1.0
    if not by_column:
        return Scaling(np.full(rows.shape[1], rows.mean()), np.sqrt(np.array(overall)))
    return Scaling(rows.mean(axis=0), np.sqrt(rows.var(axis=0) + FLOOR * overall))
