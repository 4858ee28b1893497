"""LalRlSimulator: the published LAL-RL workload, E episodes, one compiled call per step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.simulator.arguments import checked_actions, checked_count, checked_mask
from envs.simulator.kernels.arguments import all_open
from envs.simulator.kernels.lal_rl import layout
from envs.simulator.kernels.lal_rl.episodes import advance_arrays
from envs.simulator.kernels.simd import WIDTH, padded
from envs.simulator.slates import Observations
from lal.arrays import Bools, Floats, Ints
from lal.errors import DataError, UsageError

kernels: Any = layout
"""What lies where in the arrays; numba's functions carry no types."""

compiled_advance: Any = advance_arrays

N_STATE = 30
"""State points: held-aside rows whose sorted P(class 0) are the state."""

N_FEATURES = 3
"""P(class 0), mean cosine distance to the unlabelled (itself included), to the labelled."""

Float32s = NDArray[np.float32]


class LalRlSimulator:
    """Labelling episodes of binary logistic regression, advanced together.

    The task of Konyushkova, Sznitman and Fua (arXiv 1810.04114): a pool of 100, two labels to
    start with, one label per step at a reward of -1, until the accuracy on the held-out reward part
    reaches 98 % of what the whole labelled pool would give, or one sample is left. Their
    environment measures quality on the data set's test split; here the environment's own
    held-out half plays that role and is called the reward part.

    What environment e sees in its k-th episode is a function of (seed, `first_env` + e, k) and of
    the actions: it does not depend on how many environments there are. All arrays are views that
    the next call overwrites.

    Args:
        data: Pairs of samples (n, D) and labels 0 or 1; held once, shared by all episodes.
        n_episodes: Episodes advanced together, E.
        seed: Names the splits, the first labels and the substitutes of illegal actions.
        pool_size: Samples in the pool (fewer where half a data set has fewer).
        reward_rows: Samples that accuracy is measured on, at most (half the data set).
        max_episode_steps: Truncate after so many labels; None never does.
        n_splits: Different splits in circulation at a time, over all data sets.
        refresh: Episodes of an environment after which it takes a new generation of splits.
        first_env: Number of the first environment, for workers that share a seed.

    Attributes:
        observations: Candidates (E, N, 3), zero for labelled and absent samples; context (E, 30),
            the sorted P(class 0) of the state points; mask (E, N), 1 where a sample may be asked.
        final_observations: The last ones of episodes that ended in this step, same shapes.
        terminated: (E,) target reached or nothing left to ask.
        truncated: (E,) cut off by `max_episode_steps`.
        invalid: (E,) the action was not legal and a random legal one was taken.
        accuracy: (E,) accuracy on the reward part (after an autoreset, of the new episode).
        final_accuracy: (E,) accuracy at the end of the last episode.
        lengths: (E,) steps of the present episode, or of the one that ended in this step.
        arrays: All buffers (`kernels.lal_rl.layout.Workload`), for compiled callers.
    """

    def __init__(
        self,
        data: Sequence[tuple[Any, Any]],
        n_episodes: int,
        *,
        seed: int = 0,
        pool_size: int = 100,
        reward_rows: int = 500,
        max_episode_steps: int | None = None,
        n_splits: int = 256,
        refresh: int = 256,
        first_env: int = 0,
    ) -> None:
        self.n_episodes = checked_count("n_episodes", n_episodes)
        self.pool_size = checked_count("pool_size", pool_size, least=4)
        most = max_episode_steps
        most = 0 if most is None else checked_count("max_episode_steps", most)
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
            "max_steps": most,
            "seed": seed,
            "first_env": first_env,
            "n_state": N_STATE,
        }
        settings["n_slots"] = settings["n_splits"] + self.n_episodes
        for name, value in settings.items():
            self.config[kernels.CONFIG.index(name)] = value
        self._allocate()
        self._bind()
        self._began = False

    def __getstate__(self) -> dict[str, Any]:
        """Return the memory; what is a view into it is left out."""
        state = {n: v for n, v in self.__dict__.items() if n not in self._views}
        return {n: v.copy() if isinstance(v, np.ndarray) else v for n, v in state.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up the memory of another simulator, copied."""
        self.__dict__.update(state)
        self._bind()

    def _allocate(self) -> None:
        E, config = self.n_episodes, self.config
        pad, slots = int(config[kernels.PAD]), int(config[kernels.N_SLOTS])
        self.bank = np.zeros(slots * kernels.bank_size(config), dtype=np.float32)
        self.bank_info = np.zeros((slots, len(kernels.BANK_FIELDS)), dtype=np.int64)
        self.floats = np.zeros(kernels.RAMP + E * kernels.episode_size(config), dtype=np.float32)
        self.floats[:16] = 1.0
        width = kernels.E_ROWS + int(config[kernels.CAP]) + kernels.STATE_PAD
        self.ints = np.zeros((E, width), dtype=np.int64)
        self.ints[:, kernels.E_SLOT] = -1
        self._flags = np.zeros((3, E), dtype=np.bool_)
        self._accuracy = np.zeros((2, E))
        self._planes = np.zeros(2 * E * N_FEATURES * pad, dtype=np.float32)
        self._context = np.zeros(2 * E * kernels.STATE_PAD, dtype=np.float32)
        self._mask = np.zeros(2 * E * pad, dtype=np.int8)

    def _bind(self) -> None:
        """Name the parts of the memory."""
        before = set(self.__dict__)
        E, N, pad = self.n_episodes, self.pool_size, self.pool_pad
        self.lengths: Ints = self.ints[:, kernels.E_LENGTH]
        self.terminated, self.truncated, self.invalid = self._flags
        self.accuracy, self.final_accuracy = self._accuracy
        candidates = self._planes.reshape(2, E, N_FEATURES, pad).transpose(0, 1, 3, 2)[:, :, :N]
        context = self._context.reshape(2, E, -1)[:, :, :N_STATE]
        mask = self._mask.reshape(2, E, pad)[:, :, :N]
        self.observations = Observations(candidates[0], context[0], mask[0])
        self.final_observations = Observations(candidates[1], context[1], mask[1])
        self.arrays = kernels.Workload(
            self.config, self.data, self.data_info, self.bank, self.bank_info, self.floats,
            self.ints, self._planes, self._context, self._mask, self._accuracy, self._flags,
        )  # fmt: skip
        self._views = {*self.__dict__} - before

    def reset(self, seed: int | None = None, *, mask: Bools | None = None) -> None:
        """Begin new episodes: number 0 under a new seed, else the next of each environment.

        Args:
            seed: Names every stream from here on; None goes on under the present one.
            mask: Environments that begin anew, shape (E,); all when None.
        """
        chosen = np.ones(self.n_episodes, dtype=np.bool_)
        if mask is not None:
            self._check_began()
            chosen = checked_mask(mask, self.n_episodes)
            if seed is not None:
                raise UsageError("a seed names all episodes; give either a seed or a mask to reset")
        if seed is not None:
            self.config[kernels.SEED] = seed
        if seed is not None or not self._began:
            self.ints[:, kernels.E_EPISODE] = 0
        else:
            self.ints[chosen, kernels.E_EPISODE] += 1
        self._began = False
        if not compiled_advance(*self.arrays, chosen.astype(np.int64), True, False):
            raise self._no_split()
        self._began = True

    def step(self, actions: Ints, autoreset: bool = True) -> None:
        """Label one pool sample in every environment; an illegal action becomes a legal one.

        Args:
            actions: Pool rows, shape (E,), or -1 for any legal one.
            autoreset: Begin the next episode of what ended at once; its first observation is in
                `observations` and the last of the old one in `final_observations`.
        """
        self._check_began()
        rows = checked_actions(actions, self.n_episodes, self.pool_size, least=-1)
        if not (autoreset or all_open(self._mask, self.n_episodes, self.pool_pad)):
            raise UsageError("an episode has no sample left to ask; call reset")
        if not compiled_advance(*self.arrays, rows, False, autoreset):
            raise self._no_split()

    def _check_began(self) -> None:
        if not self._began:
            raise UsageError("no episodes yet; call reset first")

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
        return self._planes, self._context, self._mask

    @property
    def flags(self) -> Bools:
        """Terminated, truncated, invalid, shape (3, E)."""
        return self._flags

    @property
    def bytes_per_episode(self) -> int:
        """Memory of one episode: its state and observations, without shared data and splits."""
        own = (self.floats, self.ints, *self.arrays[-5:])
        return int(sum(a.nbytes for a in own)) // self.n_episodes


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
