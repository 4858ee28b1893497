"""The design network, the differentiable models, and the export to numpy."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from agents.dad.config import DadConfig
from agents.export.torch_layers import array, layers_ops
from envs.design.models import DesignModel, GaussianProcess, LocationFinding, make_model
from lal.errors import UsageError
from lal.policies.design_policy import DesignPolicy


class DesignNetwork(nn.Module):
    """Emit(sum of Enc(design, outcome)); the first design comes from the zero sum."""

    def __init__(self, model: DesignModel, config: DadConfig) -> None:
        super().__init__()
        n_design = model.n_design
        self.encode = nn.Sequential(
            nn.Linear(n_design + 1, config.hidden_size),
            nn.ReLU(),
            nn.Linear(config.hidden_size, config.code_size),
        )
        self.emit = nn.Sequential(nn.Linear(config.code_size, n_design))
        if config.squash:
            self.emit.extend([nn.Tanh(), _box(model)])
        self.code = config.code_size

    def start(self, batch: int) -> Tensor:
        """Return the memories of empty histories, shape (B, code)."""
        dtype = next(self.emit.parameters()).dtype
        return torch.zeros(batch, self.code, dtype=dtype)

    def design(self, memory: Tensor, t: int) -> Tensor:
        """Return the designs after `t` steps, shape (B, D)."""
        designs: Tensor = self.emit(memory)
        return designs

    def advance(self, memory: Tensor, design: Tensor, outcome: Tensor) -> Tensor:
        """Return the memories after an experiment."""
        codes: Tensor = self.encode(torch.cat([design, outcome[:, None]], dim=1))
        return memory + codes


def _box(model: DesignModel) -> nn.Linear:
    """Return the fixed layer that takes (-1, 1) to the model's box."""
    layer = nn.Linear(model.n_design, model.n_design).requires_grad_(False)
    with torch.no_grad():
        layer.weight.copy_(0.5 * (model.high - model.low) * torch.eye(model.n_design))
        layer.bias.fill_(0.5 * (model.high + model.low))
    return layer


class StaticDesigns(nn.Module):
    """T designs, the same for every episode."""

    def __init__(self, n_steps: int, model: DesignModel) -> None:
        super().__init__()
        spread = 0.5 * (model.high - model.low) / 4.0
        self.designs = nn.Parameter(spread * torch.randn(n_steps, model.n_design))

    def start(self, batch: int) -> Tensor:
        """Return memories, which nobody reads."""
        return torch.zeros(batch, 1)

    def design(self, memory: Tensor, t: int) -> Tensor:
        """Return the t-th design for everybody."""
        return self.designs[t].expand(len(memory), -1)

    def advance(self, memory: Tensor, design: Tensor, outcome: Tensor) -> Tensor:
        """Return the memories as they are."""
        return memory


Designer = DesignNetwork | StaticDesigns


def make_designer(config: DadConfig) -> Designer:
    """Return a designer with fresh weights from torch's generator."""
    model = make_model(config.model)
    if config.kind == "static":
        return StaticDesigns(config.n_experiments, model)
    return DesignNetwork(model, config)


def torch_mean(model: DesignModel, parameters: Tensor, design: Tensor) -> Tensor:
    """Return the model's mean outcome, differentiable; equal to ``model.mean``."""
    if isinstance(model, LocationFinding):
        squared = ((design - parameters) ** 2).sum(-1)
        return torch.log(0.1 + 1.0 / (1e-4 + squared))
    if isinstance(model, GaussianProcess):
        omega = torch.arange(1, model.n_basis + 1) * math.pi / (2.0 * model.half_width)
        scale = 0.3 * torch.exp(0.5 * parameters[..., :1])
        density = math.sqrt(2.0 * math.pi) * scale * torch.exp(-0.5 * (omega * scale) ** 2)
        basis = torch.sin(omega * (design + model.half_width)) / math.sqrt(model.half_width)
        return (parameters[..., 1:] * torch.sqrt(density) * basis).sum(-1)
    raise UsageError(f"model {model.name!r} has no differentiable mean")


def export(designer: Designer, config: DadConfig, card: Mapping[str, Any]) -> DesignPolicy:
    """Return the policy that numpy runs; designs are equal to 1e-5.

    A static list becomes a network whose code counts steps: one hot weight row for each step.
    """
    model = make_model(config.model)
    if isinstance(designer, StaticDesigns):
        return _export_static(designer, model, card)
    encode, first, coded = layers_ops(designer.encode, prefix="encode", source="context")
    emit, second, emitted = layers_ops(designer.emit, prefix="emit", source="context")
    return DesignPolicy(
        name=f"dad-{config.model}",
        sizes={"design": model.n_design, "outcome": 1, "code": config.code_size},
        programs={
            "encode": {"ops": encode, "output": coded},
            "emit": {"ops": emit, "output": emitted},
        },
        tensors={**first, **second},
        card=card,
    )


def _export_static(
    designer: StaticDesigns, model: DesignModel, card: Mapping[str, Any]
) -> DesignPolicy:
    """Count the steps in one unit n; the design is a sum of ramps relu(n - k) over k."""
    designs = array(designer.designs).astype(np.float64)
    T, D = designs.shape
    slopes = np.diff(designs, axis=0)
    ramps = np.diff(slopes, axis=0, prepend=np.zeros((1, D))) if T > 1 else np.zeros((0, D))
    return DesignPolicy(
        name=f"static-{model.name}",
        sizes={"design": D, "outcome": 1, "code": 1},
        programs={
            "encode": {
                "ops": [
                    {"op": "affine", "in": ["context"], "out": ["n"], "weight": "none",
                     "bias": "one"},
                ],
                "output": "n",
            },
            "emit": {
                "ops": [
                    {"op": "affine", "in": ["context"], "out": ["k"], "weight": "ones",
                     "bias": "knots"},
                    {"op": "relu", "in": ["k"], "out": ["r"]},
                    {"op": "affine", "in": ["r"], "out": ["xi"], "weight": "ramps",
                     "bias": "first"},
                ],
                "output": "xi",
            },
        },
        tensors={
            "none": np.zeros((1, D + 1)),
            "one": np.ones(1),
            "ones": np.ones((max(T - 1, 1), 1)),
            "knots": -np.arange(max(T - 1, 1), dtype=np.float64),
            "ramps": ramps.T if T > 1 else np.zeros((D, 1)),
            "first": designs[0],
        },
        card=card,
    )  # fmt: skip
