"""The published LAL-RL workload: E episodes advanced by one call.

The arrays, shared by Python and the kernels:

- `config`: int64, see `CONFIG`.
- `data`, `data_info`: every data set once, its samples permuted and in tiles of 16 (rows of
  features, then labels +1 / -1), the first ones repeated at the end: every cyclic window that
  begins at a tile is contiguous.
- `bank`, `bank_info`: splits in use: pool and state points in tiles, standardised by the split's
  training half, the pool as rows, norms, cosine sums, labels, the scaler. A split is a function
  of its key alone; the bank is only a cache, so episodes do not depend on each other.
- `floats`, `ints`: the episodes: the fit (`kernels.logistic`), cosine sums, counters, streams.
  `floats` begins with 16 ones and 16 zeros.
- `candidates` (2, E, 3, pad), `context` (2, E, 32), `mask` (2, E, pad): the present observations,
  then the last ones of the episodes that ended in this step.
"""

import math

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.counters import draw, key_of
from envs.simulator.kernels.dense import combine_tiles, count_correct, fill, set_all
from envs.simulator.kernels.logistic.binary import add_sample, fit, places, room, start_fit
from envs.simulator.kernels.simd import load, logistic, maximum, splat, store
from envs.simulator.kernels.simd import total as lane_sum

CONFIG = (
    "pool_size", "pool_pad", "stride", "cap", "n_splits", "refresh", "n_datasets", "max_steps",
    "seed", "first_env", "n_slots", "clock", "n_state", "drawn",
)  # fmt: skip
(
    POOL, PAD, STRIDE, CAP, N_SPLITS, REFRESH, N_DATASETS, MAX_STEPS,
    SEED, FIRST_ENV, N_SLOTS, CLOCK, N_STATE, DRAWN,
) = range(14)  # fmt: skip

DATA_FIELDS = ("at", "rows", "columns", "test_rows", "reward_rows")
D_AT, D_ROWS, D_COLUMNS, D_TEST, D_REWARD = range(5)

BANK_FIELDS = ("key", "users", "stamp", "dataset", "window", "target", "pool", "full")
B_KEY, B_USERS, B_STAMP, B_DATASET, B_WINDOW, B_TARGET, B_POOL, B_FULL = range(8)

EPISODE_FIELDS = ("labelled", "slot", "episode", "steps", "stream", "length", "iterations")
E_LABELLED, E_SLOT, E_EPISODE, E_STEPS, E_STREAM, E_LENGTH, E_ITERATIONS = range(7)
E_ROWS = 8
"""Integers of an episode before the list of labelled rows and the order of the state points."""

NEITHER, TERMINATED, TRUNCATED, INVALID = -1, 0, 1, 2
"""Rows of `flags`."""

RAMP = 32
STATE_PAD = 32
MAX_ATTEMPTS = 10_000
TARGET_TOLERANCE = np.float32(1e-4)

ZERO, ONE, TWO = np.float32(0.0), np.float32(1.0), np.float32(2.0)


@kernel(forceinline=True)
def bank_room(config):
    """Return the float32 numbers of one split in the bank."""
    pad, stride = config[PAD], config[STRIDE]
    return stride * (pad + STATE_PAD) + pad * stride + 3 * pad + 2 * stride


@kernel(forceinline=True)
def bank_places(config, slot):
    """Return where a split keeps its tiles, rows, 1 / norms, cosine sums, labels and scaler."""
    pad, stride = config[PAD], config[STRIDE]
    tiles = slot * bank_room(config)
    R = tiles + stride * (pad + STATE_PAD)
    norms = R + pad * stride
    return tiles, R, norms, norms + pad, norms + 2 * pad, norms + 3 * pad


@kernel(forceinline=True)
def episode_room(config):
    """Return the float32 numbers of one episode."""
    pad, stride = config[PAD], config[STRIDE]
    return room(stride, config[CAP]) + 2 * (pad + STATE_PAD) + 2 * pad + stride


@kernel(forceinline=True)
def episode_places(config, e):
    """Return where an episode keeps its fit, scores, scratch, cosine sums, flags, folded w."""
    pad, stride = config[PAD], config[STRIDE]
    base = RAMP + e * episode_room(config)
    scores = base + room(stride, config[CAP])
    scratch = scores + pad + STATE_PAD
    cosines = scratch + pad + STATE_PAD
    return base, scores, scratch, cosines, cosines + pad, cosines + 2 * pad


@kernel(forceinline=True)
def tolerance_of(D):
    """Return the gradient tolerance: 1e-4, less for wide data, where errors of columns add up."""
    return np.float32(1e-4 * min(1.0, 24.0 / (D + 1)))


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
def fold(bank, scale, second, weights, at, folded, to, D):
    """Write the weights for unscaled samples; returns their intercept."""
    bias = weights[at + D]
    for j in range(D):
        folded[to + j] = weights[at + j] * bank[scale + j]
        bias -= weights[at + j] * bank[scale + second + j]
    return bias


@kernel
def draw_split(config, data, data_info, bank, bank_info, floats, slot, key, dataset):
    """Draw the split of a key into a slot of the bank; returns whether a legal one was found.

    Half the samples (a cyclic window of the permuted data) are the held-out half, the first
    `reward_rows` of them are the reward part; state points and pool are drawn from the other
    half, whose means and deviations scale everything. Drawn again until the reward part and the
    pool hold both classes.
    """
    at, total, D = data_info[dataset, D_AT], data_info[dataset, D_ROWS], data_info[dataset, 2]
    n_test, n_reward = data_info[dataset, D_TEST], data_info[dataset, D_REWARD]
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
    bank_info[slot, B_TARGET] = np.int64(math.ceil(0.98 * full - 1e-9))
    return found


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
            s += np.float64(lane_sum(x))
            q += np.float64(lane_sum(x * x))
        mean = -s / n
        variance = (total - q) / n - mean * mean
        inverse = 1.0 / math.sqrt(variance) if q > 0.0 and variance > 1e-6 else 1.0
        bank[scale + j] = np.float32(inverse)
        bank[scale + second + j] = np.float32(mean * inverse)


@kernel
def _fill_slot(config, data, bank, floats, slot, at, total, D, window, n_test, picks, N):
    """Write the standardised tiles and rows of a split, its norms, cosine sums and scaler."""
    tiles, R, norms, sums, labels, scale = bank_places(config, slot)
    second, n_state, pad = config[STRIDE], config[N_STATE], config[PAD]
    stride, tile = (D + 16) // 16 * 16, (D + 1) * 16
    fill(bank, tiles, bank_room(config), ZERO)
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
    F = np.empty(room(stride, cap), np.float32)
    rows, base = np.empty(N, np.int64), 0
    start_fit(F, base, stride, cap, D)
    for i in range(N):
        rows[i] = i
        add_sample(F, base, stride, cap, D, i, bank, R + i * stride, bank[labels + i])
    fit(F, base, stride, cap, D, N, bank, R, rows, tolerance_of(D), ZERO)
    w = places(base, stride, cap)[2]
    folded = F[w + stride :]
    bias = fold(bank, scale, config[STRIDE], F, w, folded, 0, D)
    return count_correct(data, bank_info[slot, B_WINDOW], D, folded, 0, bias, n_reward, floats)


@kernel
def take_split(config, data, data_info, bank, bank_info, floats, ints, e):
    """Give episode e its split, drawing it if the bank does not hold it."""
    config[CLOCK] += 1
    old = ints[e, E_SLOT]
    if old >= 0:
        bank_info[old, B_USERS] -= 1
    seed, env, episode = config[SEED], config[FIRST_ENV] + e, ints[e, E_EPISODE]
    generation = episode // config[REFRESH]
    choice = np.int64(key_of(seed, env, episode, 1) % np.uint64(config[N_SPLITS]))
    key = key_of(seed, generation, choice, 2)
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
        found = draw_split(config, data, data_info, bank, bank_info, floats, slot, key, dataset)
    bank_info[slot, B_USERS] += 1
    bank_info[slot, B_STAMP] = config[CLOCK]
    ints[e, E_SLOT] = slot
    ints[e, E_STREAM] = np.int64(key_of(seed, env, episode, 3))
    return found


@kernel
def buy(config, bank, floats, ints, mask, e, a, D):
    """Label pool sample a of episode e: extend the model and the cosine sums."""
    base, _, scratch, cosines, open_, _ = episode_places(config, e)
    slot, L, pad = ints[e, E_SLOT], ints[e, E_LABELLED], config[PAD]
    stride, nv = (D + 16) // 16 * 16, config[PAD] // 16
    tiles, R, norms, _, labels, _ = bank_places(config, slot)
    row = R + a * stride
    add_sample(floats, base, stride, config[CAP], D, L, bank, row, bank[labels + a])
    ints[e, E_ROWS + L] = a
    ints[e, E_LABELLED] = L + 1
    floats[open_ + a] = ZERO
    mask[e * pad + a] = 0
    combine_tiles(bank, tiles, D, (D + 1) * 16, bank, row, nv, floats, scratch)
    norm = splat(bank[norms + a])
    for v in range(nv):
        i = v * 16
        cosine = norm * load(bank, norms + i) * load(floats, scratch + i)
        store(floats, cosines + i, load(floats, cosines + i) + cosine)


@kernel
def begin_episode(config, bank, bank_info, floats, ints, mask, e, D):
    """Empty episode e and label one random sample of each class."""
    slot, pad = ints[e, E_SLOT], config[PAD]
    N = bank_info[slot, B_POOL]
    base, _, _, cosines, open_, _ = episode_places(config, e)
    start_fit(floats, base, (D + 16) // 16 * 16, config[CAP], D)
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
        buy(config, bank, floats, ints, mask, e, a, D)


@kernel
def observe(config, bank, bank_info, floats, ints, candidates, context, e, D):
    """Write the features of all candidates and the sorted scores of the state points."""
    base, scores, scratch, cosines, open_, _ = episode_places(config, e)
    slot, L, pad = ints[e, E_SLOT], ints[e, E_LABELLED], config[PAD]
    N = bank_info[slot, B_POOL]
    stride = (D + 16) // 16 * 16
    tiles, _, _, sums, _, _ = bank_places(config, slot)
    w = places(base, stride, config[CAP])[2]
    n_vectors = (pad + STATE_PAD) // 16
    combine_tiles(bank, tiles, D + 1, (D + 1) * 16, floats, w, n_vectors, floats, scores)
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
def _keep_last(config, candidates, context, mask, E, e):
    """Copy the observation of episode e to the second half of the buffers."""
    pad = config[PAD]
    n, last = 3 * pad, E * 3 * pad
    for i in range(e * n, e * n + n, 16):
        store(candidates, last + i, load(candidates, i))
    for i in range(e * STATE_PAD, (e + 1) * STATE_PAD, 16):
        store(context, E * STATE_PAD + i, load(context, i))
    for i in range(e * pad, (e + 1) * pad):
        mask[E * pad + i] = mask[i]


@kernel
def advance(
    config, data, data_info, bank, bank_info, floats, ints, candidates, context, mask, quality,
    flags, actions, fresh, autoreset,
):  # fmt: skip
    """Advance every episode by one label, or begin one; False when no legal split was found.

    Args:
        config: This and the next nine are described at the top of the module.
        data: See there.
        data_info: See there.
        bank: See there.
        bank_info: See there.
        floats: See there.
        ints: See there.
        candidates: See there.
        context: See there.
        mask: See there.
        quality: (2, E): accuracy on the reward part now, and where the last episode ended.
        flags: (3, E): terminated, truncated, action was not legal.
        actions: (E,) pool rows.
        fresh: Begin the episodes numbered ``ints[:, E_EPISODE]`` where `actions` is not 0.
        autoreset: Begin the next episode at once where one ends.
    """
    E, pad = len(ints), config[PAD]
    legal = True
    for e in range(E):
        if fresh and actions[e] == 0:
            continue
        begin = fresh
        while True:
            if begin:
                legal &= take_split(config, data, data_info, bank, bank_info, floats, ints, e)
                if not legal:
                    return False
            slot = ints[e, E_SLOT]
            dataset, N = bank_info[slot, B_DATASET], bank_info[slot, B_POOL]
            D = data_info[dataset, D_COLUMNS]
            if begin:
                begin_episode(config, bank, bank_info, floats, ints, mask, e, D)
            else:
                a = actions[e]
                flags[INVALID, e] = a < 0 or a >= N or mask[e * pad + a] == 0
                if flags[INVALID, e]:
                    a = draw(ints, e, E_STREAM, N)
                    while mask[e * pad + a] == 0:
                        a = draw(ints, e, E_STREAM, N)
                buy(config, bank, floats, ints, mask, e, a, D)
                ints[e, E_STEPS] += 1
                ints[e, E_LENGTH] = ints[e, E_STEPS]
            base, _, _, _, _, folded = episode_places(config, e)
            _, R, _, _, _, scale = bank_places(config, slot)
            stride, L = (D + 16) // 16 * 16, ints[e, E_LABELLED]
            rows = ints[e, E_ROWS:]
            ints[e, E_ITERATIONS] += fit(
                floats, base, stride, config[CAP], D, L, bank, R, rows, tolerance_of(D), ZERO
            )
            observe(config, bank, bank_info, floats, ints, candidates, context, e, D)
            w = places(base, stride, config[CAP])[2]
            bias = fold(bank, scale, config[STRIDE], floats, w, floats, folded, D)
            n_reward = data_info[dataset, D_REWARD]
            window = bank_info[slot, B_WINDOW]
            hits = count_correct(data, window, D, floats, folded, bias, n_reward, floats)
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
            _keep_last(config, candidates, context, mask, E, e)
            ints[e, E_EPISODE] += 1
            begin = True
    return True
