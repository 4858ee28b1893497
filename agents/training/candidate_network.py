"""Parts of stable-baselines3 policies that score every row of a slate with shared weights."""

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import nn
from torch.nn import functional


class WholeObservation(BaseFeaturesExtractor):
    """Hands the dict observation on as it is."""

    def __init__(self, observation_space: spaces.Space[Any]) -> None:
        super().__init__(observation_space, features_dim=1)

    def forward(self, observations: PyTorchObs) -> PyTorchObs:
        """Return the observation."""
        return observations


def slate_scores(
    first: nn.Linear | tuple[torch.Tensor, torch.Tensor],
    rest: nn.Module,
    context: torch.Tensor,
    candidates: torch.Tensor,
) -> torch.Tensor:
    """Return what a perceptron gives for [context, candidate] of every row of slates, shape (B, K).

    The first layer takes context and candidates apart, so that the context's part is computed once
    per slate and not once per candidate.

    Args:
        first: The first layer, of G + F inputs, or its weight and bias.
        rest: The other layers; the last has one output.
        context: Shape (B, G).
        candidates: Shape (B, K, F).
    """
    weight, bias = (first.weight, first.bias) if isinstance(first, nn.Linear) else first
    n_context = context.shape[1]
    state = functional.linear(context.float(), weight[:, :n_context], bias)
    row = functional.linear(candidates.float(), weight[:, n_context:])
    scores: torch.Tensor = rest(row + state[:, None]).squeeze(2)
    return scores
