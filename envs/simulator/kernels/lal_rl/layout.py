"""The arrays of the LAL-RL workload, shared by Python and the kernels, and what lies where.

- `config`: int64, see `CONFIG`.
- `data`, `data_info`: every data set once, its samples permuted and in tiles of 16 (rows of
  features, then labels +1 / -1), the first ones repeated at the end: every cyclic window that
  begins at a tile is contiguous.
- `bank`, `bank_info`: splits in use: pool and state points in tiles, standardised by the split's
  training half, the pool as rows, norms, cosine sums, labels, the scaler. A split is a function
  of its key alone; the bank is only a cache, so episodes do not depend on each other.
- `floats`, `ints`: the episodes: the fit (`logistic.binary`), cosine sums, counters, streams.
  `floats` begins with 16 ones and 16 zeros.
- `candidates` (2, E, 3, pad), `context` (2, E, 32), `mask` (2, E, pad): the present observations,
  then the last ones of the episodes that ended in this step.
- `quality` (2, E): accuracy on the reward part now, and where the last episode ended.
- `flags` (3, E): terminated, truncated, action was not legal.

All are flat so that one call advances every episode whatever its data set's number of columns.
"""

from collections import namedtuple

from envs.simulator.compile import kernel
from envs.simulator.kernels.logistic.binary import offsets, workspace_size

Workload = namedtuple(
    "Workload",
    "config data data_info bank bank_info floats ints candidates context mask quality flags",
)
"""See the top of the module."""

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

E_LABELLED, E_SLOT, E_EPISODE, E_STEPS, E_STREAM, E_LENGTH, E_ITERATIONS = range(7)
E_ROWS = 8
"""Integers of an episode before the list of labelled rows and the order of the state points."""

NEITHER, TERMINATED, TRUNCATED, INVALID = -1, 0, 1, 2
"""Rows of `flags`."""

RAMP = 32
"""Numbers at the front of `floats`: a vector loaded from 16 - n on is n ones, then zeros."""

STATE_PAD = 32
"""State points, padded to whole vectors."""

MAX_ATTEMPTS = 10_000
"""Draws of a split before the data set is given up: a rare class may be in hardly any."""


@kernel(forceinline=True)
def bank_size(config):
    """Return the float32 numbers of one split in the bank."""
    pad, stride = config[PAD], config[STRIDE]
    return stride * (pad + STATE_PAD) + pad * stride + 3 * pad + 2 * stride


@kernel(forceinline=True)
def bank_places(config, slot):
    """Return where a split keeps its tiles, rows, 1 / norms, cosine sums, labels and scaler."""
    pad, stride = config[PAD], config[STRIDE]
    tiles = slot * bank_size(config)
    R = tiles + stride * (pad + STATE_PAD)
    norms = R + pad * stride
    return tiles, R, norms, norms + pad, norms + 2 * pad, norms + 3 * pad


@kernel(forceinline=True)
def episode_size(config):
    """Return the float32 numbers of one episode."""
    pad, stride = config[PAD], config[STRIDE]
    return workspace_size(stride, config[CAP]) + 2 * (pad + STATE_PAD) + 2 * pad + stride


@kernel(forceinline=True)
def episode_places(config, e):
    """Return where an episode keeps its fit, scores, scratch, cosine sums, flags, folded w."""
    pad, stride = config[PAD], config[STRIDE]
    base = RAMP + e * episode_size(config)
    scores = base + workspace_size(stride, config[CAP])
    scratch = scores + pad + STATE_PAD
    cosines = scratch + pad + STATE_PAD
    return base, scores, scratch, cosines, cosines + pad, cosines + 2 * pad


@kernel(forceinline=True)
def fit_offsets(config, e, D):
    """Return where the fit of episode e, whose data set has D columns, keeps its parts."""
    base = RAMP + e * episode_size(config)
    return offsets(base, (D + 16) // 16 * 16, config[CAP], D)
