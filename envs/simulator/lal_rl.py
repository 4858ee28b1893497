"""The engine of the published LAL-RL workload: E episodes, one compiled call a step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.simulator.kernels.lal_rl import layout
from envs.simulator.kernels.lal_rl.episodes import advance
from envs.simulator.kernels.simd import WIDTH, padded
from lal.arrays import Bools, Floats, Ints
from lal.errors import DataError, UsageError

kernels: Any = layout
"""What lies where in the arrays; numba's functions carry no types."""

compiled_advance: Any = advance

N_STATE = 30
"""State points: held-aside rows whose sorted P(class 0) are the state."""

N_FEATURES = 3
"""P(class 0), mean cosine distance to the unlabelled (itself included), to the labelled."""

Float32s = NDArray[np.float32]


class LalRlEngine:
    """Labelling episodes of binary logistic regression, advanced together.

    The task of Konyushkova, Sznitman and Fua (arXiv 1810.04114): a pool of 100, two labels to
    start with, one label a step at a reward of -1, until the accuracy on the held-out reward part
    reaches 98 % of what the whole labelled pool would give, or one sample is left. Their
    environment measures quality on the data set's test split; here the environment's own
    held-out half plays that role and is called the reward part.

    What environment e sees in its k-th episode is a function of (seed, `first_env` + e, k) and of
    the actions: it does not depend on how many environments there are. All buffers are overwritten
    by the next call.

    Args:
        data: Pairs of samples (n, D) and labels 0 or 1; held once, shared by all episodes.
        num_envs: Episodes advanced together, E.
        seed: Names the splits, the first labels and the substitutes of illegal actions.
        pool_size: Samples in the pool (fewer where half a data set has fewer).
        reward_rows: Samples that accuracy is measured on, at most (half the data set).
        max_episode_steps: Truncate after so many labels; None never does.
        n_splits: Different splits in circulation at a time, over all data sets.
        refresh: Episodes of an environment after which it takes a new generation of splits.
        first_env: Number of the first environment, for workers that share a seed.

    Attributes:
        candidates: (E, N, 3) features, zero for labelled and absent samples.
        context: (E, 30) sorted P(class 0) of the state points.
        mask: (E, N) int8, 1 where a sample may be asked.
        terminated: (E,) target reached or nothing left to ask.
        truncated: (E,) cut off by `max_episode_steps`.
        invalid: (E,) the action was not legal and a random legal one was taken.
        quality: (E,) accuracy on the reward part (after an autoreset, of the new episode).
        final_quality: (E,) accuracy at the end of the last episode.
        lengths: (E,) steps of the present episode, or of the one that ended in this step.
        final: The last observation of an episode that ended in this step, same shapes.
        arrays: All buffers (`kernels.lal_rl.layout.Workload`), for compiled callers.
    """

    def __init__(
        self,
        data: Sequence[tuple[Any, Any]],
        num_envs: int,
        *,
        seed: int = 0,
        pool_size: int = 100,
        reward_rows: int = 500,
        max_episode_steps: int | None = None,
        n_splits: int = 256,
        refresh: int = 256,
        first_env: int = 0,
    ) -> None:
        if num_envs < 1:
            raise UsageError(f"num_envs must be at least 1, got {num_envs}")
        if pool_size < 4:
            raise UsageError(f"pool_size must be at least 4, got {pool_size}")
        self.num_envs, self.pool_size = num_envs, pool_size
        self.data, self.data_info = _pack([_checked(*d) for d in data], reward_rows, seed)
        n_sets = len(self.data_info)
        self.config = np.zeros(len(kernels.CONFIG), dtype=np.int64)
        stride = padded(int(self.data_info[:, kernels.D_COLUMNS].max()) + 1)
        settings = {
            "pool_size": pool_size,
            "pool_pad": padded(pool_size),
            "stride": stride,
            "cap": padded(pool_size),
            "n_splits": -(-max(n_splits, 1) // n_sets) * n_sets,
            "refresh": max(refresh, 1),
            "n_datasets": n_sets,
            "max_steps": max_episode_steps or 0,
            "seed": seed,
            "first_env": first_env,
            "n_state": N_STATE,
        }
        settings["n_slots"] = settings["n_splits"] + num_envs
        for name, value in settings.items():
            self.config[kernels.CONFIG.index(name)] = value
        self._allocate()

    def _allocate(self) -> None:
        E, config = self.num_envs, self.config
        pad, slots = int(config[kernels.PAD]), int(config[kernels.N_SLOTS])
        self.bank = np.zeros(slots * kernels.bank_size(config), dtype=np.float32)
        self.bank_info = np.zeros((slots, len(kernels.BANK_FIELDS)), dtype=np.int64)
        self.floats = np.zeros(kernels.RAMP + E * kernels.episode_size(config), dtype=np.float32)
        self.floats[:16] = 1.0
        width = kernels.E_ROWS + int(config[kernels.CAP]) + kernels.STATE_PAD
        self.ints = np.zeros((E, width), dtype=np.int64)
        self.ints[:, kernels.E_SLOT] = -1
        self.lengths: Ints = self.ints[:, kernels.E_LENGTH]
        self._flags = np.zeros((3, E), dtype=np.bool_)
        self._quality = np.zeros((2, E))
        self.terminated, self.truncated, self.invalid = self._flags
        self.quality, self.final_quality = self._quality
        planes = np.zeros(2 * E * N_FEATURES * pad, dtype=np.float32)
        context = np.zeros(2 * E * kernels.STATE_PAD, dtype=np.float32)
        mask = np.zeros(2 * E * pad, dtype=np.int8)
        candidates = planes.reshape(2, E, N_FEATURES, pad).transpose(0, 1, 3, 2)
        N = self.pool_size
        self.candidates, last_candidates = candidates[:, :, :N]
        self.context, last_context = context.reshape(2, E, -1)[:, :, :N_STATE]
        self.mask, last_mask = mask.reshape(2, E, pad)[:, :, :N]
        self.final = (last_candidates, last_context, last_mask)
        self.arrays = kernels.Workload(
            config, self.data, self.data_info, self.bank, self.bank_info, self.floats, self.ints,
            planes, context, mask, self._quality, self._flags,
        )  # fmt: skip

    def reset(self, seed: int | None = None) -> None:
        """Begin episode 0 of every environment, under a new seed if one is given."""
        if seed is not None:
            self.config[kernels.SEED] = seed
        self.ints[:, kernels.E_EPISODE] = 0
        self.begin(np.ones(self.num_envs, dtype=np.bool_))

    def begin_next(self, chosen: Bools) -> None:
        """Begin the next episode of the chosen environments."""
        self.ints[chosen, kernels.E_EPISODE] += 1
        self.begin(chosen)

    def begin(self, chosen: Bools) -> None:
        """Begin the present episode of the chosen environments anew."""
        if not compiled_advance(self.arrays, chosen.astype(np.int64), True, False):
            raise self._no_split()

    def step(self, actions: Ints, autoreset: bool = True) -> None:
        """Label one pool sample in every environment; an illegal action becomes a legal one.

        Args:
            actions: Pool rows, shape (E,), int64.
            autoreset: Begin the next episode of what ended at once; its first observation is in
                the buffers and the last of the old one in `final`.
        """
        if not compiled_advance(self.arrays, actions, False, autoreset):
            raise self._no_split()

    def _no_split(self) -> DataError:
        return DataError(
            f"no split with both classes in pool and reward part was found in "
            f"{kernels.MAX_ATTEMPTS} draws; use data with more samples of the rarer class"
        )

    @property
    def pool_pad(self) -> int:
        """Columns of the feature planes of one observation, N rounded up to a multiple of 16."""
        return int(self.config[kernels.PAD])

    @property
    def flat_observation(self) -> tuple[Float32s, Float32s, NDArray[np.int8]]:
        """The buffers behind the observations, flat, for compiled callers.

        Features as planes (2, E, 3, pad), contexts (2, E, 32), masks (2, E, pad); the second half
        of each holds the last observations of episodes that ended in this step.
        """
        planes, context, mask = self.arrays[7:10]
        return planes, context, mask

    @property
    def flags(self) -> Bools:
        """Terminated, truncated, invalid, shape (3, E)."""
        return self._flags

    @property
    def bytes_per_episode(self) -> int:
        """Memory of one episode: its state and observations, without shared data and splits."""
        own = (self.floats, self.ints, *self.arrays[-5:])
        return int(sum(a.nbytes for a in own) // self.num_envs)

    @property
    def splits_drawn(self) -> int:
        """Splits drawn so far (the rest came from the bank)."""
        return int(self.config[kernels.DRAWN])


def _checked(X: Any, y: Any) -> tuple[Floats, Ints]:
    """Return finite samples and labels 0 / 1, or say what is wrong with them."""
    samples = np.asarray(X, dtype=np.float64)
    labels = np.asarray(y)
    if samples.ndim != 2 or samples.shape[1] == 0 or labels.shape != samples.shape[:1]:
        raise DataError(
            f"expected samples (n, D) and labels (n,), got {samples.shape} and {labels.shape}"
        )
    if not np.isfinite(samples).all():
        raise DataError("the samples hold missing or infinite values; impute them first")
    classes = np.unique(labels)
    if len(classes) != 2:
        raise DataError(
            f"the LAL-RL workload is binary, got {len(classes)} classes; "
            "use lal/Pool-v0 for data with more"
        )
    if len(labels) < 2 * (N_STATE + 6):
        raise DataError(
            f"{len(labels)} samples are too few; at least {2 * (N_STATE + 6)} are needed for "
            f"{N_STATE} state points, a pool and a reward part"
        )
    return samples, (labels == classes[1]).astype(np.int64)


def _pack(
    sets: Sequence[tuple[Floats, Ints]], reward_rows: int, seed: int
) -> tuple[Float32s, Ints]:
    """Lay out the data sets in one array: permuted, standardised, in tiles of 16, labels last."""
    if not sets:
        raise UsageError("no data set was given; pass at least one pair (X, y)")
    info = np.zeros((len(sets), len(kernels.DATA_FIELDS)), dtype=np.int64)
    parts: list[Float32s] = []
    at = 0
    for i, (X, y) in enumerate(sets):
        n, D = X.shape
        n_test = -(-n // 2)
        order = np.random.default_rng([seed, i]).permutation(n)
        deviation = X.std(axis=0)
        constant = deviation <= 1e-12 * np.maximum(1.0, np.abs(X.mean(axis=0)))
        Z = np.where(constant, 0.0, X - X.mean(axis=0)) / np.where(constant, 1.0, deviation)
        block = np.concatenate([Z, np.where(y == 1, 1.0, -1.0)[:, None]], axis=1)[order]
        length = padded(n + n_test + 16)
        tiles = block[np.arange(length) % n].reshape(-1, WIDTH, D + 1).transpose(0, 2, 1)
        parts.append(tiles.astype(np.float32).ravel())
        info[i] = at, n, D, n_test, min(reward_rows, n_test)
        at += parts[-1].size
    return np.concatenate(parts), info
