"""The published LAL-RL workload: E episodes advanced by one call."""

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import combine_tiles, count_correct, fill
from envs.simulator.kernels.lal_rl.layout import (
    B_DATASET,
    B_POOL,
    B_TARGET,
    B_WINDOW,
    CAP,
    D_COLUMNS,
    D_REWARD,
    E_EPISODE,
    E_ITERATIONS,
    E_LABELLED,
    E_LENGTH,
    E_ROWS,
    E_SLOT,
    E_STEPS,
    E_STREAM,
    INVALID,
    MAX_STEPS,
    N_STATE,
    PAD,
    STATE_PAD,
    STRIDE,
    TERMINATED,
    TRUNCATED,
    Workload,
    bank_places,
    episode_places,
    fit_offsets,
)
from envs.simulator.kernels.lal_rl.splits import fold, take_split, tolerance_for
from envs.simulator.kernels.logistic.binary import add_sample, fit, start_fit
from envs.simulator.kernels.random_numbers import draw
from envs.simulator.kernels.simd import load, logistic, maximum, splat, store

ZERO, ONE, TWO = np.float32(0.0), np.float32(1.0), np.float32(2.0)


@kernel
def advance(w, actions, fresh, autoreset):
    """Advance every episode by one label, or begin one; False when no legal split was found.

    Args:
        w: All arrays, see `lal_rl.layout`.
        actions: (E,) pool rows.
        fresh: Begin the episodes numbered ``ints[:, E_EPISODE]`` where `actions` is not 0.
        autoreset: Begin the next episode at once where one ends.
    """
    config, bank_info, ints, mask = w.config, w.bank_info, w.ints, w.mask
    quality, flags = w.quality, w.flags
    E, pad = len(ints), config[PAD]
    legal = True
    for e in range(E):
        if fresh and actions[e] == 0:
            continue
        begin = fresh
        while True:
            if begin:
                legal &= take_split(w, e)
                if not legal:
                    return False
            slot = ints[e, E_SLOT]
            dataset, N = bank_info[slot, B_DATASET], bank_info[slot, B_POOL]
            D = w.data_info[dataset, D_COLUMNS]
            if begin:
                begin_episode(w, e, D)
            else:
                a = actions[e]
                flags[INVALID, e] = a < 0 or a >= N or mask[e * pad + a] == 0
                if flags[INVALID, e]:
                    a = draw(ints, e, E_STREAM, N)
                    while mask[e * pad + a] == 0:
                        a = draw(ints, e, E_STREAM, N)
                acquire(w, e, a, D)
                ints[e, E_STEPS] += 1
                ints[e, E_LENGTH] = ints[e, E_STEPS]
            hits = refit(w, e, slot, D)
            observe(w, e, D)
            L, n_reward = ints[e, E_LABELLED], w.data_info[dataset, D_REWARD]
            quality[0, e] = hits / n_reward
            if begin:
                break
            steps = ints[e, E_STEPS]
            terminated = hits >= bank_info[slot, B_TARGET] or L >= N - 1
            truncated = not terminated and 0 < config[MAX_STEPS] <= steps
            flags[TERMINATED, e] = terminated
            flags[TRUNCATED, e] = truncated
            if not (autoreset and (terminated or truncated)):
                break
            quality[1, e] = quality[0, e]
            _keep_last(w, E, e)
            ints[e, E_EPISODE] += 1
            begin = True
    return True


@kernel
def advance_arrays(
    config, data, data_info, bank, bank_info, floats, ints, candidates, context, mask, quality,
    flags, actions, fresh, autoreset,
):  # fmt: skip
    """Advance as `advance` does, called from Python: taking a tuple apart costs 3 us a call."""
    w = Workload(
        config, data, data_info, bank, bank_info, floats, ints, candidates, context, mask, quality,
        flags,
    )  # fmt: skip
    return advance(w, actions, fresh, autoreset)


@kernel
def begin_episode(w, e, D):
    """Empty episode e and label one random sample of each class."""
    config, bank, floats, ints, mask = w.config, w.bank, w.floats, w.ints, w.mask
    slot, pad = ints[e, E_SLOT], config[PAD]
    N = w.bank_info[slot, B_POOL]
    _, _, _, cosines, open_, _ = episode_places(config, e)
    start_fit(floats, fit_offsets(config, e, D))
    fill(floats, cosines, 2 * pad, ZERO)
    for i in range(pad):
        mask[e * pad + i] = i < N
        floats[open_ + i] = ONE if i < N else ZERO
    for i in range(config[N_STATE]):
        ints[e, E_ROWS + config[CAP] + i] = i
    ints[e, E_LABELLED] = 0
    ints[e, E_STEPS] = 0
    labels = bank_places(config, slot)[4]
    for c in range(2):
        a = draw(ints, e, E_STREAM, N)
        while bank[labels + a] != np.float32(c):
            a = draw(ints, e, E_STREAM, N)
        acquire(w, e, a, D)


@kernel
def acquire(w, e, a, D):
    """Label pool sample a of episode e: extend the model and the cosine sums."""
    config, bank, floats, ints = w.config, w.bank, w.floats, w.ints
    _, _, scratch, cosines, open_, _ = episode_places(config, e)
    slot, L, pad = ints[e, E_SLOT], ints[e, E_LABELLED], config[PAD]
    at, nv = fit_offsets(config, e, D), config[PAD] // 16
    tiles, R, norms, _, labels, _ = bank_places(config, slot)
    row = R + a * at.stride
    add_sample(floats, at, L, bank, row, bank[labels + a])
    ints[e, E_ROWS + L] = a
    ints[e, E_LABELLED] = L + 1
    floats[open_ + a] = ZERO
    w.mask[e * pad + a] = 0
    combine_tiles(bank, tiles, D, (D + 1) * 16, bank, row, nv, floats, scratch)
    norm = splat(bank[norms + a])
    for v in range(nv):
        i = v * 16
        cosine = norm * load(bank, norms + i) * load(floats, scratch + i)
        store(floats, cosines + i, load(floats, cosines + i) + cosine)


@kernel
def refit(w, e, slot, D):
    """Fit the model of episode e to its labels; returns the reward rows that it gets right."""
    config, bank, floats, ints = w.config, w.bank, w.floats, w.ints
    folded = episode_places(config, e)[5]
    _, R, _, _, _, scale = bank_places(config, slot)
    at, L, rows = fit_offsets(config, e, D), ints[e, E_LABELLED], ints[e, E_ROWS:]
    ints[e, E_ITERATIONS] += fit(floats, at, L, bank, R, rows, tolerance_for(D), ZERO)
    bias = fold(bank, scale, config[STRIDE], floats, at.w, floats, folded, D)
    n_reward = w.data_info[w.bank_info[slot, B_DATASET], D_REWARD]
    window = w.bank_info[slot, B_WINDOW]
    return count_correct(w.data, window, D, floats, folded, bias, n_reward, floats)


@kernel
def observe(w, e, D):
    """Write the features of all candidates and the sorted scores of the state points."""
    config, bank, floats, ints = w.config, w.bank, w.floats, w.ints
    candidates, context = w.candidates, w.context
    _, scores, scratch, cosines, open_, _ = episode_places(config, e)
    slot, L, pad = ints[e, E_SLOT], ints[e, E_LABELLED], config[PAD]
    N = w.bank_info[slot, B_POOL]
    tiles, _, _, sums, _, _ = bank_places(config, slot)
    weights = fit_offsets(config, e, D).w
    n_vectors = (pad + STATE_PAD) // 16
    combine_tiles(bank, tiles, D + 1, (D + 1) * 16, floats, weights, n_vectors, floats, scores)
    per_open = splat(ONE / np.float32(N - L))
    per_labelled = splat(ONE / np.float32(L))
    zero, one, two = splat(ZERO), splat(ONE), splat(TWO)
    out = e * 3 * pad
    for v in range(pad // 16):
        i = v * 16
        keep = load(floats, open_ + i)
        labelled = load(floats, cosines + i)
        far = one - (load(bank, sums + i) - labelled) * per_open
        near = one - labelled * per_labelled
        # Mean cosine distances lie in [0, 2]; sums of float32 may not.
        far = two - maximum(two - maximum(far, zero), zero)
        near = two - maximum(two - maximum(near, zero), zero)
        store(candidates, out + i, keep * logistic(zero - load(floats, scores + i)))
        store(candidates, out + pad + i, keep * far)
        store(candidates, out + 2 * pad + i, keep * near)
    # The order of the state points is kept from the last step: insertion then moves only a few.
    order = E_ROWS + config[CAP]
    for i in range(config[N_STATE]):
        which = ints[e, order + i]
        value = -floats[scores + pad + which]
        j = i
        while j > 0 and floats[scratch + j - 1] > value:
            floats[scratch + j] = floats[scratch + j - 1]
            ints[e, order + j] = ints[e, order + j - 1]
            j -= 1
        floats[scratch + j] = value
        ints[e, order + j] = which
    for i in range(0, STATE_PAD, 16):
        store(context, e * STATE_PAD + i, logistic(load(floats, scratch + i)))


@kernel
def _keep_last(w, E, e):
    """Copy the observation of episode e to the second half of the buffers."""
    pad, candidates, context, mask = w.config[PAD], w.candidates, w.context, w.mask
    n, last = 3 * pad, E * 3 * pad
    for i in range(e * n, e * n + n, 16):
        store(candidates, last + i, load(candidates, i))
    for i in range(e * STATE_PAD, (e + 1) * STATE_PAD, 16):
        store(context, E * STATE_PAD + i, load(context, i))
    for i in range(e * pad, (e + 1) * pad):
        mask[E * pad + i] = mask[i]
