"""What a search may move in a policy: a few numbers that stand for changes of its tensors."""

from collections.abc import Mapping

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy

Tensors = dict[str, np.ndarray]

MARGIN_PART = "mp_margin"
"""Tensor of a look-ahead policy that holds the weight of margin's part."""

LARGEST_GAIN = 3.0
"""Logarithms of gains are clipped here, so that no input can blow up."""


class Space:
    """A map from vectors of ``size`` numbers to tensors; zeros give the policy as it is.

    Args:
        policy: What is changed.
        kind: ``"features"``, ``"outputs"`` or ``"subspace"``; see `EvolutionConfig.space`.
        dimensions: Directions of the subspace.
        rng: Draws those directions.

    Raises:
        UsageError: The program lacks what this kind moves.
    """

    def __init__(
        self, policy: PoolPolicy, kind: str, *, dimensions: int, rng: np.random.Generator
    ) -> None:
        self._tensors = dict(policy.tensors)
        self.kind = kind
        ops = policy.program["ops"]
        self._scales = [op["scale"] for op in ops if op["op"] == "standardise"]
        weights = [op["weight"] for op in ops if op["op"] == "affine" and "bias" in op]
        weights = [w for w in weights if not w.startswith("mp_")]
        single = [w for w in weights if self._tensors[w].shape[0] == 1]
        self._moved = weights if kind == "subspace" else single
        if kind == "features" and not self._scales:
            raise UsageError(f"{policy.name!r} standardises no inputs; use another space")
        if kind != "features" and not self._moved:
            raise UsageError(f"{policy.name!r} has no layers that this space moves; use another")
        self._directions = (
            rng.standard_normal((dimensions, self._n_moved())) if kind == "subspace" else None
        )

    @property
    def size(self) -> int:
        """Numbers that are searched."""
        if self.kind == "features":
            inputs = sum(self._tensors[name].size for name in self._scales)
            return inputs + (MARGIN_PART in self._tensors)
        return len(self._directions) if self._directions is not None else self._n_moved()

    def apply(self, point: Floats) -> Tensors:
        """Return the policy's tensors, those of the space changed."""
        if self.kind == "features":
            return {**self._tensors, **self._gained(point)}
        shares = point if self._directions is None else point @ self._directions
        if self._directions is not None:
            shares = shares / np.sqrt(len(point))
        return {**self._tensors, **self._shifted(shares)}

    def _n_moved(self) -> int:
        return sum(self._tensors[name].size for name in self._moved)

    def _gained(self, point: Floats) -> Mapping[str, np.ndarray]:
        gains = np.exp(np.clip(point, -LARGEST_GAIN, LARGEST_GAIN))
        changed: Tensors = {}
        first = 0
        for name in self._scales:
            old = self._tensors[name]
            own = gains[first : first + old.size].reshape(old.shape)
            changed[name] = (old / own).astype(old.dtype)
            first += old.size
        if MARGIN_PART in self._tensors:
            old = self._tensors[MARGIN_PART]
            changed[MARGIN_PART] = (old * gains[-1]).astype(old.dtype)
        return changed

    def _shifted(self, shares: Floats) -> Mapping[str, np.ndarray]:
        """Add shares of each tensor's typical size to its weights; zeros stay zeros."""
        changed: Tensors = {}
        first = 0
        for name in self._moved:
            old = self._tensors[name]
            own = shares[first : first + old.size].reshape(old.shape)
            there = old != 0
            size = np.sqrt((old[there] ** 2).mean()) if there.any() else 0.0
            changed[name] = (old + own * size * there).astype(old.dtype)
            first += old.size
        return changed
