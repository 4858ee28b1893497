"""Inputs and targets of the fit: standardised features, centred gains within candidate sets."""

from dataclasses import dataclass

import numpy as np

from agents.imitation.states import States
from lal.arrays import Bools, Floats

CLIP = 5.0
"""Inputs are clipped to this many standard deviations."""

TARGET_CLIP = 3.0
"""Centred gains are clipped to this many of their typical sizes."""

SIZE_EDGES = (2, 3, 5, 8, 16, 32)
"""Numbers of labels up to which states share one typical size of gains."""


@dataclass(frozen=True, eq=False)
class Standard:
    """Mean and spread of the inputs [context, candidate], each of shape (G + F,)."""

    mean: Floats
    scale: Floats


def get_standard(states: States) -> Standard:
    """Return the mean and spread of all candidates that are there."""
    x = get_inputs(states)[states.mask]
    return Standard(x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64) + 1e-6)


def get_targets(states: States, balanced_share: float) -> tuple[Floats, Floats]:
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


def get_inputs(states: States) -> np.ndarray:
    """Return [context, candidate] of every slot, shape (S, K, G + F), the order of the program."""
    S, K, _ = states.candidates.shape
    repeated = np.broadcast_to(states.context[:, None], (S, K, states.context.shape[1]))
    return np.concatenate([repeated, states.candidates], axis=2)
