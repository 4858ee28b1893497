"""Two networks that agree about two views of a row, and not about rows chosen to be told apart."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.learners.capabilities import last_layer_gradient
from lal.learners.neural.network import Params, Shape, Tensor, make_params
from lal.learners.neural.representations import LEARNING_RATE, run
from lal.learners.neural.scaling import Scaling, make_scaling

HIDDEN, EPOCHS, BATCH, NEGATIVES, TEMPERATURE = 64, 30, 64, 32, 0.1
"""Width of the hidden layers; passes over the rows; rows of a step; rows told apart in it; of the
contrast."""


class TwoViewEncoder:
    """Rows to the codes of both of their views."""

    def __init__(self, nets: tuple[Params, Params], scaling: Scaling) -> None:
        self.nets, self.scaling = nets, scaling

    def views(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return the codes of the first and of the second half of the columns, each (n, d / 2)."""
        halves = split(self.scaling.apply(rows))
        with torch.no_grad():
            first, second = (
                run(net, half).double().numpy() for net, half in zip(self.nets, halves, strict=True)
            )
        return first, second

    def __call__(self, rows: Floats) -> Floats:
        """Return both codes side by side, (n, D) to (n, d)."""
        return np.hstack(self.views(rows))


def two_views(rows: Floats, n_columns: int) -> TwoViewEncoder:
    """Codes of the two halves of the columns, by contrast with actively chosen negatives."""
    return train_two_views(rows, n_columns, choose_negatives)


def train_two_views(
    rows: Floats,
    n_columns: int,
    choose: Callable[[Floats, Floats, np.random.Generator], Ints],
    seed: int = 0,
) -> TwoViewEncoder:
    """Return networks of the two views, each half of the columns.

    A row's view is to be nearest to its own other view, among that and those of the negatives;
    these are chosen anew from all rows once an epoch. Source: Ma, Zeng, McDuff & Song (2021),
    "Active contrastive learning of audio-visual representations" (CM-ACC), with halves of the
    columns in place of sound and picture, and without momentum.

    Args:
        rows: Shape (N, D), D at least 2.
        n_columns: d, of both codes together.
        choose: Codes of all rows and of the negatives so far, and a generator, to the next ones.
        seed: Of weights, orders and choices.
    """
    if rows.shape[1] < 2:
        raise UsageError("two views need at least two columns, got one")
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    scaling = make_scaling(rows, by_column=True)
    halves = split(scaling.apply(rows))
    sizes = [Shape(1, half.shape[1], (HIDDEN,), max(n_columns // 2, 1)) for half in halves]
    nets = make_params(sizes[0], generator), make_params(sizes[1], generator)
    leaves = [tensor.requires_grad_() for net in nets for layer in net for tensor in layer]
    optimiser = torch.optim.Adam(leaves, LEARNING_RATE)
    negatives = rng.permutation(len(rows))[:NEGATIVES]
    for _ in range(EPOCHS):
        with torch.no_grad():
            codes = [normalize(run(net, half)).double().numpy()
                     for net, half in zip(nets, halves, strict=True)]  # fmt: skip
        negatives = choose(codes[0], codes[1][negatives], rng)
        for few in torch.split(torch.randperm(len(rows), generator=generator), BATCH):
            optimiser.zero_grad()
            loss = contrast(nets, halves, few, torch.as_tensor(negatives))
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    first, second = ([(w.detach(), b.detach()) for w, b in net] for net in nets)
    return TwoViewEncoder((first, second), scaling)


def contrast(
    nets: tuple[Params, Params], halves: tuple[Tensor, Tensor], few: Tensor, negatives: Tensor
) -> Tensor:
    """Return the loss of telling a row's other view from those of negatives, in both directions."""
    own = [normalize(run(net, half[few])) for net, half in zip(nets, halves, strict=True)]
    other = [normalize(run(net, half[negatives])) for net, half in zip(nets, halves, strict=True)]
    right = (own[0] * own[1]).sum(dim=1, keepdim=True)
    itself = few[:, None] == negatives  # a negative that is the row itself says nothing
    losses = []
    for here, there in ((0, 1), (1, 0)):
        wrong = (own[here] @ other[there].T).masked_fill(itself, -torch.inf)
        scores = torch.cat([right, wrong], dim=1) / TEMPERATURE
        losses.append(cross_entropy(scores, torch.zeros(len(few), dtype=torch.int64)))
    return torch.stack(losses).mean()


def choose_negatives(codes: Floats, keys: Floats, rng: np.random.Generator) -> Ints:
    """Return rows whose gradients are large and different, by k-means++, shape (NEGATIVES,).

    The gradient of a row is that of the contrast for the key it is taken for, in the last layer.

    Args:
        codes: Of all rows in the first view, of length 1, shape (N, h).
        keys: Of the negatives so far in the second view, shape (n, h).
        rng: Draws.
    """
    scores = codes @ keys.T / TEMPERATURE
    proba = np.exp(scores - scores.max(axis=1, keepdims=True))
    gradients = last_layer_gradient(proba / proba.sum(axis=1, keepdims=True), codes)
    return plus_plus(gradients, min(NEGATIVES, len(codes)), rng)


def plus_plus(points: Floats, n: int, rng: np.random.Generator) -> Ints:
    """Return n points by k-means++: each with probability proportional to its squared distance."""
    chosen = [int(np.einsum("ij,ij->i", points, points).argmax())]
    squares = np.full(len(points), np.inf)
    while len(chosen) < n:
        squares = np.minimum(squares, np.square(points - points[chosen[-1]]).sum(axis=1))
        squares[chosen] = 0.0
        total = squares.sum()
        left = np.setdiff1d(np.arange(len(points)), chosen)
        share = squares[left] / total if total > 0 else None
        chosen.append(int(rng.choice(left, p=share)))
    return np.array(chosen, dtype=np.int64)


def split(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and the second half of the columns."""
    half = rows.shape[1] // 2
    return rows[:, :half], rows[:, half:]
