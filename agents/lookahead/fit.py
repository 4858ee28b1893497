"""Perceptrons fitted to gains within candidate sets, and their joint program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from agents.export.torch_layers import SHORT, layers_ops
from agents.lookahead.config import LookaheadConfig
from agents.lookahead.margin_prior import Program, lean_on_margin, spread_within
from agents.lookahead.states import States
from agents.training.tasks import feature_lists
from lal.arrays import Bools, Floats
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator, integer_seed

CLIP = 5.0
"""Inputs are clipped to this many standard deviations."""

TARGET_CLIP = 3.0
"""Centred gains are clipped to this many of their typical sizes."""

SCORED_AT_ONCE = 2_000
"""States whose scores are in memory at once."""

SIZE_EDGES = (2, 3, 5, 8, 16, 32)
"""Numbers of labels up to which states share one typical size of gains."""


@dataclass(frozen=True, eq=False)
class Standard:
    """Mean and spread of the inputs [context, candidate], each of shape (G + F,)."""

    mean: Floats
    scale: Floats


def standard_of(states: States) -> Standard:
    """Return the mean and spread of all candidates that are there."""
    x = _inputs(states)[states.mask]
    return Standard(x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64) + 1e-6)


def targets_of(states: States, balanced_share: float) -> tuple[Floats, Floats]:
    """Return centred gains over their typical size, (S, K), and that size per state, (S,).

    Centring leaves which candidate is better and takes away which state is early. Typical sizes
    fall twentyfold from 2 to 50 labels.
    """
    shares = np.array([1.0 - balanced_share, balanced_share])
    gains = states.gains.astype(np.float64) @ shares
    n = np.maximum(states.mask.sum(axis=1), 1)
    mean = (gains * states.mask).sum(axis=1) / n
    centred = (gains - mean[:, None]) * states.mask
    group = np.searchsorted(SIZE_EDGES, states.n_labelled)
    square = np.bincount(group, (centred**2).sum(axis=1), minlength=len(SIZE_EDGES) + 1)
    count = np.bincount(group, n, minlength=len(SIZE_EDGES) + 1)
    typical = np.sqrt(square / np.maximum(count, 1))
    size = np.where(typical > 0, typical, 1.0)[group]
    return np.clip(centred / size[:, None], -TARGET_CLIP, TARGET_CLIP), size


def shuffled(targets: Floats, mask: Bools, rng: np.random.Generator) -> Floats:
    """Return the targets permuted among the candidates of each state."""
    found = targets.copy()
    for s in range(len(targets)):
        there = np.flatnonzero(mask[s])
        found[s, there] = targets[s, rng.permutation(there)]
    return found


def fit_member(
    states: States, standard: Standard, config: LookaheadConfig, member: int
) -> nn.Module:
    """Return one perceptron: weighted squared error of centred scores against centred gains."""
    targets, size = targets_of(states, config.balanced_share)
    if config.control == "shuffled_reward":
        targets = shuffled(targets, states.mask, generator(config.seed, "shuffle"))
    x = torch.from_numpy(_standardised(_inputs(states), standard))
    y = torch.from_numpy(targets.astype(np.float32))
    mask = torch.from_numpy(states.mask.astype(np.float32))
    weight = torch.from_numpy((size / size.mean()).astype(np.float32))
    network = make_network(x.shape[-1], config, member)
    rng = generator(config.seed, "batches", member)
    B, S = min(config.batch_states, len(y)), len(y)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.epochs * (S // B))
    for _ in range(config.epochs):
        order = rng.permutation(S)
        for first in range(0, S - B + 1, B):
            rows = torch.from_numpy(order[first : first + B])
            loss = _loss(network(x[rows])[..., 0], y[rows], mask[rows], weight[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return network


def _loss(
    score: torch.Tensor, target: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    n = mask.sum(dim=1)
    centred = score - ((score * mask).sum(dim=1) / n)[:, None]
    error = ((centred - target) ** 2 * mask).sum(dim=1) / n
    return (error * weight).mean()


def make_network(n_inputs: int, config: LookaheadConfig, member: int) -> nn.Sequential:
    """Return a perceptron with random weights, named by the config's seed and `member`."""
    seed = integer_seed(config.seed, "weights", member)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(n_inputs, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, 1),
        )


def mean_program(networks: Sequence[nn.Module]) -> tuple[Program, dict[str, np.ndarray]]:
    """Return the program of several perceptrons' mean over register ``h0``, and its tensors.

    Each has its own registers: one wide perceptron of all would multiply their layers' blocks with
    each other's zeros.
    """
    ops: list[dict[str, Any]] = []
    tensors: dict[str, np.ndarray] = {}
    outputs = []
    for i, network in enumerate(networks):
        own, weights, output = layers_ops(network, prefix=f"m{i}_", source="h0", names=SHORT)
        tensors |= weights
        ops += own
        outputs.append(output)
    tensors["mean_of_members"] = np.full((1, len(networks)), 1.0 / len(networks), np.float32)
    ops.append({"op": "concat", "in": outputs, "out": ["members"]})
    ops.append({"op": "affine", "in": ["members"], "out": ["score"], "weight": "mean_of_members"})
    return {"ops": ops, "output": "score"}, tensors


def export_policy(
    networks: Sequence[nn.Module],
    standard: Standard,
    config: LookaheadConfig,
    *,
    name: str,
    card: Mapping[str, Any],
    spread: float = 1.0,
) -> PoolPolicy:
    """Return the policy of the networks' mean score, equal to 1e-5, and of margin's part.

    `spread` is the typical spread of that mean among candidates; see `margin_prior`.
    """
    program, tensors = mean_program(networks)
    prepare = [
        {"op": "concat", "in": ["context", "candidates"], "out": ["raw"]},
        {"op": "standardise", "in": ["raw"], "out": ["unit"], "mean": "mean", "scale": "scale"},
        {"op": "clip", "in": ["unit"], "out": ["h0"], "low": -CLIP, "high": CLIP},
    ]
    candidate_features, context_features = feature_lists(config)
    program, tensors = lean_on_margin(
        {"ops": [*prepare, *program["ops"]], "output": program["output"]},
        {**tensors, "mean": standard.mean, "scale": standard.scale},
        weight=config.margin_prior,
        spread=spread,
        candidate_features=candidate_features,
        context_features=context_features,
    )
    return PoolPolicy(
        name=name,
        candidate_features=candidate_features,
        context_features=context_features,
        program=program,
        tensors=tensors,
        card=dict(card),
    )


def spread_of(networks: Sequence[nn.Module], states: States, standard: Standard) -> float:
    """Return the typical spread of the mean score among the candidates of a state."""
    scores: list[np.ndarray] = []
    with torch.no_grad():
        for first in range(0, len(states.mask), SCORED_AT_ONCE):
            part = slice(first, first + SCORED_AT_ONCE)
            x = _inputs_of(states.candidates[part], states.context[part])
            unit = torch.from_numpy(_standardised(x, standard))
            own = torch.stack([network(unit)[..., 0] for network in networks])
            scores.append(own.mean(dim=0).numpy())
    return spread_within(np.concatenate(scores).astype(np.float64), states.mask)


def _inputs(states: States) -> np.ndarray:
    return _inputs_of(states.candidates, states.context)


def _inputs_of(candidates: np.ndarray, context: np.ndarray) -> np.ndarray:
    """Return [context, candidate] of every slot, shape (S, K, G + F), the order of the program."""
    S, K, _ = candidates.shape
    repeated = np.broadcast_to(context[:, None], (S, K, context.shape[1]))
    return np.concatenate([repeated, candidates], axis=2)


def _standardised(x: np.ndarray, standard: Standard) -> np.ndarray:
    unit = (x - standard.mean.astype(np.float32)) / standard.scale.astype(np.float32)
    return np.clip(unit, -CLIP, CLIP)
