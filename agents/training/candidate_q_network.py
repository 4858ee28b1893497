"""The Q network: one scorer for every slate row, and the policy that holds it."""

from collections.abc import Mapping
from typing import Any

import torch
from stable_baselines3.common.torch_layers import create_mlp
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.dqn.policies import DQNPolicy, QNetwork

from agents.training.candidate_network import WholeObservation, slate_scores

MASKED_Q = -1e8
"""Q of a closed slot. Not -inf: 0 * inf in the target of a terminal state would be nan."""


class CandidateQNetwork(QNetwork):
    """Q(context, candidate) with weights shared over the rows of the slate."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        space = self.observation_space
        width = int(space["context"].shape[0] + space["candidates"].shape[1])  # type: ignore[index]
        layers = create_mlp(width, 1, self.net_arch, self.activation_fn)
        self.q_net = torch.nn.Sequential(*layers)

    def score(self, context: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Return Q of every candidate; (B, G) and (B, K, F) to (B, K)."""
        layers: Any = self.q_net
        return slate_scores(layers[0], layers[1:], context, candidates)

    def forward(self, obs: PyTorchObs) -> torch.Tensor:
        """Return Q of every slot, closed ones at `MASKED_Q`; shape (B, K)."""
        if not isinstance(obs, dict):
            raise TypeError(f"expected a dict observation, got {type(obs).__name__}")
        q = self.score(obs["context"], obs["candidates"])
        return q.masked_fill(obs["mask"] < 0.5, MASKED_Q)

    def get_value(self, obs: Mapping[str, torch.Tensor], slots: torch.Tensor) -> torch.Tensor:
        """Return Q of one slot of every observation; slots (B, 1) to (B, 1).

        Learning needs no other Q of a state whose action is known, which is most of its work.
        """
        candidates = obs["candidates"]
        index = slots.long().unsqueeze(2).expand(-1, 1, candidates.shape[2])
        return self.score(obs["context"], torch.gather(candidates, 1, index))


class CandidateDQNPolicy(DQNPolicy):
    """Holds the online and the target `CandidateQNetwork`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["features_extractor_class"] = WholeObservation
        super().__init__(*args, **kwargs)

    def make_q_net(self) -> CandidateQNetwork:
        """Return a fresh network; called once for online, once for target."""
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        return CandidateQNetwork(**arguments).to(self.device)
