"""Train the ensemble, distil it, and train the gate that says where to follow margin."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from agents.imitation.config import ImitationConfig
from agents.imitation.losses import LOSSES, regression
from agents.imitation.networks import scorer_network
from agents.imitation.states import States
from agents.imitation.targets import CLIP, Standard, get_inputs, get_targets, shuffled
from agents.training.tasks import feature_lists
from lal.arrays import Floats
from lal.rng import generator

SCORED_AT_ONCE = 1_000
"""States whose scores are in memory at once."""

FALLBACK_EPOCHS = 5
"""Passes of the fit of the gate."""

LossOfRows = Callable[[Tensor], Tensor]
"""Numbers of states to their mean loss."""

SHARP = 2.0
"""Sharpness of the choice that the gate is fitted by, in spreads of utility."""


@dataclass(frozen=True, eq=False)
class Batchable:
    """States as tensors: inputs (S, K, G + F), targets, mask and set (S, K), weights (S,)."""

    x: Tensor
    target: Tensor
    mask: Tensor
    in_set: Tensor
    weight: Tensor


def unit_inputs(states: States, standard: Standard) -> Tensor:
    """Return standardised [context, candidate] of every slot, as the program makes them."""
    x = get_inputs(states)
    unit = (x - standard.mean.astype(np.float32)) / standard.scale.astype(np.float32)
    return torch.from_numpy(np.clip(unit, -CLIP, CLIP))


def get_set(states: States, margin_column: int) -> np.ndarray:
    """Return which slots stand for the set: the half with the larger margins, (S, K) of 0 and 1."""
    margin = np.where(states.mask, states.candidates[:, :, margin_column], -np.inf)
    rank = np.argsort(np.argsort(-margin, axis=1, kind="stable"), axis=1, kind="stable")
    half = (states.mask.sum(axis=1) + 1) // 2
    found: np.ndarray = ((rank < half[:, None]) & states.mask).astype(np.float32)
    return found


def batchable(states: States, standard: Standard, config: ImitationConfig) -> Batchable:
    """Return states ready to fit, their targets permuted under that control."""
    targets, size = get_targets(states, config.balanced_share)
    if config.control == "shuffled_reward":
        targets = shuffled(targets, states.mask, generator(config.seed, "shuffle"))
    column = feature_lists(config)[0].index("margin@1")
    return Batchable(
        x=unit_inputs(states, standard),
        target=torch.from_numpy(targets.astype(np.float32)),
        mask=torch.from_numpy(states.mask.astype(np.float32)),
        in_set=torch.from_numpy(get_set(states, column)),
        weight=torch.from_numpy((size / size.mean()).astype(np.float32)),
    )


def fit_network(data: Batchable, config: ImitationConfig, member: int) -> nn.Module:
    """Return one network fitted by the config's loss."""
    network = scorer_network(data.x.shape[-1], config, member)
    loss_of = LOSSES[config.loss]

    def loss(rows: Tensor) -> Tensor:
        score = network(data.x[rows], data.in_set[rows])
        found = loss_of(score, data.target[rows], data.mask[rows], config.temperature)
        return (found * data.weight[rows]).mean()

    _descend(loss, list(network.parameters()), config, len(data.x), stream=("batches", member))
    return network


def distil(members: Sequence[nn.Module], data: Batchable, config: ImitationConfig) -> nn.Module:
    """Return one network fitted to the centred mean score of the members.

    Source: distillation (Hinton et al. 2015, arXiv 1503.02531). Their mean is a target without the
    noise of single gains, and it is known on every state.
    """
    teacher = _centred(mean_scores(members, data), data.mask)
    network = scorer_network(data.x.shape[-1], config, config.n_members)
    scale = teacher[data.mask > 0].std().clamp(min=1e-6)

    def loss(rows: Tensor) -> Tensor:
        score = network(data.x[rows], data.in_set[rows])
        return regression(score, teacher[rows] / scale, data.mask[rows], 1.0).mean()

    stream = ("distil", config.n_members)
    _descend(loss, list(network.parameters()), config, len(data.x), stream=stream)
    return network


def fit_fallback(
    score: Tensor, data: Batchable, uncertainty: Tensor, config: ImitationConfig
) -> Floats:
    """Return weights and bias, (G + 1,), of the gate that says how far to follow the score.

    utility = g * score / spread + (1 - g) * uncertainty with g = sigmoid(w . context + b); the
    expected gain of a soft choice by it is made large. Starts at g = 0.88.

    Args:
        score: Scores over their spread, (S, K).
        data: The states.
        uncertainty: Minus margin's z-score within the pool, (S, K).
        config: Of the run.
    """
    G = len(feature_lists(config)[1])
    context = data.x[:, 0, :G]
    gate = torch.zeros(G + 1, requires_grad=True)
    with torch.no_grad():
        gate[G] = 2.0

    def loss(rows: Tensor) -> Tensor:
        g = torch.sigmoid(context[rows] @ gate[:G] + gate[G])[:, None]
        utility = g * score[rows] + (1.0 - g) * uncertainty[rows]
        chosen = torch.softmax((SHARP * utility).masked_fill(data.mask[rows] == 0, -1e9), dim=1)
        return -((chosen * data.target[rows]).sum(dim=1) * data.weight[rows]).mean()

    _descend(loss, [gate], config, len(data.x), stream=("fallback", 0), epochs=FALLBACK_EPOCHS)
    found: Floats = gate.detach().numpy().astype(np.float64)
    return found


def mean_scores(members: Sequence[nn.Module], data: Batchable) -> Tensor:
    """Return the mean score of networks, shape (S, K)."""
    parts = []
    with torch.no_grad():
        for first in range(0, len(data.x), SCORED_AT_ONCE):
            part = slice(first, first + SCORED_AT_ONCE)
            own = [network(data.x[part], data.in_set[part]) for network in members]
            parts.append(torch.stack(own).mean(dim=0))
    return torch.cat(parts)


def _centred(score: Tensor, mask: Tensor) -> Tensor:
    mean = (score * mask).sum(dim=1) / mask.sum(dim=1)
    return (score - mean[:, None]) * mask


def _descend(
    loss_of: LossOfRows,
    parameters: list[Tensor],
    config: ImitationConfig,
    n: int,
    *,
    stream: tuple[str, int],
    epochs: int | None = None,
) -> None:
    """Minimise a loss of batches of states by AdamW along a cosine."""
    rng = generator(config.seed, *stream)
    B = min(config.batch_size, n)
    passes = epochs or config.n_epochs
    optimiser = torch.optim.AdamW(
        parameters, lr=config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, passes * (n // B))
    for _ in range(passes):
        order = rng.permutation(n)
        for first in range(0, n - B + 1, B):
            loss = loss_of(torch.from_numpy(order[first : first + B]))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
