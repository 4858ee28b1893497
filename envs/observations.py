"""Observations: features of the state and of the offered rows as spaces and arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lal.arrays import Ints
from lal.errors import UsageError
from lal.features.base import (
    FEATURES,
    candidate_matrix,
    check_scopes,
    context_vector,
)
from lal.state import QueryState

Observation = dict[str, NDArray[Any]]
"""``candidates`` (K, F) float32, ``context`` (G,) float32, ``mask`` (K,) int8."""


class Observer:
    """Turns a state and a slate into one observation.

    Args:
        candidate_features: Ids of the F candidate features.
        context_features: Ids of the G context features.
        slate_size: Rows offered, K.
    """

    def __init__(
        self,
        candidate_features: Sequence[str],
        context_features: Sequence[str],
        slate_size: int,
    ) -> None:
        if slate_size < 1:
            raise UsageError(f"slate_size must be at least 1, got {slate_size}")
        if not candidate_features:
            raise UsageError("an environment needs at least one candidate feature")
        check_scopes(candidate_features, "candidate")
        check_scopes(context_features, "context")
        self.candidate_features = tuple(candidate_features)
        self.context_features = tuple(context_features)
        self.slate_size = slate_size
        low, high = _bounds(self.candidate_features)
        # Closed slots are zeros, so zero lies within the declared bounds.
        low, high = np.minimum(low, 0), np.maximum(high, 0)
        self.space = spaces.Dict(
            {
                "candidates": spaces.Box(
                    np.tile(low, (slate_size, 1)), np.tile(high, (slate_size, 1)), dtype=np.float32
                ),
                "context": spaces.Box(*_bounds(self.context_features), dtype=np.float32),
                "mask": spaces.MultiBinary(slate_size),
            }
        )

    def observe(self, state: QueryState, slate: Ints) -> Observation:
        """Return the observation of a slate of pool rows, shape (K,), closed slots being -1."""
        is_open = slate >= 0
        candidates = np.zeros(self.space["candidates"].shape or (), dtype=np.float32)
        candidates[is_open] = candidate_matrix(state, self.candidate_features, slate[is_open])
        context = context_vector(state, self.context_features).astype(np.float32)
        return {"candidates": candidates, "context": context, "mask": is_open.astype(np.int8)}


def _bounds(ids: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the lowest and highest values of the features, one entry a value."""
    features = [FEATURES[name] for name in ids]
    low = [f.low for f in features for _ in range(f.dim)]
    high = [f.high for f in features for _ in range(f.dim)]
    return np.array(low, dtype=np.float32), np.array(high, dtype=np.float32)
