"""UncertainGCN and CoreGCN: a graph network that tells labelled rows from unlabelled ones."""

import numpy as np
import torch

from lal.arrays import Floats, Ints
from lal.learners.neural.network import Params, Shape, Tensor, make_params
from lal.state import QueryState
from lal.strategies.spaces import SPACES, Farthest, Selector, SpaceStrategy

MOST = 2000
"""Rows of the reference set, besides the labelled ones, that the graph has."""

HIDDEN, EPOCHS, LEARNING_RATE, WEIGHT, DROPOUT = 128, 200, 1e-3, 1.2, 0.3
"""Of the paper: hidden units, steps, of Adam, weight of unlabelled rows, share of units cleared."""

MARGIN = 0.1
"""Confidence near which UncertainGCN asks, as in the authors' code."""


def adjacency(points: Floats) -> Floats:
    """Return ``(X X' - I) / degree + I`` of points scaled to length 1, shape (n, n)."""
    length = np.linalg.norm(points, axis=1, keepdims=True)
    unit = points / np.where(length > 0, length, 1.0)
    near = np.maximum(unit @ unit.T, 0.0)
    np.fill_diagonal(near, 0.0)
    linked: Floats = near / np.maximum(near.sum(axis=1, keepdims=True), 1e-12) + np.eye(len(near))
    return linked


def train_gcn(points: Floats, labelled: Floats, seed: int) -> tuple[Floats, Floats]:
    """Return P(labelled) and the hidden features, shapes (n,) and (n, HIDDEN).

    Args:
        points: Shape (n, d).
        labelled: 1 for nodes with a label, shape (n,).
        seed: Of weights and dropout.
    """
    generator = torch.Generator().manual_seed(seed)
    length = np.linalg.norm(points, axis=1, keepdims=True)
    rows = torch.as_tensor(points / np.where(length > 0, length, 1.0), dtype=torch.float32)
    links = torch.as_tensor(adjacency(points), dtype=torch.float32)
    known = torch.as_tensor(labelled, dtype=torch.bool)
    params = make_params(Shape(1, rows.shape[1], (HIDDEN,), 1), generator)
    leaves = [tensor.requires_grad_() for layer in params for tensor in layer]
    optimiser = torch.optim.Adam(leaves, LEARNING_RATE, weight_decay=5e-4)
    spread = links @ rows
    for _ in range(EPOCHS):
        logits, _ = _forward(params, links, spread, generator)
        loss = -torch.nn.functional.logsigmoid(logits[known]).mean()
        loss = loss - WEIGHT * torch.nn.functional.logsigmoid(-logits[~known]).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        logits, hidden = _forward(params, links, spread, None)
    return torch.sigmoid(logits).double().numpy(), hidden.double().numpy()


def _forward(
    params: Params, links: Tensor, spread: Tensor, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    (first, bias), (second, last) = params
    hidden = (spread @ first[0] + bias[0]).relu()
    if generator is not None:
        kept = torch.rand(hidden.shape, generator=generator) >= DROPOUT
        hidden = hidden * kept / (1.0 - DROPOUT)
    return (links @ hidden @ second[0] + last[0])[:, 0], hidden


class _Graph:
    """Nodes of the graph and what the network says of them."""

    def __init__(self, state: QueryState, space: str, who: str, rng: np.random.Generator) -> None:
        rows = np.union1d(state.reference[:MOST], state.labelled)
        self.rows: Ints = rows[rows < state.N]
        labelled = np.isin(self.rows, state.labelled).astype(np.float64)
        points = SPACES[space](state, who)[self.rows]
        self.proba, self.hidden = train_gcn(points, labelled, int(rng.integers(2**31)))


class UncertainGcn:
    """Asks for the rows whose P(labelled) under the graph network is nearest to 0.1.

    Source: Caramalau, Bhattarai & Kim (2021), "Sequential graph convolutional network for active
    learning", with the margin of the authors' code.

    Args:
        space: A name in `lal.strategies.spaces.SPACES`.
    """

    def __init__(self, space: str = "view") -> None:
        self.space = space

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return ``-|p - 0.1|``, -1 outside the graph, shape (N,); zeros without a label."""
        if len(state.labelled) == 0 or len(state.open) == 0:
            return np.zeros(state.N)
        graph = _Graph(state, self.space, "UncertainGcn", rng)
        utilities = np.full(state.N, -1.0)
        utilities[graph.rows] = -np.abs(graph.proba - MARGIN)
        return utilities


class CoreGcn(SpaceStrategy):
    """Core-set among the hidden features of the graph network.

    Rows outside the graph are where the origin is. Source: Caramalau, Bhattarai & Kim (2021).

    Args:
        space: A name in `lal.strategies.spaces.SPACES`.
    """

    def __init__(self, space: str = "view") -> None:
        super().__init__(space)
        self.name = space

    def begin(self, state: QueryState, rng: np.random.Generator, size: int) -> Selector:
        """Return distances among the hidden features, the labelled rows taken."""
        if len(state.labelled) == 0 or len(state.open) == 0:
            return Farthest(self.points(state), state.labelled)
        graph = _Graph(state, self.name, "CoreGcn", rng)
        hidden = np.zeros((state.N, HIDDEN))
        hidden[graph.rows] = graph.hidden
        return Farthest(hidden, state.labelled)
