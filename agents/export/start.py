"""Where fine-tuning begins: a policy's utility stays in the logits, the network learns the rest.

``logit = scale * utility + residual``. The residual's last layer begins at zero, so the first
logits rank as the policy does, and the exported program is the policy's own with the residual
added to it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from agents.export.torch_layers import layers_ops
from envs.simulator.scoring import SlateBatch, SlateScorer
from lal.errors import UsageError
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy

PREFIX = "ppo_"
"""Of the registers and tensors that tuning adds to a program."""


class Start:
    """A fixed policy's part of the logits; it has no weights of the network."""

    def __init__(self, name: str, scale: float) -> None:
        self.policy = load_start(name)
        self.scale = scale
        self._scorer = SlateScorer(self.policy.scorer)

    def __call__(self, features: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the policy's part for every slot, shape (B, K)."""
        return self.logits({name: part.numpy(force=True) for name, part in features.items()})

    def logits(self, observation: Mapping[str, Any]) -> torch.Tensor:
        """Return the policy's part of the logits of observations as arrays, shape (B, K)."""
        batch = SlateBatch(
            observation["candidates"], observation["context"], observation["mask"] > 0
        )
        return torch.as_tensor(self.scale * self._scorer(batch), dtype=torch.float32)

    def program(self, residual: nn.Module) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return the scorer program and tensors of the policy with a residual added."""
        source = f"{PREFIX}input"
        ops, tensors, last = layers_ops(residual, prefix=PREFIX, source=source)
        own, scaled = self.policy.program, f"{PREFIX}start"
        added = [
            {"op": "concat", "in": ["context", "candidates"], "out": [source]},
            *ops,
            {"op": "affine", "in": [own["output"]], "out": [scaled], "weight": f"{PREFIX}scale"},
            {"op": "add", "in": [scaled, last], "out": [f"{PREFIX}utility"]},
        ]
        return (
            {"ops": [*own["ops"], *added], "output": f"{PREFIX}utility"},
            {
                **self.policy.tensors,
                **tensors,
                f"{PREFIX}scale": np.array([[self.scale]], dtype=np.float32),
            },
        )


def load_start(name: str) -> PoolPolicy:
    """Return a policy to begin from.

    Raises:
        UsageError: It ranks by the reference set, which slates do not carry, or was tuned before.
    """
    policy = load_as(PoolPolicy, name)
    registers = [place for op in policy.program["ops"] for place in (*op["in"], *op["out"])]
    if "reference" in registers:
        raise UsageError(f"{name} reads the reference set, which observations do not carry")
    if any(place.startswith(PREFIX) for place in registers):
        raise UsageError(f"{name} was tuned in this way already; start from what it started from")
    return policy
