"""Whole episodes of the LAL-RL workload under a linear policy with class-aware inputs.

One episode after the other, in the buffers of one environment. What an episode is (its split and
first labels) is the environment's own function of its number, so whoever runs it is paired.
"""

import math

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import combine_tiles
from envs.simulator.kernels.lal_rl.episodes import acquire, begin_episode, observe, refit
from envs.simulator.kernels.lal_rl.layout import (
    B_DATASET,
    B_POOL,
    B_TARGET,
    D_COLUMNS,
    E_EPISODE,
    E_LABELLED,
    E_ROWS,
    E_SLOT,
    FIRST_ENV,
    PAD,
    bank_places,
    episode_places,
)
from envs.simulator.kernels.lal_rl.splits import take_split
from envs.simulator.kernels.lal_rl.standardise import standardise

(
    UNCERTAINTY, LOG_ODDS, OPEN, LABELLED, NEAREST, CLASSES, DISAGREEMENT, ANGLE, SCARCITY,
) = range(9)  # fmt: skip
"""Inputs of a candidate; see `_write_inputs`."""

N_INPUTS = 9
TIMES_UNCERTAINTY = (OPEN, NEAREST, CLASSES, DISAGREEMENT)
"""Inputs that count a second time, times the uncertainty."""

N_TERMS = N_INPUTS + len(TIMES_UNCERTAINTY)
USUAL_LABELS = 10.0
"""Number of labels at which the second half of the weights does not count."""

ONE = np.float32(1.0)
LOWEST = np.float32(-1e30)


@kernel
def _note_label(config, bank, slot, row, N, D, sums, nearest, nearest_class, products):
    """Enter a labelled row's cosines: sums by class, the largest and whose it is."""
    tiles, R, norms, _, labels, _ = bank_places(config, slot)
    stride, label = (D + 16) // 16 * 16, int(bank[labels + row] > 0.5)
    at = R + row * stride
    combine_tiles(bank, tiles, D, (D + 1) * 16, bank, at, config[PAD] // 16, products, 0)
    for i in range(N):
        cosine = products[i] * bank[norms + row] * bank[norms + i]
        sums[label, i] += cosine
        if cosine > nearest[i]:
            nearest[i] = cosine
            nearest_class[i] = label
    return label


@kernel
def _write_inputs(
    candidates, scores, norms, mask, pad, N, sums, counts, nearest, nearest_class, inputs
):
    """Write the inputs of every candidate; renaming the classes changes none of them.

    The uncertainty is 1 - |2 p - 1|; the log-odds and the angle (log-odds over the length of the
    row) count with a minus sign; then the mean cosine distances of the published inputs, the
    largest cosine to a labelled row, the mean cosine to labels of the predicted class minus that to
    labels of the other, the probability of the class that the nearest label does not have, and the
    expected share of labels that are not of this row's class.
    """
    L = counts[0] + counts[1]
    for i in range(N):
        p, z = candidates[i], scores[i]
        gap = sums[1, i] / counts[1] - sums[0, i] / counts[0]
        inputs[UNCERTAINTY, i] = ONE - abs(2 * p - ONE)
        inputs[LOG_ODDS, i] = -abs(z)
        inputs[OPEN, i] = candidates[pad + i]
        inputs[LABELLED, i] = candidates[2 * pad + i]
        inputs[NEAREST, i] = nearest[i]
        inputs[CLASSES, i] = gap if z > 0 else -gap
        inputs[DISAGREEMENT, i] = p if nearest_class[i] == 1 else ONE - p
        inputs[ANGLE, i] = -abs(z) * norms[i]
        inputs[SCARCITY, i] = 1 - (p * counts[0] + (1 - p) * counts[1]) / L
    for k in (LOG_ODDS, OPEN, LABELLED, NEAREST, CLASSES, ANGLE):
        standardise(inputs[k], mask, N)
    for k in range(len(TIMES_UNCERTAINTY)):
        for i in range(N):
            inputs[N_INPUTS + k, i] = inputs[UNCERTAINTY, i] * inputs[TIMES_UNCERTAINTY[k], i]


@kernel
def best_row(weights, inputs, mask, N, L):
    """Return the open row of the largest score; the first of equal ones.

    Args:
        weights: (2 T,): of the terms, then of the terms times log((1 + L) / 11).
        inputs: (T, pad) terms.
        mask: 1 where a row may be asked.
        N: Rows of the pool.
        L: Labels acquired.
    """
    time = math.log((1.0 + L) / (1.0 + USUAL_LABELS))
    scores = np.zeros(N, dtype=np.float32)
    for k in range(N_TERMS):
        weight = np.float32(weights[k] + weights[N_TERMS + k] * time)
        for i in range(N):
            scores[i] += weight * inputs[k, i]
    best = -1
    top = LOWEST
    for i in range(N):
        if mask[i] != 0 and scores[i] > top:
            top = scores[i]
            best = i
    return best


@kernel
def _to_the_end(w, weights, inputs):
    """Run an episode that has begun to its end; returns its length."""
    config, bank, bank_info, ints, mask = w.config, w.bank, w.bank_info, w.ints, w.mask
    slot, pad = ints[0, E_SLOT], config[PAD]
    N, D = bank_info[slot, B_POOL], w.data_info[bank_info[slot, B_DATASET], D_COLUMNS]
    scores = episode_places(config, 0)[1]
    norms = bank_places(config, slot)[2]
    sums, counts = np.zeros((2, pad), dtype=np.float32), np.zeros(2)
    nearest, products = np.full(pad, LOWEST), np.zeros(pad, dtype=np.float32)
    nearest_class = np.zeros(pad, dtype=np.int64)
    steps = known = 0
    while True:
        L = ints[0, E_LABELLED]
        hits = refit(w, 0, slot, D)
        if steps > 0 and (hits >= bank_info[slot, B_TARGET] or L >= N - 1):
            return steps
        observe(w, 0, D)
        while known < L:
            row = ints[0, E_ROWS + known]
            label = _note_label(
                config, bank, slot, row, N, D, sums, nearest, nearest_class, products
            )
            counts[label] += 1
            known += 1
        _write_inputs(
            w.candidates, w.floats[scores:], bank[norms:], mask, pad, N, sums, counts, nearest,
            nearest_class, inputs,
        )  # fmt: skip
        row = best_row(weights, inputs, mask, N, L)
        acquire(w, 0, row, D)
        steps += 1


@kernel
def play(w, weights, first, episode, inputs, lengths, datasets):
    """Run one episode in each of several environments; False when no legal split was found.

    Args:
        w: All arrays of one environment, see `lal_rl.layout`.
        weights: (2 T,); see `best_row`.
        first: Number of the first environment.
        episode: Number of the episode in every environment.
        inputs: (T, pad), written: the terms of the last query.
        lengths: (n,), written: labels to the target.
        datasets: (n,), written: number of the data set.
    """
    for i in range(len(lengths)):
        w.config[FIRST_ENV] = first + i
        w.ints[0, E_EPISODE] = episode
        if not take_split(w, 0):
            return False
        datasets[i] = w.bank_info[w.ints[0, E_SLOT], B_DATASET]
        begin_episode(w, 0, w.data_info[datasets[i], D_COLUMNS])
        lengths[i] = _to_the_end(w, weights, inputs)
    return True
