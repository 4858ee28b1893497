"""Representations of a pool that a small network learns without labels."""

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy, normalize

from lal.arrays import Floats
from lal.learners.neural.network import Params, Shape, Tensor, make_params, run_dense
from lal.learners.neural.scaling import Scaling, make_scaling

HIDDEN, EPOCHS, BATCH, LEARNING_RATE = 128, 40, 128, 1e-3
"""Width of the hidden layer; passes over the pool; rows of a step; of Adam."""

NOISE, CLEARED, TEMPERATURE = 0.3, 0.2, 0.2
"""Of a view of a row: standard deviation added, share of columns cleared; of the contrast."""


class NetworkEncoder:
    """Rows to the output of a trained network."""

    def __init__(self, params: Params, scaling: Scaling) -> None:
        self.params, self.scaling = params, scaling

    def __call__(self, rows: Floats) -> Floats:
        """Return the representation, (n, D) to (n, d)."""
        with torch.no_grad():
            found: Floats = run(self.params, self.scaling.apply(rows)).double().numpy()
        return found


def run(params: Params, rows: Tensor) -> Tensor:
    """Return what one network gives, (n, D) to (n, d)."""
    return run_dense(params, rows[None])[1][0]


def autoencoder(rows: Floats, n_columns: int) -> NetworkEncoder:
    """The code of an autoencoder, trained to give back rows from views of them."""

    def loss(nets: list[Params], batch: Tensor, generator: torch.Generator) -> Tensor:
        again = run(nets[1], run(nets[0], view(batch, generator)))
        return (again - batch).square().mean()

    width = rows.shape[1]
    return _train(rows, [(width, n_columns), (n_columns, width)], loss)


def contrastive(rows: Floats, n_columns: int) -> NetworkEncoder:
    """The output of a network to which two views of a row are alike and other rows are not.

    Source: Chen, Kornblith, Norouzi & Hinton (2020), "A simple framework for contrastive learning
    of visual representations", whose loss NT-Xent it has, with noise and cleared columns as views.
    """

    def loss(nets: list[Params], batch: Tensor, generator: torch.Generator) -> Tensor:
        codes = [run(nets[1], run(nets[0], view(batch, generator))) for _ in range(2)]
        return nt_xent(codes[0], codes[1])

    return _train(rows, [(rows.shape[1], n_columns), (n_columns, n_columns)], loss)


def nt_xent(first: Tensor, second: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Return the normalised, temperature-scaled cross-entropy of two views, each (n, d)."""
    codes = normalize(torch.cat([first, second]), dim=1)
    similar = codes @ codes.T / temperature
    similar = similar.masked_fill(torch.eye(len(codes), dtype=torch.bool), -torch.inf)
    n = len(first)
    return cross_entropy(similar, torch.arange(2 * n).roll(n))


def view(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Return rows with noise and with some columns cleared."""
    kept = torch.rand(batch.shape, generator=generator) >= CLEARED
    return kept * (batch + NOISE * torch.randn(batch.shape, generator=generator))


def _train(
    rows: Floats,
    sizes: list[tuple[int, int]],
    loss: Callable[[list[Params], Tensor, torch.Generator], Tensor],
) -> NetworkEncoder:
    """Train networks of one hidden layer together and return the first as an encoder."""
    generator = torch.Generator().manual_seed(0)
    nets = [make_params(Shape(1, a, (HIDDEN,), b), generator) for a, b in sizes]
    leaves = [tensor.requires_grad_() for net in nets for layer in net for tensor in layer]
    optimiser = torch.optim.Adam(leaves, LEARNING_RATE)
    scaling = make_scaling(rows, by_column=True)
    points = scaling.apply(rows)
    for _ in range(EPOCHS):
        order = torch.randperm(len(points), generator=generator)
        for few in torch.split(order, BATCH):
            optimiser.zero_grad()
            loss(nets, points[few], generator).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return NetworkEncoder([(w.detach(), b.detach()) for w, b in nets[0]], scaling)
