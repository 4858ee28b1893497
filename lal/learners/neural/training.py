"""Training of a stack of networks on labelled rows."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import nn

from lal.learners.neural.loss_head import JOINED, make_loss_head, pair_loss, predicted_losses
from lal.learners.neural.network import (
    Params,
    Shape,
    Tensor,
    make_params,
    run_body,
    run_dense,
    run_hidden,
)


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
        shift: Largest shift of drawings in pixels, in each direction; drawn for each step.
        mixup: Train on mixtures of two rows and their labels (Zhang et al. 2018).
        stop_loss: Training ends once the mean loss of the labelled rows is below it.
        loss_weight: Of a head that learns to predict losses; none at 0.
        consistency: Weight of the squared change of predictions of the pool's rows under noise and
            dropout, for a learner that is bound to a pool.
    """

    max_epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    dropout: float = 0.3
    noise: float = 0.0
    shift: int = 0
    mixup: bool = False
    stop_loss: float = 0.02
    loss_weight: float = 0.0
    consistency: float = 0.0


@dataclass(frozen=True, eq=False)
class Rows:
    """What a stack is trained on.

    Attributes:
        rows: Labelled rows, shape (L, D).
        codes: Positions of their classes, shape (L,).
        weights: Of the rows, mean 1, shape (L,).
        pool: Rows without regard to labels, shape (N, D); None without.
    """

    rows: Tensor
    codes: Tensor
    weights: Tensor
    pool: Tensor | None = None


class Trained(NamedTuple):
    """What training gives.

    Attributes:
        params: Weights.
        head: Weights of the loss head; empty without one.
        true: Probability of the true class after each epoch, shape (epochs, L).
        correct: Share of members that are right, shape (epochs, L).
    """

    params: Params
    head: Params
    true: Tensor
    correct: Tensor


def train(data: Rows, shape: Shape, recipe: Recipe, seed: int) -> Trained:
    """Return trained weights, and what happened epoch by epoch.

    Every member sees the rows in an order of its own. Early stopping looks at the labelled rows
    alone: no row is held out, so no label is spent on it.

    Args:
        data: Labelled rows, and those of the pool.
        shape: Of the networks.
        recipe: How they are trained.
        seed: Of all draws.
    """
    generator = torch.Generator().manual_seed(seed)
    stack = Stack(make_params(shape, generator), shape, recipe, generator)
    if recipe.loss_weight > 0.0:
        stack.head = make_loss_head(shape, generator)
    leaves = [t.requires_grad_() for layer in (*stack.params, *stack.head) for t in layer]
    optimiser = torch.optim.Adam(leaves, recipe.learning_rate, weight_decay=recipe.weight_decay)
    diary, hits, every = [], [], torch.arange(len(data.rows))
    for epoch in range(recipe.max_epochs):
        order = torch.stack(
            [torch.randperm(len(data.rows), generator=generator) for _ in range(shape.n_members)]
        )
        stack.joined = epoch < JOINED * recipe.max_epochs
        for batch in torch.split(order, recipe.batch_size, dim=1):
            optimiser.zero_grad()
            part = Batch(data.rows[batch], data.codes[batch], data.weights[batch])
            loss = stack.loss(part)
            if data.pool is not None and recipe.consistency > 0.0:
                loss = loss + recipe.consistency * stack.inconsistency(data.pool)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        with torch.no_grad():
            proba = member_proba(stack.params, data.rows, shape)
            true = proba[:, every, data.codes]
            diary.append(true.mean(dim=0))
            hits.append((proba.argmax(dim=2) == data.codes).float().mean(dim=0))
            if float(-torch.log(true.clamp_min(1e-12)).mean()) < recipe.stop_loss:
                break
    params, head = (
        [(w.detach(), b.detach()) for w, b in part] for part in (stack.params, stack.head)
    )
    return Trained(params, head, torch.stack(diary), torch.stack(hits))


class Batch(NamedTuple):
    """Rows of one gradient step, each member's own: (M, n, D), codes and weights (M, n)."""

    rows: Tensor
    codes: Tensor
    weights: Tensor


@dataclass
class Stack:
    """A stack while it is trained.

    Attributes:
        params: Weights.
        shape: Of the networks.
        recipe: How they are trained.
        generator: Draws noise and dropout.
        head: Weights of the loss head; empty without one.
        joined: Whether the head's gradient reaches the network.
    """

    params: Params
    shape: Shape
    recipe: Recipe
    generator: torch.Generator
    head: Params = field(default_factory=list)
    joined: bool = True

    def loss(self, batch: Batch) -> Tensor:
        """Return the weighted cross-entropy of a batch and the head's loss, over the members."""
        rows = batch.rows
        if self.recipe.noise > 0.0:
            rows = self._noisy(rows)
        if self.recipe.shift > 0 and self.shape.image is not None:
            rows = shifted(rows, self.shape.image, self.recipe.shift, self.generator)
        share = torch.rand(rows.shape[:2], generator=self.generator) if self.recipe.mixup else None
        if share is not None:
            rows = share[..., None] * rows + (1.0 - share[..., None]) * rows.flip(1)
        features, layers = run_body(self.params, rows, self.shape), self.params[self.shape.n_body :]
        hidden = run_hidden(layers, features, self.recipe.dropout, self.generator)
        scores = torch.baddbmm(layers[-1][1], hidden[-1], layers[-1][0])
        losses = nn.functional.cross_entropy(
            scores.flatten(0, 1), batch.codes.flatten(), reduction="none"
        )
        if share is not None:
            other = nn.functional.cross_entropy(
                scores.flatten(0, 1), batch.codes.flip(1).flatten(), reduction="none"
            )
            losses = share.flatten() * losses + (1.0 - share.flatten()) * other
        loss = (losses * batch.weights.flatten()).sum() / rows.shape[1]
        if not self.head:
            return loss
        read = hidden if self.joined else [layer.detach() for layer in hidden]
        predicted = predicted_losses(self.head, read)
        return loss + self.recipe.loss_weight * pair_loss(predicted, losses.view_as(predicted))

    def inconsistency(self, pool: Tensor) -> Tensor:
        """Return the squared change of predictions under noise and dropout, over the members."""
        size = min(2 * self.recipe.batch_size, len(pool))
        some = pool[torch.randint(len(pool), (size,), generator=self.generator)]
        with torch.no_grad():
            wanted = member_proba(self.params, some, self.shape)
        rows = self._noisy(some.expand(self.shape.n_members, *some.shape))
        features, layers = run_body(self.params, rows, self.shape), self.params[self.shape.n_body :]
        _, scores = run_dense(layers, features, self.recipe.dropout, self.generator)
        change = torch.softmax(scores, dim=2) - wanted
        return change.square().sum(dim=2).mean(dim=1).sum()

    def _noisy(self, rows: Tensor) -> Tensor:
        return rows + self.recipe.noise * torch.randn(rows.shape, generator=self.generator)


def shifted(
    rows: Tensor, image: tuple[int, int, int], most: int, generator: torch.Generator
) -> Tensor:
    """Return drawings moved by up to `most` pixels, all alike; what leaves comes in opposite."""
    down, right = torch.randint(-most, most + 1, (2,), generator=generator).tolist()
    drawings = rows.reshape(*rows.shape[:-1], *image)
    return torch.roll(drawings, (down, right), dims=(-2, -1)).reshape(rows.shape)


def member_proba(params: Params, rows: Tensor, shape: Shape) -> Tensor:
    """Return the members' probabilities without dropout, (n, D) to (M, n, C)."""
    features = run_body(params, rows.expand(shape.n_members, *rows.shape), shape)
    return torch.softmax(run_dense(params[shape.n_body :], features)[1], dim=2)
