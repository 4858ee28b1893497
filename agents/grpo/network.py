"""The scorer of GRPO: one perceptron over [context, candidate], shared by all slots."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.torch_layers import create_mlp
from torch import nn

from agents.training.candidate_network import slate_scores
from lal.arrays import Floats

LEAST_DEVIATION = 0.01
"""Inputs that hardly vary are not blown up."""

CLOSED = -1e9
"""Logit of a closed slot."""


class CandidateScorer(nn.Module):
    """Logits (B, K) of slates: standardised inputs, hidden layers, one output per candidate.

    Args:
        n_context: Context features, G.
        n_candidate: Candidate features, F.
        net_arch: Widths of the hidden layers.
        zero: Whether the last layer begins at zero, as what is added to a start policy does.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(
        self, n_context: int, n_candidate: int, net_arch: Sequence[int], *, zero: bool = False
    ) -> None:
        super().__init__()
        width = n_context + n_candidate
        self.layers = nn.Sequential(*create_mlp(width, 1, list(net_arch), nn.ReLU))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        last = self.layers[-1]
        if isinstance(last, nn.Linear):
            # Near-uniform first policies explore; the size of a logit has no part in a ranking.
            nn.init.normal_(last.weight, std=0.0 if zero else 0.1 / net_arch[-1] ** 0.5)
            nn.init.zeros_(last.bias)

    def standardise(self, context: Floats, candidates: Floats) -> None:
        """Take mean and deviation of the inputs from rows (n, G) and (m, F)."""
        parts = [np.asarray(part, dtype=np.float64) for part in (context, candidates)]
        mean = np.concatenate([part.mean(axis=0) for part in parts])
        deviation = np.concatenate([part.std(axis=0) for part in parts]) + LEAST_DEVIATION
        self.mean.copy_(torch.from_numpy(mean))
        self.deviation.copy_(torch.from_numpy(deviation))

    def forward(
        self, candidates: torch.Tensor, context: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Return logits (B, K); those of closed slots are -1e9."""
        logits = slate_scores(self.folded(), self.layers[1:], context, candidates)
        return logits.masked_fill(~mask, CLOSED)

    def folded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return weight and bias of the first layer on inputs as they come."""
        first: Any = self.layers[0]
        weight: torch.Tensor = first.weight / self.deviation
        return weight, first.bias - weight @ self.mean

    def exported(self) -> nn.Module:
        """Return the same function as plain layers, for the program of a policy."""
        weight, bias = self.folded()
        first = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            first.weight.copy_(weight)
            first.bias.copy_(bias)
        return nn.Sequential(first, *list(self.layers.children())[1:])
