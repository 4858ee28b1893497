"""A learner whose whole state is one torch network and its optimiser."""

from pathlib import Path
from typing import TypeVar

import torch

from agents.training.checkpoints import load_torch, save_torch
from agents.training.config import RunConfig
from agents.training.learner import Learner

C = TypeVar("C", bound=RunConfig)

STATE = "state.pt"


class TorchLearner(Learner[C]):
    """Keeps checkpoints of `network` and `optimiser`, which the subclass sets when it is made."""

    network: torch.nn.Module
    optimiser: torch.optim.Optimizer

    def save(self, folder: Path) -> None:
        """Write weights and the optimiser's state."""
        state = {"weights": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}
        save_torch(folder / STATE, state)

    def load(self, folder: Path) -> None:
        """Take up a checkpoint."""
        state = load_torch(folder / STATE)
        self.network.load_state_dict(state["weights"])
        self.optimiser.load_state_dict(state["optimiser"])

    def step(self, loss: torch.Tensor, *, max_norm: float | None = None) -> None:
        """Take one gradient step.

        Args:
            loss: What is made smaller.
            max_norm: Longest gradient; None: any.
        """
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), max_norm)
        self.optimiser.step()
