"""Scorers in torch, with and without the context of the reference set, and their programs.

In training the set is the half of a candidate set with the larger margins: of slates that are half
uncertain, half random, these are uniform draws from all but the most uncertain rows. At a query it
is the reference set.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from agents.export.torch_layers import SHORT, layers_ops
from agents.imitation.config import ImitationConfig
from lal.rng import integer_seed

HEADS = 2
"""Heads of the attention."""

Named = tuple[list[dict[str, Any]], dict[str, Any], str]
"""Operations, tensors and the register of the score."""


def make_network(n_inputs: int, config: ImitationConfig, member: int) -> nn.Sequential:
    """Return a perceptron with random weights, named by the config's seed and `member`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(config.seed, "weights", member))
        layers: list[nn.Module] = []
        for width in config.net_arch:
            layers += [nn.Linear(n_inputs, width), nn.ReLU()]
            n_inputs = width
        return nn.Sequential(*layers, nn.Linear(n_inputs, 1))


class Perceptron(nn.Module):
    """A candidate alone, beside its context."""

    def __init__(self, n_inputs: int, config: ImitationConfig, member: int) -> None:
        super().__init__()
        self.layers = make_network(n_inputs, config, member)

    def forward(self, x: Tensor, in_set: Tensor) -> Tensor:
        """Return scores (S, K) of standardised inputs (S, K, G + F); `in_set` (S, K) is unused."""
        score: Tensor = self.layers(x)[..., 0]
        return score


class DeepSet(nn.Module):
    """A candidate beside the mean of what a perceptron makes of the set.

    Source: deep sets (Zaheer et al. 2017, arXiv 1703.06114).
    """

    def __init__(self, n_inputs: int, config: ImitationConfig, member: int) -> None:
        super().__init__()
        width = config.set_width
        with _seeded(config, member):
            self.of_row = nn.Sequential(
                nn.Linear(n_inputs, width), nn.ReLU(), nn.Linear(width, width)
            )
        self.layers = make_network(n_inputs + width, config, member)

    def forward(self, x: Tensor, in_set: Tensor) -> Tensor:
        """Return scores (S, K) of standardised inputs (S, K, G + F); set members have 1."""
        rows = self.of_row(x) * in_set[..., None]
        mean = rows.sum(dim=1) / in_set.sum(dim=1).clamp(min=1.0)[:, None]
        beside = mean[:, None].expand(-1, x.shape[1], -1)
        score: Tensor = self.layers(torch.cat([x, beside], dim=2))[..., 0]
        return score


class Attention(nn.Module):
    """A candidate beside what it attends to in the set.

    Source: set transformers (Lee et al. 2019, arXiv 1810.00825).
    """

    def __init__(self, n_inputs: int, config: ImitationConfig, member: int) -> None:
        super().__init__()
        width = HEADS * max(1, config.set_width // HEADS)
        with _seeded(config, member):
            self.query, self.key, self.value = (nn.Linear(n_inputs, width) for _ in range(3))
        self.layers = make_network(n_inputs + width, config, member)

    def forward(self, x: Tensor, in_set: Tensor) -> Tensor:
        """Return scores (S, K) of standardised inputs (S, K, G + F); set members have 1."""
        S, K, _ = x.shape
        q, k, v = (f(x).view(S, K, HEADS, -1).transpose(1, 2) for f in (self.query, self.key,
                                                                        self.value))  # fmt: skip
        weight = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5
        weight = weight.masked_fill(in_set[:, None, None, :] == 0, -1e9).softmax(dim=3)
        seen = (weight @ v).transpose(1, 2).reshape(S, K, -1)
        score: Tensor = self.layers(torch.cat([x, seen], dim=2))[..., 0]
        return score


NETWORKS = {"perceptron": Perceptron, "deep_set": DeepSet, "attention": Attention}


def scorer_network(n_inputs: int, config: ImitationConfig, member: int) -> nn.Module:
    """Return the network that the config names, its weights named by seed and `member`."""
    return NETWORKS[config.network](n_inputs, config, member)


@contextmanager
def _seeded(config: ImitationConfig, member: int) -> Iterator[None]:
    """Name the weights of the part that looks at the set by the config's seed and the member."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(config.seed, "set_weights", member))
        yield


def network_program(network: nn.Module, prefix: str) -> Named:
    """Return a network's operations over registers ``h0`` (candidates) and ``r0`` (the set).

    Registers and tensors of its own begin with `prefix`.
    """
    if isinstance(network, DeepSet):
        ops, tensors, rows = _layers(network.of_row, "r0", f"{prefix}set_")
        mean = f"{prefix}set_mean"
        ops.append({"op": "masked_mean", "in": [rows], "out": [mean]})
        return _beside(network.layers, (ops, tensors, mean), prefix)
    if isinstance(network, Attention):
        ops, tensors = [], {}
        for name, source in (("query", "h0"), ("key", "r0"), ("value", "r0")):
            layer = nn.Sequential(getattr(network, name))
            own, weights, _ = _layers(layer, source, f"{prefix}{name}_")
            own[-1]["out"] = [f"{prefix}{name}"]
            ops, tensors = ops + own, tensors | weights
        seen = f"{prefix}seen"
        inputs = [f"{prefix}query", f"{prefix}key", f"{prefix}value"]
        ops.append({"op": "attention", "in": inputs, "out": [seen], "heads": HEADS})
        return _beside(network.layers, (ops, tensors, seen), prefix)
    return _layers(network.get_submodule("layers"), "h0", prefix)


def _beside(layers: nn.Module, before: Named, prefix: str) -> Named:
    """Join ``h0`` with a register and run the layers on both."""
    ops, tensors, register = before
    joined = f"{prefix}joined"
    ops = [*ops, {"op": "concat", "in": ["h0", register], "out": [joined]}]
    more, weights, score = _layers(layers, joined, prefix)
    return [*ops, *more], tensors | weights, score


def _layers(layers: nn.Module, source: str, prefix: str) -> Named:
    """Return a perceptron's operations from a register on, with names of its own."""
    return layers_ops(layers, prefix=prefix, source=source, names=SHORT)
