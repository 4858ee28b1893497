"""Array types; the letters in names: N pool, L labelled, C classes, D columns, R reference set."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Labels: TypeAlias = NDArray[Any]
"""Labels by kind of task: int64 class codes, or float64 numbers in regression."""

Rows: TypeAlias = Any
"""Samples as a learner takes them: an array, a data frame or a sparse matrix of N rows."""


def detached(values: Any) -> Any:
    """Return a tensor that tracks gradients as one that numpy can read, anything else as it is."""
    return values.detach() if getattr(values, "requires_grad", False) is True else values
