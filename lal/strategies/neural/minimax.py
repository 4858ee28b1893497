"""Minimax active learning: encoder and classifier pull the entropy of unlabelled rows two ways."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize, softplus

from lal.arrays import Floats
from lal.learners.neural.network import Params, Shape, Tensor, make_params, run_dense
from lal.state import QueryState
from lal.strategies.neural.critic import BATCH
from lal.strategies.spaces import SPACES

FEATURES, EPOCHS, MOST_STEPS = 32, 40, 1000
"""Columns of the encoder; passes over the pool; gradient steps at most."""

TEMPERATURE, WEIGHT = 0.1, 0.1
"""Of the cosine classifier; of the entropy."""


def entropy_loss(features: Tensor, prototypes: Tensor) -> Tensor:
    """Return the mean entropy; its gradient in the prototypes is reversed.

    One step down this loss makes the encoder more and the classifier less certain of unlabelled
    rows.

    Args:
        features: Shape (n, f).
        prototypes: Shape (f, C).
    """
    reversed_gradient = 2.0 * prototypes.detach() - prototypes
    logs = torch.log_softmax(cosine_scores(features, reversed_gradient), dim=1)
    return -(logs.exp() * logs).sum(dim=1).mean()


def cosine_scores(features: Tensor, prototypes: Tensor) -> Tensor:
    """Return cosines over the temperature, shape (n, C)."""
    return normalize(features, dim=1) @ normalize(prototypes, dim=0) / TEMPERATURE


class Minimax:
    """Asks for the most uncertain of the rows that a discriminator takes for unlabelled.

    Cross-entropy on labelled rows trains both networks; of the entropy H on unlabelled rows, the
    encoder minimises and the cosine classifier maximises ``0.1 H``. A discriminator then tells
    labelled from unlabelled features. Source: Ebrahimi, Gan, Chen, Biamby, Salahi, Laielli, Zhu &
    Darrell (2020), "Minimax active learning".

    Args:
        space: A name in `lal.strategies.spaces.SPACES`.
    """

    def __init__(self, space: str = "view") -> None:
        self.space = space

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the entropy, and one more where taken for unlabelled, (N,); zeros at first."""
        if state.proba is None or len(state.open) == 0:
            return np.zeros(state.N)
        points = SPACES[self.space](state, "Minimax")
        unlabelled, entropy = train_minimax(points, state, int(rng.integers(2**31)))
        utilities: Floats = entropy / np.log(state.n_classes) + (unlabelled > 0.0)
        return utilities


def train_minimax(points: Floats, state: QueryState, seed: int) -> tuple[Floats, Floats]:
    """Return the discriminator's logits of being unlabelled and the entropies, each (N,)."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.as_tensor(points, dtype=torch.float32)
    known, codes = torch.as_tensor(state.labelled), torch.as_tensor(state.labels)
    other = torch.as_tensor(state.open)
    encoder = make_params(Shape(1, rows.shape[1], (64,), FEATURES), generator)
    prototypes = torch.randn(FEATURES, state.n_classes, generator=generator)
    critic = make_params(Shape(1, FEATURES, (32,), 1), generator)
    leaves = [tensor.requires_grad_() for layer in encoder for tensor in layer]
    first = torch.optim.Adam([*leaves, prototypes.requires_grad_()], 3e-3, weight_decay=1e-4)
    judging = [tensor.requires_grad_() for layer in critic for tensor in layer]
    second = torch.optim.Adam(judging, 3e-3, weight_decay=1e-4)
    for _ in range(min(EPOCHS * -(-len(rows) // BATCH), MOST_STEPS)):
        some = torch.randint(len(known), (min(BATCH, len(known)),), generator=generator)
        more = other[torch.randint(len(other), (min(BATCH, len(other)),), generator=generator)]
        seen, unseen = _run(encoder, rows[known[some]]), _run(encoder, rows[more])
        loss = cross_entropy(cosine_scores(seen, prototypes), codes[some])
        _step(first, loss + WEIGHT * entropy_loss(unseen, prototypes))
        labelled, unlabelled = (
            _run(critic, normalize(part.detach(), dim=1))[:, 0] for part in (seen, unseen)
        )
        # both sides weigh the same, so that 0 is the border whatever their sizes
        _step(second, softplus(labelled).mean() + softplus(-unlabelled).mean())
    with torch.no_grad():
        features = _run(encoder, rows)
        logs = torch.log_softmax(cosine_scores(features, prototypes), dim=1)
        entropy = -(logs.exp() * logs).sum(dim=1)
        logits = _run(critic, normalize(features, dim=1))[:, 0]
    return logits.double().numpy(), entropy.double().numpy()


def _run(params: Params, rows: Tensor) -> Tensor:
    return run_dense(params, rows[None])[1][0]


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
