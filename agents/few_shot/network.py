"""The embedding, the four heads, and their export to numpy."""

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from agents.export.torch_layers import array, cell_tensors, layers_ops
from agents.few_shot.config import FewShotConfig
from lal.policies.subset_features import (
    N_DIVERSITY,
    N_KNOWN,
    N_NODE,
    N_ORDER,
    N_STATISTICS,
    Similarities,
    diversity_features,
    known_features,
    neighbours,
    node_features,
)
from lal.policies.subset_policy import HEADS, SubsetPolicy

Parts = tuple[dict[str, Any], dict[str, np.ndarray]]
"""Programs by role and their tensors."""


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


class OneStepHead(nn.Module):
    """Bidirectional GRU over the set in its coverage order; scores do not change while choosing."""

    def __init__(self, config: FewShotConfig) -> None:
        super().__init__()
        hidden = config.hidden_size
        self.cells = nn.GRU(
            config.embedding + N_ORDER, hidden, bidirectional=True, batch_first=True
        )
        self.score = nn.Sequential(
            nn.Linear(2 * hidden + N_ORDER, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def start(self, world: "World") -> Tensor:
        """Return the scores of all items, shape (B, N)."""
        features = _tensor(world.features)
        order = torch.from_numpy(np.argsort(world.place, axis=1))[..., None]
        inputs = torch.cat([_tensor(world.Z), features], dim=2)
        inputs = torch.gather(inputs, 1, order.expand(inputs.shape))
        states, _ = self.cells(inputs)  # (B, N, 2 hidden): forward, then backward
        back = torch.from_numpy(world.place)[..., None].expand(states.shape)
        found = torch.gather(states, 1, back)
        scores: Tensor = self.score(torch.cat([found, features], dim=2))[..., 0]
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
        for role, suffix in (("forward", "_l0"), ("backward", "_l0_reverse")):
            names, found = cell_tensors(self.cells, role, suffix)
            op = {"op": "gru_cell", "in": ["context", "h"], "out": ["next"], **names}
            programs[role] = {"ops": [op], "output": "next"}
            tensors |= found
        ops, found, last = layers_ops(self.score, prefix="score", source="candidates")
        return {**programs, "score": {"ops": ops, "output": last}}, {**tensors, **found}


class SequentialHead(nn.Module):
    """Similarities gated by a controller that has read the labels acquired so far."""

    def __init__(self, config: FewShotConfig) -> None:
        super().__init__()
        self.sees_labels = not config.one_shot
        self.read = nn.GRUCell(config.embedding + config.n_classes + 1, config.hidden_size)
        self.gate = nn.Linear(config.hidden_size, N_KNOWN)
        self.match = nn.Linear(config.hidden_size, config.embedding)
        self.weigh = nn.Linear(N_KNOWN, 1)
        nn.init.zeros_(self.match.weight)
        nn.init.zeros_(self.match.bias)

    def start(self, world: "World") -> Tensor:
        """Return the controllers' memories, shape (B, hidden)."""
        return torch.zeros(len(world.Z), self.read.hidden_size)

    def logits(self, state: Tensor, world: "World", chosen: np.ndarray) -> Tensor:
        """Return the logits, shape (B, N)."""
        known = _tensor(known_features(world.given, chosen))
        gated = known * torch.sigmoid(self.gate(state))[:, None]
        matched = (_tensor(world.Z) * self.match(state)[:, None]).sum(dim=2)
        logits: Tensor = self.weigh(gated)[..., 0] + matched
        return logits

    def advance(self, state: Tensor, world: "World", picked: Tensor) -> Tensor:
        """Read the items picked, and their labels unless they are hidden."""
        rows = torch.arange(len(picked))
        told = _tensor(world.one_hot)[rows, picked] * float(self.sees_labels)
        after: Tensor = self.read(torch.cat([_tensor(world.Z)[rows, picked], told], dim=1), state)
        return after

    def programs(self) -> Parts:
        """Return programs and tensors."""
        names, tensors = cell_tensors(self.read, "read")
        if not self.sees_labels:
            tensors[names["weight_ih"]][:, self.match.out_features :] = 0.0
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
        hidden = config.hidden_size
        self.quality = nn.Sequential(
            nn.Linear(N_STATISTICS, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )
        self.diversity = nn.Sequential(
            nn.Linear(N_DIVERSITY, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def start(self, world: "World") -> Tensor:
        """Return the log qualities, shape (B, N)."""
        values: Tensor = self.quality(_tensor(world.features))[..., 0]
        return values

    def logits(self, state: Tensor, world: "World", chosen: np.ndarray) -> Tensor:
        """Return the logits, shape (B, N)."""
        apart: Tensor = self.diversity(_tensor(diversity_features(world.given, chosen)))[..., 0]
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


class GraphHead(nn.Module):
    """Two graph convolutions over all items: each reads its own features and its neighbours'."""

    def __init__(self, config: FewShotConfig) -> None:
        super().__init__()
        hidden = config.hidden_size
        self.first = nn.Sequential(nn.Linear(2 * N_NODE, hidden), nn.ReLU())
        self.second = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU())
        self.score = nn.Sequential(nn.Linear(hidden + N_NODE, 1))

    def start(self, world: "World") -> Tensor:
        """Return the labels known, -1 for none, shape (B, N)."""
        return torch.full(world.labels.shape, -1)

    def logits(self, state: Tensor, world: "World", chosen: np.ndarray) -> Tensor:
        """Return the logits, shape (B, N)."""
        nodes = _tensor(node_features(world.given, chosen, state.numpy()))
        h, edges = nodes, _tensor(neighbours(world.given.S))
        for layer in (self.first, self.second):
            h = layer(torch.cat([h, edges @ h], dim=2))
        values: Tensor = self.score(torch.cat([h, nodes], dim=2))[..., 0]
        return values

    def advance(self, state: Tensor, world: "World", picked: Tensor) -> Tensor:
        """Read the labels of the items picked."""
        rows = torch.arange(len(picked))
        after = state.clone()
        after[rows, picked] = torch.from_numpy(world.labels)[rows, picked]
        return after

    def programs(self) -> Parts:
        """Return programs and tensors."""
        programs: dict[str, Any] = {}
        tensors: dict[str, np.ndarray] = {}
        for role in ("first", "second", "score"):
            ops, found, last = layers_ops(getattr(self, role), prefix=role, source="candidates")
            programs[role] = {"ops": ops, "output": last}
            tensors |= found
        return programs, tensors


Head = OneStepHead | SequentialHead | BatchHead | GraphHead


class World:
    """A batch of embedded episodes as the heads see it; labels reach only `advance`.

    Attributes:
        Z: Embedded items, shape (B, N, d).
        given: Their similarities.
        labels: Hidden labels, shape (B, N); C for distractors.
        one_hot: The same, shape (B, N, C + 1).
        place: Places in the coverage order (one_step), shape (B, N).
        features: What does not change while choosing (one_step, batch), shape (B, N, k).
    """

    def __init__(self, Z: np.ndarray, given: Similarities, labels: np.ndarray, C: int) -> None:
        self.Z, self.given, self.labels = Z, given, labels
        self.one_hot = (labels[..., None] == np.arange(C + 1)).astype(np.float32)
        self.place = np.zeros(0, dtype=np.int64)
        self.features = np.zeros(0)

    def repeated(self, copies: int) -> "World":
        """Return every episode `copies` times, copies side by side."""
        found = copy(self)
        for name in ("Z", "labels", "one_hot", "place", "features"):
            setattr(found, name, np.repeat(getattr(self, name), copies, axis=0))
        found.given = Similarities(*(np.repeat(part, copies, axis=0) for part in self.given))
        return found


HEADS_BY_NAME: Mapping[str, Callable[[FewShotConfig], Head]] = {
    "one_step": OneStepHead,
    "sequential": SequentialHead,
    "batch": BatchHead,
    "graph": GraphHead,
}


def make_head(config: FewShotConfig) -> Head:
    """Return a head with fresh weights from torch's generator."""
    return HEADS_BY_NAME[config.head](config)


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
            "hidden": config.hidden_size,
        },
        programs={"embed": {"ops": ops, "output": last}, **programs},
        tensors={**tensors, **found},
        card=card,
    )
