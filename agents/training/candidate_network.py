"""Parts of stable-baselines3 policies that score every row of a slate with shared weights."""

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import PyTorchObs


class WholeObservation(BaseFeaturesExtractor):
    """Hands the dict observation on as it is."""

    def __init__(self, observation_space: spaces.Space[Any]) -> None:
        super().__init__(observation_space, features_dim=1)

    def forward(self, observations: PyTorchObs) -> PyTorchObs:
        """Return the observation."""
        return observations


def joined(context: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
    """Return [context, candidate] of every row; (B, G) and (B, K, F) to (B, K, G + F)."""
    spread = context.float().unsqueeze(1).expand(-1, candidates.shape[1], -1)
    return torch.cat([spread, candidates.float()], dim=2)
