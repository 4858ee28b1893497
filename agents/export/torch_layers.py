"""Torch networks as scorer operations: the one exporter of all agents."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from lal.errors import UsageError

Ops = list[dict[str, Any]]
Arrays = dict[str, np.ndarray]

ACTIVATIONS: Mapping[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.Tanh: "tanh",
    nn.Sigmoid: "sigmoid",
    nn.GELU: "gelu",
    nn.Softplus: "softplus",
}
"""Torch layers without weights and the scorer operation of each."""


def array(weights: torch.Tensor) -> np.ndarray:
    """Return weights as files hold them."""
    return np.array(weights.detach().cpu().numpy(), dtype=np.float32, order="C")


class Names(NamedTuple):
    """What layer ``i`` is called in a program; ``after`` is ``i + 1``."""

    register: str
    weight: str
    bias: str


LONG = Names("{i}", "{i}.weight", "{i}.bias")
SHORT = Names("h{after}", "w{i}", "b{i}")


def layers_ops(
    layers: nn.Module, *, prefix: str, source: str, names: Names = LONG
) -> tuple[Ops, Arrays, str]:
    """Return operations, tensors and the last register of a stack of layers.

    Args:
        layers: Linear layers and activations, applied in their order.
        prefix: Begins all names, so that several stacks fit into one program.
        source: Register that the first layer reads.
        names: What registers and tensors are called after the prefix.

    Raises:
        UsageError: A layer that no operation stands for.
    """
    ops: Ops = []
    tensors: Arrays = {}
    register = source
    for i, layer in enumerate(layers.children()):
        out, weight, bias = (prefix + name.format(i=i, after=i + 1) for name in names)
        step: dict[str, Any] = {"in": [register], "out": [out]}
        if isinstance(layer, nn.Linear):
            tensors[weight], tensors[bias] = array(layer.weight), array(layer.bias)
            ops.append({**step, "op": "affine", "weight": weight, "bias": bias})
        elif type(layer) in ACTIVATIONS:
            ops.append({**step, "op": ACTIVATIONS[type(layer)]})
        else:
            known = ", ".join(sorted(a.__name__ for a in ACTIVATIONS))
            raise UsageError(
                f"layer {type(layer).__name__} has no scorer operation; expected Linear or {known}"
            )
        register = out
    return ops, tensors, register


def slate_program(layers: nn.Module) -> tuple[dict[str, Any], Arrays]:
    """Return the scorer program and tensors of a perceptron over [context, candidate]."""
    join = {"op": "concat", "in": ["context", "candidates"], "out": ["h0"]}
    ops, tensors, output = layers_ops(layers, prefix="", source="h0", names=SHORT)
    return {"ops": [join, *ops], "output": output}, tensors


def cell_tensors(
    cell: nn.LSTMCell | nn.GRUCell | nn.GRU, prefix: str, suffix: str = ""
) -> tuple[dict[str, str], Arrays]:
    """Return the roles and the tensors of a recurrent cell.

    Args:
        cell: A cell, or a whole layer.
        prefix: Begins the tensors' names.
        suffix: What torch calls this direction of a layer: "_l0" or "_l0_reverse".
    """
    roles = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    names = {role: f"{prefix}.{role}" for role in roles}
    return names, {names[role]: array(getattr(cell, role + suffix)) for role in roles}
