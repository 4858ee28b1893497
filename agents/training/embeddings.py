"""Embeddings of class banks that agents share: prototypical training, then frozen."""

import numpy as np
import torch
from torch import Tensor, nn

from envs.class_banks import ClassBank
from lal.rng import generator, integer_seed


def make_embedding(n_columns: int, width: int) -> nn.Sequential:
    """Return a perceptron with one hidden layer of 64."""
    return nn.Sequential(nn.Linear(n_columns, 64), nn.ReLU(), nn.Linear(64, width))


def train_embedding(bank: ClassBank, *, width: int, updates: int, seed: int) -> nn.Sequential:
    """Return the embedding after prototypical training on the classes of "fit".

    Episodes of 20 classes with one sample and five queries each; Snell, Swersky and Zemel (2017).
    """
    torch.manual_seed(integer_seed(seed, "few_shot", "embedding"))
    rng = generator(seed, "few_shot", "embedding")
    embedding = make_embedding(bank.n_columns, width)
    optimiser = torch.optim.Adam(embedding.parameters(), lr=1e-3)
    C = min(20, len(bank.classes("fit")))
    for _ in range(updates):
        classes = bank.draw_classes(rng, 1, C, "fit")[0]
        rows = bank.draw_distinct(rng, classes, 6)
        Z = embedding(torch.from_numpy(bank.X[rows]))  # (C, 6, d)
        prototypes, query = Z[:, :1].mean(dim=1), Z[:, 1:].reshape(-1, width)
        logits = -((query[:, None] - prototypes[None]) ** 2).sum(dim=2)
        loss = nn.functional.cross_entropy(logits, torch.arange(C).repeat_interleave(5))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return embedding


def standardised(embedding: nn.Sequential, bank: ClassBank) -> nn.Sequential:
    """Return the embedding with its last layer scaled: training samples get mean 0, spread 1."""
    seen = bank.X[np.isin(bank.y, bank.classes("fit"))]
    last = embedding[-1]
    with torch.no_grad():
        Z: Tensor = embedding(torch.from_numpy(seen))
        spread = Z.std()
        last.bias.sub_(Z.mean(dim=0)).div_(spread)  # type: ignore[operator]
        last.weight.div_(spread)  # type: ignore[operator]
    return embedding
