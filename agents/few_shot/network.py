"""The embedding, the three heads, and their export to numpy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from agents.exporting import array, cell_tensors, layers_ops
from agents.few_shot.config import FewShotConfig
from lal.policies.subset_features import (
    N_DIVERSITY,
    N_KNOWN,
    N_ORDER,
    N_STATISTICS,
    diversity_features,
    known_features,
)
from lal.policies.subset_policy import HEADS, SubsetPolicy

Parts = tuple[dict[str, Any], dict[str, np.ndarray]]
"""Programs by role and their tensors."""


def make_embedding(n_columns: int, width: int) -> nn.Sequential:
    """Return a perceptron with one hidden layer of 64."""
    return nn.Sequential(nn.Linear(n_columns, 64), nn.ReLU(), nn.Linear(64, width))


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


class OneStepHead(nn.Module):
    """Bidirectional GRU over the set in order; scores do not change while choosing."""

    def __init__(self, config: FewShotConfig) -> None:
        super().__init__()
        hidden = config.hidden
        self.forward_cell = nn.GRUCell(config.embedding + N_ORDER, hidden)
        self.backward_cell = nn.GRUCell(config.embedding + N_ORDER, hidden)
        self.score = nn.Sequential(
            nn.Linear(2 * hidden + N_ORDER, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def start(self, world: "World") -> Tensor:
        """Return the scores of all items, shape (B, N)."""
        inputs = torch.cat([_tensor(world.Z), _tensor(world.places)], dim=2)
        found = []
        for cell, order in ((self.forward_cell, 1), (self.backward_cell, -1)):
            h = torch.zeros(len(inputs), cell.hidden_size)
            states = []
            for i in range(inputs.shape[1])[::order]:
                h = cell(inputs[:, i], h)
                states.append(h)
            found.append(torch.stack(states[::order], dim=1))
        scores: Tensor = self.score(torch.cat([*found, _tensor(world.places)], dim=2))[..., 0]
        return scores

    def logits(self, state: Tensor, world: "World", chosen: np.ndarray) -> Tensor:
        """Return the logits, shape (B, N)."""
        return state

    def advance(self, state: Tensor, world: "World", picked: Tensor) -> Tensor:
        """Return the state; labels are not looked at."""
        return state

    def programs(self) -> Parts:
        """Return programs and tensors."""
        programs: dict[str, Any] = {}
        tensors: dict[str, np.ndarray] = {}
        for role, cell in (("forward", self.forward_cell), ("backward", self.backward_cell)):
            names, found = cell_tensors(cell, role)
            op = {"op": "gru_cell", "in": ["context", "h"], "out": ["next"], **names}
            programs[role] = {"ops": [op], "output": "next"}
            tensors |= found
        ops, found, last = layers_ops(self.score, prefix="score", source="candidates")
        return {**programs, "score": {"ops": ops, "output": last}}, {**tensors, **found}


class SequentialHead(nn.Module):
    """Similarities gated by a controller that has read the labels bought so far."""

    def __init__(self, config: FewShotConfig) -> None:
        super().__init__()
        self.read = nn.GRUCell(config.embedding + config.n_classes + 1, config.hidden)
        self.gate = nn.Linear(config.hidden, N_KNOWN)
        self.match = nn.Linear(config.hidden, config.embedding)
        self.weigh = nn.Linear(N_KNOWN, 1)
        nn.init.zeros_(self.match.weight)
        nn.init.zeros_(self.match.bias)

    def start(self, world: "World") -> Tensor:
        """Return the controllers' memories, shape (B, hidden)."""
        return torch.zeros(len(world.Z), self.read.hidden_size)

    def logits(self, state: Tensor, world: "World", chosen: np.ndarray) -> Tensor:
        """Return the logits, shape (B, N)."""
        known = _tensor(known_features(world.S, chosen))
        gated = known * torch.sigmoid(self.gate(state))[:, None]
        matched = (_tensor(world.Z) * self.match(state)[:, None]).sum(dim=2)
        logits: Tensor = self.weigh(gated)[..., 0] + matched
        return logits

    def advance(self, state: Tensor, world: "World", picked: Tensor) -> Tensor:
        """Read the labels of the items picked."""
        rows = torch.arange(len(picked))
        told = _tensor(world.one_hot)[rows, picked]
        after: Tensor = self.read(torch.cat([_tensor(world.Z)[rows, picked], told], dim=1), state)
        return after

    def programs(self) -> Parts:
        """Return programs and tensors."""
        names, tensors = cell_tensors(self.read, "read")
        read = {"op": "gru_cell", "in": ["context", "h"], "out": ["next"], **names}
        width = self.match.out_features
        for name, layer in (("gate", self.gate), ("match", self.match)):
            tensors |= {f"{name}.weight": array(layer.weight), f"{name}.bias": array(layer.bias)}
        tensors["weigh.weight"] = np.concatenate(
            [array(self.weigh.weight), np.ones((1, width), dtype=np.float32)], axis=1
        )
        tensors["weigh.bias"] = array(self.weigh.bias)
        affine = {
            name: {"op": "affine", "weight": f"{name}.weight", "bias": f"{name}.bias"}
            for name in ("gate", "match", "weigh")
        }
        score = [
            {**affine["gate"], "in": ["context"], "out": ["a"]},
            {"op": "sigmoid", "in": ["a"], "out": ["g"]},
            {**affine["match"], "in": ["context"], "out": ["m"]},
            {"op": "concat", "in": ["g", "m"], "out": ["k"]},
            {"op": "mul", "in": ["candidates", "k"], "out": ["f"]},
            {**affine["weigh"], "in": ["f"], "out": ["u"]},
        ]
        programs = {
            "read": {"ops": [read], "output": "next"},
            "score": {"ops": score, "output": "u"},
        }
        return programs, tensors


class BatchHead(nn.Module):
    """log quality of an item plus log diversity of it given those chosen before."""

    def __init__(self, config: FewShotConfig) -> None:
        super().__init__()
        hidden = config.hidden
        self.quality = nn.Sequential(
            nn.Linear(N_STATISTICS, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )
        self.diversity = nn.Sequential(
            nn.Linear(N_DIVERSITY, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def start(self, world: "World") -> Tensor:
        """Return the log qualities, shape (B, N)."""
        values: Tensor = self.quality(_tensor(world.statistics))[..., 0]
        return values

    def logits(self, state: Tensor, world: "World", chosen: np.ndarray) -> Tensor:
        """Return the logits, shape (B, N)."""
        apart: Tensor = self.diversity(_tensor(diversity_features(world.S, chosen)))[..., 0]
        return state + apart

    def advance(self, state: Tensor, world: "World", picked: Tensor) -> Tensor:
        """Return the state; labels are not looked at."""
        return state

    def programs(self) -> Parts:
        """Return programs and tensors."""
        n = N_STATISTICS
        split = [
            {"op": "select", "in": ["candidates"], "out": ["w"], "columns": list(range(n))},
            {"op": "select", "in": ["candidates"], "out": ["v"],
             "columns": list(range(n, n + N_DIVERSITY))},
        ]  # fmt: skip
        quality, first, q = layers_ops(self.quality, prefix="quality", source="w")
        diversity, second, v = layers_ops(self.diversity, prefix="diversity", source="v")
        add = {"op": "add", "in": [q, v], "out": ["u"]}
        score = {"ops": [*split, *quality, *diversity, add], "output": "u"}
        return {"score": score}, {**first, **second}


Head = OneStepHead | SequentialHead | BatchHead


class World:
    """A batch of embedded episodes as the heads see it; labels reach only `advance`."""

    def __init__(self, Z: np.ndarray, S: np.ndarray, labels: np.ndarray, C: int) -> None:
        self.Z, self.S = Z, S
        self.one_hot = (labels[..., None] == np.arange(C + 1)).astype(np.float32)
        self.places = np.zeros(0)
        self.statistics = np.zeros(0)


def make_head(config: FewShotConfig) -> Head:
    """Return a head with fresh weights from torch's generator."""
    if config.head == "one_step":
        return OneStepHead(config)
    return SequentialHead(config) if config.head == "sequential" else BatchHead(config)


def export(
    embedding: nn.Sequential, head: Head, config: FewShotConfig, card: Mapping[str, Any]
) -> SubsetPolicy:
    """Return the policy that numpy runs; logits are equal to 1e-4."""
    ops, tensors, last = layers_ops(embedding, prefix="embed", source="candidates")
    programs, found = head.programs()
    return SubsetPolicy(
        name=f"few-shot-{config.head}",
        sizes={
            "head": HEADS.index(config.head),
            "classes": config.n_classes,
            "columns": int(array(embedding[0].weight).shape[1]),  # type: ignore[arg-type]
            "embedding": config.embedding,
            "hidden": config.hidden,
        },
        programs={"embed": {"ops": ops, "output": last}, **programs},
        tensors={**tensors, **found},
        card=card,
    )
