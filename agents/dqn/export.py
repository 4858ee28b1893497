"""From a trained Q network to a policy file that numpy runs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from agents.dqn.algorithm import CandidateDQN
from agents.dqn.config import DQNConfig
from agents.dqn.network import CandidateQNetwork
from agents.training.tasks import feature_lists
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy

ACTIVATIONS: Mapping[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.Tanh: "tanh",
    nn.Sigmoid: "sigmoid",
    nn.GELU: "gelu",
    nn.Softplus: "softplus",
}
"""Torch layers without weights and the scorer operation of each."""


def export_policy(
    model: CandidateDQN, config: DQNConfig, *, name: str, card: Mapping[str, Any]
) -> PoolPolicy:
    """Return the policy whose utilities are the model's Q values, equal to 1e-5.

    Args:
        model: Trained or not.
        config: Names the features.
        name: Name of the policy.
        card: What the policy's card says.
    """
    network = model.q_net
    if not isinstance(network, CandidateQNetwork):
        raise UsageError(f"expected a CandidateQNetwork, got {type(network).__name__}")
    program, tensors = mlp_program(network.q_net)
    candidate_features, context_features = feature_lists(config)
    return PoolPolicy(
        name=name,
        candidate_features=candidate_features,
        context_features=context_features,
        program=program,
        tensors=tensors,
        card=dict(card),
    )


def mlp_program(layers: nn.Module) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the scorer program and tensors of a perceptron over [context, candidate].

    Raises:
        UsageError: A layer that no operation stands for.
    """
    ops: list[dict[str, Any]] = [{"op": "concat", "in": ["context", "candidates"], "out": ["h0"]}]
    tensors: dict[str, np.ndarray] = {}
    for i, layer in enumerate(layers.children()):
        step: dict[str, Any] = {"in": [f"h{i}"], "out": [f"h{i + 1}"]}
        if isinstance(layer, nn.Linear):
            tensors[f"w{i}"] = _array(layer.weight)
            tensors[f"b{i}"] = _array(layer.bias)
            ops.append({**step, "op": "affine", "weight": f"w{i}", "bias": f"b{i}"})
        elif type(layer) in ACTIVATIONS:
            ops.append({**step, "op": ACTIVATIONS[type(layer)]})
        else:
            known = ", ".join(sorted(a.__name__ for a in ACTIVATIONS))
            raise UsageError(
                f"layer {type(layer).__name__} has no scorer operation; expected Linear or {known}"
            )
    return {"ops": ops, "output": ops[-1]["out"][0]}, tensors


def _array(weights: torch.Tensor) -> np.ndarray:
    return np.array(weights.detach().cpu().numpy(), dtype=np.float32, order="C")
