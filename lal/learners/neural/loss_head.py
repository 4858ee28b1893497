"""A head that predicts the loss of a row from all hidden layers, trained beside the network."""

import torch

from lal.learners.neural.network import Params, Shape, Tensor

WIDTH = 16
"""Units that read each hidden layer."""

MARGIN = 1.0
"""How far the predictions of two rows of different loss are to lie apart."""

JOINED = 0.6
"""Share of the epochs in which the head's gradient reaches the network."""


def make_loss_head(shape: Shape, generator: torch.Generator) -> Params:
    """Return one layer for each hidden layer, and one that joins them."""
    sizes = [(given, WIDTH) for given in shape.hidden] + [(WIDTH * len(shape.hidden), 1)]
    head = []
    for given, made in sizes:
        weight = torch.randn(shape.n_members, given, made, generator=generator)
        head.append((weight * (2.0 / given) ** 0.5, torch.zeros(shape.n_members, 1, made)))
    return head


def predicted_losses(head: Params, hidden: list[Tensor]) -> Tensor:
    """Return the predicted loss of each row, shape (M, n).

    Args:
        head: See `make_loss_head`.
        hidden: All hidden layers, each (M, n, h).
    """
    taps = [
        torch.baddbmm(bias, layer, weight).relu()
        for (weight, bias), layer in zip(head[:-1], hidden, strict=True)
    ]
    weight, bias = head[-1]
    return torch.baddbmm(bias, torch.cat(taps, dim=2), weight)[:, :, 0]


def pair_loss(predicted: Tensor, losses: Tensor) -> Tensor:
    """Return ``mean max(0, 1 - sign(l_i - l_j) (p_i - p_j))`` over pairs, summed over members.

    A row of the first half is paired with one of the second; an odd one out is left. Source: Yoo &
    Kweon (2019), "Learning loss for active learning", equation 2.

    Args:
        predicted: Shape (M, n).
        losses: Shape (M, n); no gradient flows through them.
    """
    half = predicted.shape[1] // 2
    if half == 0:
        return predicted.sum() * 0.0
    apart = predicted[:, :half] - predicted[:, half : 2 * half]
    order = torch.sign(losses[:, :half] - losses[:, half : 2 * half]).detach()
    return (MARGIN - order * apart).clamp_min(0.0).mean(dim=1).sum()
