"""Splits of the LAL-RL workload: drawn from a key, standardised, kept in a bank while in use."""

import math

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import count_correct, fill, set_all
from envs.simulator.kernels.lal_rl.layout import (
    B_DATASET,
    B_FULL,
    B_KEY,
    B_POOL,
    B_STAMP,
    B_TARGET,
    B_USERS,
    B_WINDOW,
    CAP,
    CLOCK,
    D_AT,
    D_COLUMNS,
    D_REWARD,
    D_ROWS,
    D_TEST,
    DRAWN,
    E_EPISODE,
    E_SLOT,
    E_STREAM,
    FIRST_ENV,
    MAX_ATTEMPTS,
    N_DATASETS,
    N_SLOTS,
    N_SPLITS,
    N_STATE,
    PAD,
    POOL,
    REFRESH,
    SEED,
    STRIDE,
    bank_places,
    bank_size,
)
from envs.simulator.kernels.logistic.binary import (
    add_sample,
    fit,
    offsets,
    start_fit,
    workspace_size,
)
from envs.simulator.kernels.random_numbers import draw, make_key
from envs.simulator.kernels.simd import load, reduce_sum

TARGET_SHARE = 0.98
"""Share of what the whole labelled pool gets right that ends an episode (Konyushkova et al.)."""

LEAST_VARIANCE = 1e-6
"""Of a column of mean square 1: below it the half is constant, and the difference is rounding."""

ZERO, ONE = np.float32(0.0), np.float32(1.0)


@kernel
def take_split(w, e):
    """Give episode e its split, drawing it if the bank does not hold it."""
    config, bank_info, ints = w.config, w.bank_info, w.ints
    config[CLOCK] += 1
    old = ints[e, E_SLOT]
    if old >= 0:
        bank_info[old, B_USERS] -= 1
    seed, env, episode = config[SEED], config[FIRST_ENV] + e, ints[e, E_EPISODE]
    generation = episode // config[REFRESH]
    choice = np.int64(make_key(seed, env, episode, 1) % np.uint64(config[N_SPLITS]))
    key = make_key(seed, generation, choice, 2)
    slot = -1
    found = False
    for s in range(config[N_SLOTS]):
        if bank_info[s, B_KEY] == np.int64(key):
            slot = s
            found = True
            break
        if bank_info[s, B_USERS] == 0 and (
            slot < 0 or bank_info[s, B_STAMP] < bank_info[slot, B_STAMP]
        ):
            slot = s
    if not found:
        dataset = choice % config[N_DATASETS]
        config[DRAWN] += 1
        found = draw_split(w, slot, key, dataset)
    bank_info[slot, B_USERS] += 1
    bank_info[slot, B_STAMP] = config[CLOCK]
    ints[e, E_SLOT] = slot
    ints[e, E_STREAM] = np.int64(make_key(seed, env, episode, 3))
    return found


@kernel
def draw_split(w, slot, key, dataset):
    """Draw the split of a key into a slot of the bank; returns whether a legal one was found.

    Half the samples (a cyclic window of the permuted data) are the held-out half, the first
    `reward_rows` of them are the reward part; state points and pool are drawn from the other
    half, whose means and deviations scale everything. Drawn again until the reward part and the
    pool hold both classes.
    """
    config, data, data_info, bank, bank_info, floats = w[:6]
    about = data_info[dataset]
    at, total, D = about[D_AT], about[D_ROWS], about[D_COLUMNS]
    n_test, n_reward = about[D_TEST], about[D_REWARD]
    n_train, n_state, tile = total - n_test, config[N_STATE], (D + 1) * 16
    N = min(config[POOL], n_train - n_state)
    streams = np.empty((1, 1), np.int64)
    streams[0, 0] = np.int64(key)
    picks = np.empty(n_train, np.int64)
    found = False
    window = 0
    attempt = 0
    while not found and attempt < MAX_ATTEMPTS:
        attempt += 1
        window = draw(streams, 0, 0, (total + 15) // 16) * 16
        begin = (window + n_test) % total
        _draw_rows(streams, picks, n_train, n_state + N)
        positive = 0
        for i in range(n_state + N):
            row = (begin + picks[i]) % total
            picks[i] = at + row // 16 * tile + row % 16
            positive += i >= n_state and data[picks[i] + D * 16] > ZERO
        rewarded = 0
        for i in range(window, window + n_reward):
            rewarded += data[at + i // 16 * tile + D * 16 + i % 16] > ZERO
        found = 0 < positive < N and 0 < rewarded < n_reward
    bank_info[slot, B_KEY] = np.int64(key)
    bank_info[slot, B_DATASET] = dataset
    bank_info[slot, B_WINDOW] = at + window // 16 * tile
    bank_info[slot, B_POOL] = N
    _fill_slot(config, data, bank, floats, slot, at, total, D, window, n_test, picks, N)
    full = _pool_hits(config, data, bank, bank_info, floats, slot, D, N, n_reward)
    bank_info[slot, B_FULL] = full
    bank_info[slot, B_TARGET] = np.int64(math.ceil(TARGET_SHARE * full - 1e-9))
    return found


@kernel
def _draw_rows(streams, picks, n_train, n_wanted):
    """Draw distinct numbers below n_train into the front of `picks` (partial Fisher-Yates)."""
    for i in range(n_train):
        picks[i] = i
    for i in range(n_wanted):
        j = i + draw(streams, 0, 0, n_train - i)
        keep = picks[i]
        picks[i] = picks[j]
        picks[j] = keep


@kernel
def _scale(data, bank, floats, scale, second, at, total, D, window, n_test):
    """Write 1 / deviation and mean / deviation of the half that is not held out.

    The whole data set has mean 0 and mean square 1 (0 for constant columns) by construction, so
    the sums of one half are known from those of the other.
    """
    tile = (D + 1) * 16
    first = at + window // 16 * tile
    n = total - n_test
    for j in range(D):
        s = 0.0
        q = 0.0
        for v in range((n_test + 15) // 16):
            left = min(n_test - v * 16, 16)
            x = load(data, first + v * tile + j * 16) * load(floats, 16 - left)
            s += np.float64(reduce_sum(x))
            q += np.float64(reduce_sum(x * x))
        mean = -s / n
        variance = (total - q) / n - mean * mean
        inverse = 1.0 / math.sqrt(variance) if q > 0.0 and variance > LEAST_VARIANCE else 1.0
        bank[scale + j] = np.float32(inverse)
        bank[scale + second + j] = np.float32(mean * inverse)


@kernel
def _fill_slot(config, data, bank, floats, slot, at, total, D, window, n_test, picks, N):
    """Write the standardised tiles and rows of a split, its norms, cosine sums and scaler."""
    tiles, R, norms, sums, labels, scale = bank_places(config, slot)
    second, n_state, pad = config[STRIDE], config[N_STATE], config[PAD]
    stride, tile = (D + 16) // 16 * 16, (D + 1) * 16
    fill(bank, tiles, bank_size(config), ZERO)
    _scale(data, bank, floats, scale, second, at, total, D, window, n_test)
    for i in range(n_state + N):
        place = pad + i if i < n_state else i - n_state
        column = tiles + place // 16 * tile + place % 16
        for j in range(D):
            x = data[picks[i] + j * 16] * bank[scale + j] - bank[scale + second + j]
            bank[column + j * 16] = x
            if i >= n_state:
                bank[R + place * stride + j] = x
        bank[column + D * 16] = ONE
        if i >= n_state:
            bank[R + place * stride + D] = ONE
            bank[labels + place] = ONE if data[picks[i] + D * 16] > ZERO else ZERO
    mean = np.empty(D)
    set_all(mean, 0.0)
    for i in range(N):
        square = 0.0
        for j in range(D):
            x = np.float64(bank[R + i * stride + j])
            square += x * x
        inverse = 1.0 / math.sqrt(square) if square > 0.0 else 0.0
        bank[norms + i] = np.float32(inverse)
        for j in range(D):
            mean[j] += bank[R + i * stride + j] * inverse
    for i in range(N):
        s = 0.0
        for j in range(D):
            s += bank[R + i * stride + j] * mean[j]
        # A sample is at distance 0 from itself even where its direction is undefined.
        own = ONE if bank[norms + i] == ZERO else ZERO
        bank[sums + i] = np.float32(s) * bank[norms + i] + own


@kernel
def _pool_hits(config, data, bank, bank_info, floats, slot, D, N, n_reward):
    """Return how many reward samples the model of the whole labelled pool gets right."""
    _, R, _, _, labels, scale = bank_places(config, slot)
    stride, cap = (D + 16) // 16 * 16, config[CAP]
    F, at = np.empty(workspace_size(stride, cap), np.float32), offsets(0, stride, cap, D)
    rows = np.empty(N, np.int64)
    start_fit(F, at)
    for i in range(N):
        rows[i] = i
        add_sample(F, at, i, bank, R + i * stride, bank[labels + i])
    fit(F, at, N, bank, R, rows, tolerance_for(D), ZERO)
    folded = F[at.w + stride :]
    bias = fold(bank, scale, config[STRIDE], F, at.w, folded, 0, D)
    return count_correct(data, bank_info[slot, B_WINDOW], D, folded, 0, bias, n_reward, floats)


@kernel(forceinline=True)
def tolerance_for(D):
    """Return the gradient tolerance: 1e-4, less for wide data, where errors of columns add up."""
    return np.float32(1e-4 * min(1.0, 24.0 / (D + 1)))


@kernel
def fold(bank, scale, second, weights, at, folded, to, D):
    """Write the weights for unscaled samples; returns their intercept."""
    bias = weights[at + D]
    for j in range(D):
        folded[to + j] = weights[at + j] * bank[scale + j]
        bias -= weights[at + j] * bank[scale + second + j]
    return bias
