"""A stack of small networks, trained as one: a body (none, or strided convolutions) and layers.

All members share every operation: their weights have a leading axis M. All draws (weights, orders,
dropout) come from the generator passed, never from torch's global one.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import nn

Tensor: TypeAlias = torch.Tensor
Params: TypeAlias = list[tuple[Tensor, Tensor]]
"""Weights and biases, layer after layer."""

CHANNELS = (16, 32)
"""Channels of the two convolutions; strides of 2 cost a third of pooling."""


@dataclass(frozen=True)
class Shape:
    """What a network looks like.

    Attributes:
        n_members: M, networks in the stack.
        n_inputs: D, columns of the rows.
        hidden: Widths of the dense hidden layers.
        n_outputs: Classes.
        image: Channels, height and width of the rows; None for rows without a shape.
    """

    n_members: int
    n_inputs: int
    hidden: tuple[int, ...]
    n_outputs: int
    image: tuple[int, int, int] | None = None

    @property
    def n_body(self) -> int:
        """Convolutions before the dense layers."""
        return 0 if self.image is None else len(CHANNELS)

    @property
    def n_features(self) -> int:
        """Numbers between body and dense layers."""
        if self.image is None:
            return self.n_inputs
        _, height, width = self.image
        for _ in CHANNELS:
            height, width = (height + 1) // 2, (width + 1) // 2
        return CHANNELS[-1] * height * width


def make_params(shape: Shape, generator: torch.Generator) -> Params:
    """Return weights drawn by He's rule (the last layer ten times smaller) and zero biases."""
    members, params = shape.n_members, []
    channels = () if shape.image is None else (shape.image[0], *CHANNELS)
    for given, made in pairwise(channels):
        weight = torch.randn(members * made, given, 3, 3, generator=generator)
        params.append((weight * (2.0 / (9 * given)) ** 0.5, torch.zeros(members * made)))
    widths = (shape.n_features, *shape.hidden, shape.n_outputs)
    for place, (given, made) in enumerate(pairwise(widths)):
        size = (2.0 / given) ** 0.5 * (0.1 if place == len(shape.hidden) else 1.0)
        weight = torch.randn(members, given, made, generator=generator) * size
        params.append((weight, torch.zeros(members, 1, made)))
    return params


def run_body(params: Params, rows: Tensor, shape: Shape) -> Tensor:
    """Return what the dense layers see, (M, n, D) to (M, n, f)."""
    if shape.image is None:
        return rows
    members, n = rows.shape[:2]
    values = rows.transpose(0, 1).reshape(n, -1, *shape.image[1:])  # (n, M channels, h, w)
    for weight, bias in params[: shape.n_body]:
        values = nn.functional.relu(
            nn.functional.conv2d(values, weight, bias, stride=2, padding=1, groups=members)
        )
    return values.reshape(n, members, -1).transpose(0, 1)


def run_dense(
    params: Params, features: Tensor, rate: float = 0.0, generator: torch.Generator | None = None,
    *, one_mask: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the last hidden layer and the scores, (M, n, f) to (M, n, h) and (M, n, C).

    Args:
        params: Of the dense layers.
        features: What they see.
        rate: Share of each hidden layer that dropout clears.
        generator: Draws the masks; none are drawn without it.
        one_mask: Clear the same units for all rows, which makes a draw one thinned network.
    """
    hidden = run_hidden(params, features, rate, generator, one_mask=one_mask)
    weight, bias = params[-1]
    return hidden[-1], torch.baddbmm(bias, hidden[-1], weight)


def run_hidden(
    params: Params, features: Tensor, rate: float = 0.0, generator: torch.Generator | None = None,
    *, one_mask: bool = False,
) -> list[Tensor]:  # fmt: skip
    """Return all hidden layers, each (M, n, h); see `run_dense`."""
    values, hidden = features, []
    for weight, bias in params[:-1]:
        values = torch.baddbmm(bias, values, weight).relu()
        if generator is not None and rate > 0.0:
            size = (len(values), 1 if one_mask else values.shape[1], values.shape[2])
            values = values * (torch.rand(size, generator=generator) >= rate) / (1.0 - rate)
        hidden.append(values)
    return hidden
