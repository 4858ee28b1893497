"""Training of a stack of networks on labelled rows."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from lal.learners.neural.network import Params, Shape, Tensor, make_params, run_body, run_dense


@dataclass(frozen=True)
class Recipe:
    """How a stack is trained.

    Attributes:
        max_epochs: Passes over the labelled rows at most.
        batch_size: Rows of one gradient step.
        learning_rate: Of Adam.
        weight_decay: Ridge of the weights.
        dropout: Share of each hidden dense layer that is cleared.
        noise: Standard deviation of the noise added to the rows, in their scale.
        stop_loss: Training ends once the mean loss of the labelled rows is below it.
    """

    max_epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    dropout: float = 0.3
    noise: float = 0.0
    stop_loss: float = 0.02


def train(
    rows: Tensor, codes: Tensor, weights: Tensor, shape: Shape, recipe: Recipe, seed: int
) -> tuple[Params, Tensor]:
    """Return trained weights, and the true class's probability after each epoch, (epochs, L).

    Every member sees the rows in an order of its own. Early stopping looks at the labelled rows
    alone: no row is held out, so no label is spent on it.

    Args:
        rows: Labelled rows, shape (L, D).
        codes: Positions of their classes, shape (L,).
        weights: Of the rows, mean 1, shape (L,).
        shape: Of the networks.
        recipe: How they are trained.
        seed: Of all draws.
    """
    generator = torch.Generator().manual_seed(seed)
    params = make_params(shape, generator)
    leaves = [tensor.requires_grad_() for layer in params for tensor in layer]
    optimiser = torch.optim.Adam(leaves, recipe.learning_rate, weight_decay=recipe.weight_decay)
    diary = []
    for _ in range(recipe.max_epochs):
        order = torch.stack(
            [torch.randperm(len(rows), generator=generator) for _ in range(shape.n_members)]
        )
        for batch in torch.split(order, recipe.batch_size, dim=1):
            optimiser.zero_grad()
            part = Batch(rows[batch], codes[batch], weights[batch])
            _loss(params, part, shape, recipe, generator).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        with torch.no_grad():
            proba = member_proba(params, rows, shape)
            true = proba[:, torch.arange(len(rows)), codes]
            diary.append(true.mean(dim=0))
            if float(-torch.log(true.clamp_min(1e-12)).mean()) < recipe.stop_loss:
                break
    return [(w.detach(), b.detach()) for w, b in params], torch.stack(diary)


class Batch(NamedTuple):
    """Rows of one gradient step, each member's own: (M, n, D), codes and weights (M, n)."""

    rows: Tensor
    codes: Tensor
    weights: Tensor


def _loss(
    params: Params, batch: Batch, shape: Shape, recipe: Recipe, generator: torch.Generator
) -> Tensor:
    """Return the weighted cross-entropy of a batch, summed over the members."""
    rows = batch.rows
    if recipe.noise > 0.0:
        rows = rows + recipe.noise * torch.randn(rows.shape, generator=generator)
    features = run_body(params, rows, shape)
    _, scores = run_dense(params[shape.n_body :], features, recipe.dropout, generator)
    losses = nn.functional.cross_entropy(
        scores.flatten(0, 1), batch.codes.flatten(), reduction="none"
    )
    return (losses * batch.weights.flatten()).sum() / rows.shape[1]


def member_proba(params: Params, rows: Tensor, shape: Shape) -> Tensor:
    """Return the members' probabilities without dropout, (n, D) to (M, n, C)."""
    features = run_body(params, rows.expand(shape.n_members, *rows.shape), shape)
    return torch.softmax(run_dense(params[shape.n_body :], features)[1], dim=2)
