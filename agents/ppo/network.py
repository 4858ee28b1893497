"""The actor-critic of PPO: one scorer for every slate row, a critic over their mean.

With a start, the scorer is what is added to a fixed policy's utility; see `agents.export.start`.
"""

from typing import Any

import torch
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.torch_layers import create_mlp
from torch import nn

from agents.export.start import Start
from agents.training.candidate_network import WholeObservation, slate_scores

Observation = dict[str, torch.Tensor]


class CandidateHeads(nn.Module):
    """Logits (B, K) with weights shared over the slate; values from the mean of open rows."""

    def __init__(
        self,
        n_context: int,
        shape: tuple[int, int],
        widths: list[int],
        start: Start | None = None,
    ) -> None:
        super().__init__()
        self.start = start
        self.latent_dim_pi = shape[0]
        self.latent_dim_vf = widths[-1]
        width = n_context + shape[1]
        self.scorer = nn.Sequential(*create_mlp(width, 1, widths, nn.ReLU))
        self.critic = nn.Sequential(*create_mlp(width, -1, widths, nn.ReLU))

    def forward(self, features: Observation) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits and what values are read from."""
        return self.forward_actor(features), self.forward_critic(features)

    def forward_actor(self, features: Observation) -> torch.Tensor:
        """Return a logit for every slot, shape (B, K); closing slots is the distribution's."""
        layers: Any = self.scorer
        logits = slate_scores(layers[0], layers[1:], features["context"], features["candidates"])
        return logits if self.start is None else logits + self.start(features)

    def forward_critic(self, features: Observation) -> torch.Tensor:
        """Return the hidden units of the mean open row, shape (B, H)."""
        open_ = features["mask"].float().unsqueeze(2)
        n_open = open_.sum(dim=1)
        rows = (features["candidates"].float() * open_).sum(dim=1) / n_open.clamp(min=1.0)
        state = features["context"].float() * (n_open > 0)
        units: torch.Tensor = self.critic(torch.cat([state, rows], dim=1))
        return units


class CandidatePPOPolicy(MaskableActorCriticPolicy):
    """MaskablePPO's policy with `CandidateHeads`; their logits are the distribution's as they are.

    Args:
        *args: As of the base class.
        widths: Hidden layers of scorer and critic.
        start: Policy (shipped name or file) whose utility stays in the logits; none: none does.
        start_scale: What its utility is multiplied by.
        **kwargs: As of the base class.
    """

    def __init__(
        self,
        *args: Any,
        widths: tuple[int, ...] = (32, 32),
        start: str = "",
        start_scale: float = 1.0,
        **kwargs: Any,
    ) -> None:
        self.widths = tuple(widths)
        self.start, self.start_scale = start, start_scale
        kwargs["features_extractor_class"] = WholeObservation
        super().__init__(*args, **kwargs)

    def _build_mlp_extractor(self) -> None:
        space: Any = self.observation_space
        shape = space["candidates"].shape
        start = Start(self.start, self.start_scale) if self.start else None
        heads = CandidateHeads(int(space["context"].shape[0]), shape, list(self.widths), start)
        self.mlp_extractor = heads.to(self.device)  # type: ignore[assignment]

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        self.action_net = nn.Identity()
        if self.start:
            heads: Any = self.mlp_extractor
            last = heads.scorer[-1]
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        self.optimizer = self.optimizer_class(
            self.parameters(),
            lr=lr_schedule(1),  # type: ignore[call-arg]
            **self.optimizer_kwargs,
        )

    def _get_constructor_parameters(self) -> dict[str, Any]:
        found = super()._get_constructor_parameters()
        del found["features_extractor_class"]
        about = {"widths": self.widths, "start": self.start, "start_scale": self.start_scale}
        return {**found, **about}
