"""Torch layers as scorer operations, for agents whose policies are siblings of PoolPolicy."""

from typing import Any

import numpy as np
import torch
from torch import nn

from agents.dqn.export import ACTIVATIONS
from lal.errors import UsageError

Ops = list[dict[str, Any]]
Arrays = dict[str, np.ndarray]


def array(weights: torch.Tensor) -> np.ndarray:
    """Return weights as files hold them."""
    return np.array(weights.detach().cpu().numpy(), dtype=np.float32, order="C")


def layers_ops(layers: nn.Module, *, prefix: str, source: str) -> tuple[Ops, Arrays, str]:
    """Return operations, tensors and the last register of a stack of layers.

    Raises:
        UsageError: A layer that no operation stands for.
    """
    ops: Ops = []
    tensors: Arrays = {}
    register = source
    for i, layer in enumerate(layers.children()):
        out = f"{prefix}{i}"
        step: dict[str, Any] = {"in": [register], "out": [out]}
        if isinstance(layer, nn.Linear):
            tensors[f"{prefix}{i}.weight"] = array(layer.weight)
            tensors[f"{prefix}{i}.bias"] = array(layer.bias)
            weights = {"weight": f"{prefix}{i}.weight", "bias": f"{prefix}{i}.bias"}
            ops.append({**step, "op": "affine", **weights})
        elif type(layer) in ACTIVATIONS:
            ops.append({**step, "op": ACTIVATIONS[type(layer)]})
        else:
            raise UsageError(f"layer {type(layer).__name__} has no scorer operation")
        register = out
    return ops, tensors, register


def cell_tensors(cell: nn.LSTMCell | nn.GRUCell, prefix: str) -> tuple[dict[str, str], Arrays]:
    """Return the roles and the tensors of a recurrent cell."""
    roles = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    names = {role: f"{prefix}.{role}" for role in roles}
    return names, {names[role]: array(getattr(cell, role)) for role in roles}
