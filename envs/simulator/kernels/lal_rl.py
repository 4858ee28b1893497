"""The published LAL-RL workload: E episodes advanced by one call.

Arrays (all flat or two-dimensional, never copied between Python and the kernels):

- `config`: int64, see `CONFIG`.
- `data`, `data_info`: every data set once, features as rows over permuted samples (the first ones
  repeated at the end, so that any cyclic window is contiguous), last row the labels +1 / -1.
- `bank`, `bank_info`: splits in use: pool and state columns standardised by the split's training
  half, the pool as rows, norms, labels, the scaler. A split is a function of its key alone; the
  bank is only a cache of them, so what an episode sees does not depend on the other episodes.
- `floats`, `ints`, `streams`: the episodes: the fit (`kernels.logistic`), sums of cosines, flags.
- observations: `candidates` (E, 3, Np), `context` (E, 32), `mask` (E, Np).
"""

import math

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.counters import draw, key_of
from envs.simulator.kernels.dense import combine_rows, count_correct, fill
from envs.simulator.kernels.logistic import (
    add_sample,
    fit,
    newton_weights,
    places,
    room,
    start_fit,
)
from envs.simulator.kernels.simd import load, logistic, maximum, splat, store

CONFIG = (
    "pool_size", "pool_pad", "stride", "cap", "n_splits", "refresh", "n_datasets", "max_steps",
    "seed", "first_env", "n_slots", "clock", "n_state", "drawn", "balance",
)  # fmt: skip
(
    POOL, POOL_PAD, STRIDE, CAP, N_SPLITS, REFRESH, N_DATASETS, MAX_STEPS,
    SEED, FIRST_ENV, N_SLOTS, CLOCK, N_STATE, DRAWN, _,
) = range(15)  # fmt: skip

DATA_FIELDS = ("at", "rows", "columns", "row_stride", "test_rows", "reward_rows")
D_AT, D_ROWS, D_COLUMNS, D_STRIDE, D_TEST, D_REWARD = range(6)

BANK_FIELDS = ("key", "users", "stamp", "dataset", "window", "target", "pool", "full")
B_KEY, B_USERS, B_STAMP, B_DATASET, B_WINDOW, B_TARGET, B_POOL, B_FULL = range(8)

EPISODE_FIELDS = ("labelled", "slot", "episode", "steps")
E_LABELLED, E_SLOT, E_EPISODE, E_STEPS = range(4)
E_ROWS = 8
"""Integers of an episode before the list of labelled rows and the order of the state points."""

STATE_PAD = 32
MAX_ATTEMPTS = 10_000

ZERO, ONE, TWO = np.float32(0.0), np.float32(1.0), np.float32(2.0)


@kernel
def bank_room(config):
    """Return the float32 numbers of one split in the bank."""
    pool, stride = config[POOL_PAD], config[STRIDE]
    return stride * (pool + STATE_PAD) + pool * stride + 3 * pool + 2 * stride


@kernel
def bank_places(config, slot):
    """Return where a split keeps its columns, rows, 1 / norms, cosine sums, labels and scaler."""
    pool, stride = config[POOL_PAD], config[STRIDE]
    M = slot * bank_room(config)
    R = M + stride * (pool + STATE_PAD)
    norms = R + pool * stride
    return M, R, norms, norms + pool, norms + 2 * pool, norms + 3 * pool


@kernel
def episode_room(config):
    """Return the float32 numbers of one episode."""
    pool, stride = config[POOL_PAD], config[STRIDE]
    return room(stride, config[CAP]) + 2 * (pool + STATE_PAD) + 2 * pool + stride


@kernel
def episode_places(config, e):
    """Return where an episode keeps its fit, scores, scratch, cosine sums, flags, folded w."""
    pool, stride = config[POOL_PAD], config[STRIDE]
    base = e * episode_room(config)
    scores = base + room(stride, config[CAP])
    scratch = scores + pool + STATE_PAD
    cosines = scratch + pool + STATE_PAD
    return base, scores, scratch, cosines, cosines + pool, cosines + 2 * pool


@kernel
def tolerance_of(D):
    """Return the gradient tolerance: 1e-4, less for wide data, where errors of columns add up."""
    return np.float32(1e-4 * min(1.0, 24.0 / (D + 1)))


@kernel
def _draw_rows(streams, picks, n_train, n_wanted):
    """Draw distinct numbers below n_train into the front of `picks` (partial Fisher-Yates)."""
    for i in range(n_train):
        picks[i] = i
    for i in range(n_wanted):
        j = i + draw(streams, 0, n_train - i)
        keep = picks[i]
        picks[i] = picks[j]
        picks[j] = keep


@kernel
def _has_both(data, y_at, begin, picks, first, last):
    """Whether both labels occur among the listed rows (all from `begin` on without a list)."""
    positive = 0
    for i in range(first, last):
        row = begin + (picks[i] if len(picks) > 0 else i)
        positive += data[y_at + row] > ZERO
    return 0 < positive < last - first


@kernel
def _scaler(data, at, begin, n_rows, total):
    """Return mean and standard deviation of a cyclic window of one column (1 when constant)."""
    s = 0.0
    q = 0.0
    head = min(n_rows, total - begin)
    for i in range(head):
        x = np.float64(data[at + begin + i])
        s += x
        q += x * x
    for i in range(n_rows - head):
        x = np.float64(data[at + i])
        s += x
        q += x * x
    mean = s / n_rows
    variance = q / n_rows - mean * mean
    return mean, (math.sqrt(variance) if variance > 1e-10 else 1.0)


@kernel
def draw_split(config, data, data_info, bank, bank_info, slot, key, dataset, ramp):
    """Draw the split of a key into a slot of the bank; returns whether a legal one was found.

    Half the samples (a cyclic window of the permuted data) are the held-out half, the first
    `reward_rows` of them are the reward part; state points and pool are drawn from the other
    half, whose means and deviations scale everything. Drawn again until the reward part and the
    pool hold both classes.
    """
    at, total, D = data_info[dataset, D_AT], data_info[dataset, D_ROWS], data_info[dataset, 2]
    row_stride, n_test = data_info[dataset, D_STRIDE], data_info[dataset, D_TEST]
    n_reward = data_info[dataset, D_REWARD]
    n_train = total - n_test
    n_state = config[N_STATE]
    N = min(config[POOL], n_train - n_state)
    streams = np.empty(1, dtype=np.uint64)
    streams[0] = key
    picks = np.empty(n_train, dtype=np.int64)
    none = np.empty(0, dtype=np.int64)
    y_at = at + D * row_stride
    found = False
    window = 0
    begin = 0
    for _ in range(MAX_ATTEMPTS):
        window = draw(streams, 0, (total + 15) // 16) * 16
        begin = (window + n_test) % total
        _draw_rows(streams, picks, n_train, n_state + N)
        for i in range(n_state + N):
            picks[i] = (begin + picks[i]) % total
        if _has_both(data, y_at, window, none, 0, n_reward) and _has_both(
            data, y_at, 0, picks, n_state, n_state + N
        ):
            found = True
            break
    if not found:
        return False
    _fill_slot(config, data, bank, slot, (at, total, D, row_stride, begin, n_train), picks, N)
    full = _pool_quality(config, data, data_info, bank, slot, dataset, window, N, ramp)
    bank_info[slot, B_KEY] = np.int64(key)
    bank_info[slot, B_DATASET] = dataset
    bank_info[slot, B_WINDOW] = window
    bank_info[slot, B_POOL] = N
    bank_info[slot, B_FULL] = full
    bank_info[slot, B_TARGET] = np.int64(math.ceil(0.98 * full - 1e-9))
    return True


@kernel
def _fill_slot(config, data, bank, slot, where, picks, N):
    """Write the standardised columns and rows of a split, its norms, cosine sums and scaler."""
    at, total, D, row_stride, begin, n_train = where
    M, R, norms, sums, labels, scale = bank_places(config, slot)
    n_state, pad = config[N_STATE], config[POOL_PAD]
    wide = pad + STATE_PAD
    stride = (D + 16) // 16 * 16
    fill(bank, M, bank_room(config), ZERO)
    for j in range(D):
        mean, deviation = _scaler(data, at + j * row_stride, begin, n_train, total)
        bank[scale + j] = np.float32(1.0 / deviation)
        bank[scale + config[STRIDE] + j] = np.float32(mean / deviation)
        for i in range(n_state + N):
            x = np.float32((data[at + j * row_stride + picks[i]] - mean) / deviation)
            if i < n_state:
                bank[M + j * wide + pad + i] = x
            else:
                bank[M + j * wide + i - n_state] = x
                bank[R + (i - n_state) * stride + j] = x
    for i in range(N):
        bank[R + i * stride + D] = ONE
        bank[M + D * wide + i] = ONE
        y = data[at + D * row_stride + picks[n_state + i]]
        bank[labels + i] = ONE if y > ZERO else ZERO
    for i in range(n_state):
        bank[M + D * wide + pad + i] = ONE
    _cosine_sums(bank, R, norms, sums, stride, D, N)


@kernel
def _cosine_sums(bank, R, norms, sums, stride, D, N):
    """Write 1 / |x_i| and the sum over the pool of cos(x_i, x_j), a sample with itself counting 1."""
    mean = np.zeros(D)
    for i in range(N):
        square = 0.0
        for j in range(D):
            square += np.float64(bank[R + i * stride + j]) ** 2
        inverse = 1.0 / math.sqrt(square) if square > 0.0 else 0.0
        bank[norms + i] = np.float32(inverse)
        for j in range(D):
            mean[j] += bank[R + i * stride + j] * inverse
    for i in range(N):
        s = 0.0
        for j in range(D):
            s += bank[R + i * stride + j] * mean[j]
        own = 1.0 if bank[norms + i] == ZERO else 0.0
        bank[sums + i] = np.float32(s * bank[norms + i] + own)


@kernel
def _pool_quality(config, data, data_info, bank, slot, dataset, window, N, ramp):
    """Return how many reward samples the model of the whole labelled pool gets right."""
    _, R, _, _, labels, scale = bank_places(config, slot)
    D = data_info[dataset, D_COLUMNS]
    stride = (D + 16) // 16 * 16
    X = np.empty((N, D + 1))
    target = np.empty(N)
    for i in range(N):
        target[i] = bank[labels + i]
        for j in range(D + 1):
            X[i, j] = bank[R + i * stride + j]
    weights = np.zeros(D + 1)
    newton_weights(X, target, weights)
    folded = np.empty(D, dtype=np.float32)
    bias = weights[D]
    for j in range(D):
        folded[j] = np.float32(weights[j] * bank[scale + j])
        bias -= weights[j] * bank[scale + config[STRIDE] + j]
    at, row_stride = data_info[dataset, D_AT], data_info[dataset, D_STRIDE]
    return np.int64(
        count_correct(
            data, at + window, row_stride, D, folded, 0, np.float32(bias),
            at + D * row_stride + window, data_info[dataset, D_REWARD], ramp,
        )
    )  # fmt: skip


@kernel
def _find_slot(config, bank_info, key):
    """Return the slot of a key, or the free one unused for longest, and whether it was found."""
    best = -1
    for s in range(config[N_SLOTS]):
        if bank_info[s, B_KEY] == key:
            return s, True
        if bank_info[s, B_USERS] == 0 and (
            best < 0 or bank_info[s, B_STAMP] < bank_info[best, B_STAMP]
        ):
            best = s
    return best, False


@kernel
def _take_split(config, data, data_info, bank, bank_info, ints, e, ramp):
    """Give episode e its split, drawing it if the bank does not hold it."""
    config[CLOCK] += 1
    old = ints[e, E_SLOT]
    if old >= 0:
        bank_info[old, B_USERS] -= 1
    seed, env, episode = config[SEED], config[FIRST_ENV] + e, ints[e, E_EPISODE]
    generation = episode // config[REFRESH]
    choice = np.int64(key_of(seed, env, episode, 1) % np.uint64(config[N_SPLITS]))
    key = key_of(seed, generation, choice, 2)
    slot, found = _find_slot(config, bank_info, np.int64(key))
    legal = True
    if not found:
        dataset = choice % config[N_DATASETS]
        legal = draw_split(config, data, data_info, bank, bank_info, slot, key, dataset, ramp)
        config[DRAWN] += 1
    bank_info[slot, B_USERS] += 1
    bank_info[slot, B_STAMP] = config[CLOCK]
    ints[e, E_SLOT] = slot
    return legal


@kernel
def _buy(config, data_info, bank, bank_info, floats, ints, mask, e, a):
    """Label pool sample a of episode e: extend the model and the cosine sums."""
    base, _, scratch, cosines, open_, _ = episode_places(config, e)
    slot, L = ints[e, E_SLOT], ints[e, E_LABELLED]
    D = data_info[bank_info[slot, B_DATASET], D_COLUMNS]
    stride = (D + 16) // 16 * 16
    M, R, norms, _, labels, _ = bank_places(config, slot)
    row = R + a * stride
    add_sample(floats, base, stride, config[CAP], D, L, bank, row, bank[labels + a])
    ints[e, E_ROWS + L] = a
    ints[e, E_LABELLED] = L + 1
    floats[open_ + a] = ZERO
    pad = config[POOL_PAD]
    mask[e * pad + a] = 0
    nv = pad // 16
    combine_rows(bank, M, pad + STATE_PAD, D, bank, row, nv, floats, scratch)
    norm = splat(bank[norms + a])
    for v in range(nv):
        i = v * 16
        cosine = norm * load(bank, norms + i) * load(floats, scratch + i)
        store(floats, cosines + i, load(floats, cosines + i) + cosine)


@kernel
def _refit(config, data_info, bank, bank_info, floats, ints, e):
    """Fit episode e's model to its labels."""
    slot = ints[e, E_SLOT]
    D = data_info[bank_info[slot, B_DATASET], D_COLUMNS]
    R = bank_places(config, slot)[1]
    base = episode_places(config, e)[0]
    rows = ints[e, E_ROWS:]
    L = ints[e, E_LABELLED]
    stride = (D + 16) // 16 * 16
    return fit(floats, base, stride, config[CAP], D, L, bank, R, rows, tolerance_of(D))


@kernel
def _correct(config, data, data_info, bank, bank_info, floats, ints, e, ramp):
    """Count the reward samples that the present model of episode e gets right."""
    base, _, _, _, _, folded = episode_places(config, e)
    slot = ints[e, E_SLOT]
    dataset, window = bank_info[slot, B_DATASET], bank_info[slot, B_WINDOW]
    at, D, row_stride = data_info[dataset, D_AT], data_info[dataset, 2], data_info[dataset, 3]
    stride = (D + 16) // 16 * 16
    w = places(base, stride, config[CAP])[2]
    scale = bank_places(config, slot)[5]
    bias = floats[w + D]
    for j in range(D):
        floats[folded + j] = floats[w + j] * bank[scale + j]
        bias -= floats[w + j] * bank[scale + config[STRIDE] + j]
    return np.int64(
        count_correct(
            data, at + window, row_stride, D, floats, folded, bias,
            at + D * row_stride + window, data_info[dataset, D_REWARD], ramp,
        )
    )  # fmt: skip


@kernel
def _observe(config, data_info, bank, bank_info, floats, ints, candidates, context, e):
    """Write the features of all candidates and the sorted scores of the state points."""
    base, scores, scratch, cosines, open_, _ = episode_places(config, e)
    slot, L = ints[e, E_SLOT], ints[e, E_LABELLED]
    N = bank_info[slot, B_POOL]
    D = data_info[bank_info[slot, B_DATASET], D_COLUMNS]
    stride = (D + 16) // 16 * 16
    M, _, _, sums, _, _ = bank_places(config, slot)
    w = places(base, stride, config[CAP])[2]
    pad = config[POOL_PAD]
    wide = pad + STATE_PAD
    combine_rows(bank, M, wide, D + 1, floats, w, wide // 16, floats, scores)
    per_open = splat(ONE / np.float32(N - L))
    per_labelled = splat(ONE / np.float32(L))
    zero, one, two = splat(ZERO), splat(ONE), splat(TWO)
    out = e * 3 * pad
    for v in range(pad // 16):
        i = v * 16
        keep = load(floats, open_ + i)
        bought = load(floats, cosines + i)
        far = one - (load(bank, sums + i) - bought) * per_open
        near = one - bought * per_labelled
        far = two - maximum(two - maximum(far, zero), zero)
        near = two - maximum(two - maximum(near, zero), zero)
        store(candidates, out + i, keep * logistic(zero - load(floats, scores + i)))
        store(candidates, out + pad + i, keep * far)
        store(candidates, out + 2 * pad + i, keep * near)
    _sort_state(config, floats, ints, scores + pad, scratch, e)
    for i in range(0, STATE_PAD, 16):
        store(context, e * STATE_PAD + i, logistic(load(floats, scratch + i)))


@kernel
def _sort_state(config, floats, ints, scores, out, e):
    """Write the negated scores of the state points in ascending order.

    The order is kept from the last step: insertion then moves only a few.
    """
    first = E_ROWS + config[CAP]
    for i in range(config[N_STATE]):
        which = ints[e, first + i]
        value = -floats[scores + which]
        j = i
        while j > 0 and floats[out + j - 1] > value:
            floats[out + j] = floats[out + j - 1]
            ints[e, first + j] = ints[e, first + j - 1]
            j -= 1
        floats[out + j] = value
        ints[e, first + j] = which


@kernel
def _begin(
    config, data, data_info, bank, bank_info, floats, ints, streams, ramp, candidates, context,
    mask, e,
):  # fmt: skip
    """Begin the next episode of environment e; returns its quality count, -1 without a split."""
    if not _take_split(config, data, data_info, bank, bank_info, ints, e, ramp):
        return -1
    slot = ints[e, E_SLOT]
    D = data_info[bank_info[slot, B_DATASET], D_COLUMNS]
    N = bank_info[slot, B_POOL]
    pad = config[POOL_PAD]
    base, _, _, cosines, open_, _ = episode_places(config, e)
    start_fit(floats, base, (D + 16) // 16 * 16, config[CAP], D)
    fill(floats, cosines, 2 * pad, ZERO)
    for i in range(pad):
        mask[e * pad + i] = i < N
    for i in range(N):
        floats[open_ + i] = ONE
    for i in range(config[N_STATE]):
        ints[e, E_ROWS + config[CAP] + i] = i
    ints[e, E_LABELLED] = 0
    ints[e, E_STEPS] = 0
    streams[e] = key_of(config[SEED], config[FIRST_ENV] + e, ints[e, E_EPISODE], 3)
    labels = bank_places(config, slot)[4]
    for label in (ZERO, ONE):
        a = draw(streams, e, N)
        while bank[labels + a] != label:
            a = draw(streams, e, N)
        _buy(config, data_info, bank, bank_info, floats, ints, mask, e, a)
    _refit(config, data_info, bank, bank_info, floats, ints, e)
    _observe(config, data_info, bank, bank_info, floats, ints, candidates, context, e)
    return _correct(config, data, data_info, bank, bank_info, floats, ints, e, ramp)


@kernel
def begin_all(
    config, data, data_info, bank, bank_info, floats, ints, streams, ramp, candidates, context,
    mask, quality, chosen,
):  # fmt: skip
    """Begin episode `ints[:, E_EPISODE]` in every chosen environment; False without a split."""
    for e in range(len(ints)):
        if not chosen[e]:
            continue
        hits = _begin(
            config, data, data_info, bank, bank_info, floats, ints, streams, ramp, candidates,
            context, mask, e,
        )  # fmt: skip
        if hits < 0:
            return False
        quality[e] = hits / data_info[bank_info[ints[e, E_SLOT], B_DATASET], D_REWARD]
    return True


@kernel
def step_all(
    config, data, data_info, bank, bank_info, floats, ints, streams, ramp, candidates, context,
    mask, final_candidates, final_context, final_mask, actions, quality, flags, lengths, autoreset,
):  # fmt: skip
    """Advance every episode by one label; False when a new episode found no legal split.

    Args:
        quality: (2, E): accuracy after the step (of the new episode after an autoreset), and of
            the episode that ended.
        flags: (3, E): terminated, truncated, action was not legal.
        lengths: (E,) steps of the episode so far (those of the ended one at its end).
        autoreset: Begin the next episode at once, the last observation in the final buffers.

    The other arguments are described at the top of the module.
    """
    pad = config[POOL_PAD]
    for e in range(len(ints)):
        slot = ints[e, E_SLOT]
        N = bank_info[slot, B_POOL]
        a = actions[e]
        flags[2, e] = 0
        if a < 0 or a >= N or mask[e * pad + a] == 0:
            flags[2, e] = 1
            a = draw(streams, e, N)
            while mask[e * pad + a] == 0:
                a = draw(streams, e, N)
        _buy(config, data_info, bank, bank_info, floats, ints, mask, e, a)
        _refit(config, data_info, bank, bank_info, floats, ints, e)
        _observe(config, data_info, bank, bank_info, floats, ints, candidates, context, e)
        hits = _correct(config, data, data_info, bank, bank_info, floats, ints, e, ramp)
        ints[e, E_STEPS] += 1
        steps = ints[e, E_STEPS]
        share = hits / data_info[bank_info[slot, B_DATASET], D_REWARD]
        quality[0, e] = share
        lengths[e] = steps
        terminated = hits >= bank_info[slot, B_TARGET] or ints[e, E_LABELLED] >= N - 1
        truncated = not terminated and 0 < config[MAX_STEPS] <= steps
        flags[0, e] = terminated
        flags[1, e] = truncated
        if (terminated or truncated) and autoreset:
            quality[1, e] = share
            for i in range(3 * pad):
                final_candidates[e * 3 * pad + i] = candidates[e * 3 * pad + i]
            for i in range(pad):
                final_mask[e * pad + i] = mask[e * pad + i]
            for i in range(STATE_PAD):
                final_context[e * STATE_PAD + i] = context[e * STATE_PAD + i]
            ints[e, E_EPISODE] += 1
            hits = _begin(
                config, data, data_info, bank, bank_info, floats, ints, streams, ramp,
                candidates, context, mask, e,
            )  # fmt: skip
            if hits < 0:
                return False
            where = bank_info[ints[e, E_SLOT], B_DATASET]
            quality[0, e] = hits / data_info[where, D_REWARD]
    return True
