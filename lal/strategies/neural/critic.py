"""One critic for all: a latent space in which labelled and unlabelled rows look alike to a judge.

A variational autoencoder sees all rows; a discriminator tells from the latent code which rows have
a label, and the encoder learns to deceive it. Variants differ in what the discriminator is to say
of a row, in a condition that it sees beside the code, and in a supervised head on the code.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from lal.arrays import Floats, Ints
from lal.learners.neural.network import Params, Shape, Tensor, make_params, run_dense
from lal.state import QueryState
from lal.strategies.spaces import SPACES

LATENT = 8
"""Numbers in a latent code."""

EPOCHS, MOST_STEPS, BATCH = 30, 1000, 64
"""Passes over the pool; gradient steps at most; labelled and unlabelled rows of a step, each."""

LEARNING_RATE, KL_WEIGHT, DECEIT = 1e-3, 0.1, 0.1
"""Of Adam; of the prior; of the adversarial loss of the encoder."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What a critic is trained on.

    Attributes:
        points: All rows, shape (N, d).
        labelled: Rows with a label, shape (L,).
        target: What the discriminator is to say of a row, in [0, 1], shape (N,).
        condition: What it sees beside the code, centred, shape (N,).
        codes: Class codes of the labelled rows for a supervised head, shape (L,); None without.
    """

    points: Floats
    labelled: Ints
    target: Floats
    condition: Floats
    codes: Ints | None = None


class Critic:
    """The networks: encoder, decoder, discriminator and head."""

    def __init__(self, n_columns: int, n_classes: int, generator: torch.Generator) -> None:
        def net(n_in: int, hidden: tuple[int, ...], n_out: int) -> Params:
            return make_params(Shape(1, n_in, hidden, n_out), generator)

        self.encoder = net(n_columns, (64, 32), 2 * LATENT)
        self.decoder = net(LATENT + 1, (32, 64), n_columns)
        self.discriminator = net(LATENT + 1, (32, 32), 1)
        self.head = net(LATENT, (32,), n_classes)
        self.generator = generator

    def leaves(self, *names: str) -> list[Tensor]:
        """Return the weights of some of the networks, to be trained."""
        layers = [layer for name in names for layer in getattr(self, name)]
        return [tensor.requires_grad_() for layer in layers for tensor in layer]

    def encode(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the latent code, (n, d) to twice (n, LATENT)."""
        both = _run(self.encoder, rows)
        return both[:, :LATENT], both[:, LATENT:].clamp(-8.0, 8.0)

    def judge(self, code: Tensor, condition: Tensor) -> Tensor:
        """Return the discriminator's logits, shape (n,)."""
        return _run(self.discriminator, torch.cat([code, condition[:, None]], dim=1))[:, 0]

    def reconstruction_loss(self, rows: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of the autoencoder and the mean codes."""
        mean, log_variance = self.encode(rows)
        noise = torch.randn(mean.shape, generator=self.generator)
        code = mean + noise * (0.5 * log_variance).exp()
        again = _run(self.decoder, torch.cat([code, condition[:, None]], dim=1))
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1.0 - log_variance).sum(dim=1).mean()
        return ((again - rows) ** 2).mean() + KL_WEIGHT * divergence / rows.shape[1], mean


def critic_logits(problem: Problem, seed: int) -> Floats:
    """Return what the trained discriminator says of every row, as logits, shape (N,)."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.as_tensor(problem.points, dtype=torch.float32)
    target = torch.as_tensor(problem.target, dtype=torch.float32)
    condition = torch.as_tensor(problem.condition, dtype=torch.float32)
    codes = torch.full((len(rows),), -1)
    if problem.codes is not None:
        codes[torch.as_tensor(problem.labelled)] = torch.as_tensor(problem.codes)
    critic = Critic(
        rows.shape[1], int(codes.max()) + 1 if problem.codes is not None else 1, generator
    )
    first = torch.optim.Adam(critic.leaves("encoder", "decoder", "head"), LEARNING_RATE)
    second = torch.optim.Adam(critic.leaves("discriminator"), LEARNING_RATE)
    known = torch.as_tensor(problem.labelled)
    other = torch.as_tensor(np.setdiff1d(np.arange(len(rows)), problem.labelled))
    for _ in range(min(EPOCHS * -(-len(rows) // BATCH), MOST_STEPS)):
        some = torch.cat([_draw(known, generator), _draw(other, generator)])
        part, wanted, beside = rows[some], target[some], condition[some]
        loss, code = critic.reconstruction_loss(part, beside)
        deceived = critic.judge(code, beside)
        loss = loss + DECEIT * binary_cross_entropy_with_logits(deceived, torch.ones_like(wanted))
        if problem.codes is not None:
            seen = codes[some] >= 0
            loss = loss + cross_entropy(_run(critic.head, code[seen]), codes[some][seen])
        _step(first, loss)
        said = critic.judge(critic.encode(part)[0].detach(), beside)
        _step(second, binary_cross_entropy_with_logits(said, wanted))
    with torch.no_grad():
        logits: Floats = critic.judge(critic.encode(rows)[0], condition).double().numpy()
    return logits


def make_problem(
    state: QueryState, space: str, who: str, condition: Floats | None = None
) -> Problem:
    """Return the plain problem: labelled rows are 1, all others 0.

    Args:
        state: The pool as it stands.
        space: A name in `lal.strategies.spaces.SPACES`.
        who: Asks for it, for messages.
        condition: Shape (N,); it is centred, so that a constant one is none.
    """
    points = SPACES[space](state, who)
    target = np.zeros(state.N)
    target[state.labelled] = 1.0
    beside = np.zeros(state.N) if condition is None else condition - condition.mean()
    return Problem(points, state.labelled, target, beside)


def _run(params: Params, rows: Tensor) -> Tensor:
    return run_dense(params, rows[None])[1][0]


def _draw(rows: Tensor, generator: torch.Generator) -> Tensor:
    return rows[torch.randint(len(rows), (min(BATCH, len(rows)),), generator=generator)]


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
