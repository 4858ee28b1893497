"""The LAL-RL workload as a game of numbered episodes, the same for every vector of weights."""

from typing import Any

import numpy as np

from agents.lal_rl.search.config import N_TERMS
from envs.simulator.kernels.lal_rl import linear_policy as lal_rl_linear
from envs.simulator.lal_rl import LalRlSimulator
from envs.simulator.lal_rl_data import binary_pairs
from lal.arrays import Floats, Ints
from lal.errors import DataError
from lal.rng import integer_seed

kernels: Any = lal_rl_linear
"""The compiled module; numba's functions carry no types."""


class Game:
    """Runs numbered episodes to the end.

    Args:
        data: What `binary_pairs` accepts.
        seed: Names splits and first labels.
        n_splits: Splits in circulation; 0: a new one for every episode.
        refresh: Episodes of an environment after which there are new splits.
    """

    def __init__(self, data: Any, *, seed: int, n_splits: int, refresh: int = 256) -> None:
        pairs = binary_pairs(data)
        self.n_sets = len(pairs)
        self.engine = LalRlSimulator(pairs, 1, seed=seed, n_splits=n_splits, refresh=refresh)
        self.inputs = np.zeros((N_TERMS, self.engine.pool_pad), dtype=np.float32)

    def play(self, weights: Floats, n: int, episode: int) -> tuple[Ints, Ints]:
        """Return the lengths of an episode in each of n environments, and of which set they are.

        Args:
            weights: Of the policy; see `kernels.best_row`.
            n: Environments.
            episode: Number of the episode in each.
        """
        lengths, sets = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        if not kernels.play(self.engine.arrays, weights, 0, episode, self.inputs, lengths, sets):
            raise DataError("no split with both classes in pool and reward part was found")
        return lengths, sets


def episode_lengths(
    weights: Floats, data: Any, *, n_episodes: int = 512, n_envs: int = 64, seed: int = 0
) -> Ints:
    """Return lengths of the episodes of `agents.lal_rl.dqn.episode_lengths` of the same seed.

    Args:
        weights: Of the policy.
        data: What `binary_pairs` accepts.
        n_episodes: Episodes in all, rounded up to a multiple of `n_envs`.
        n_envs: Environments; each runs the same number of episodes.
        seed: Names splits and first labels.

    Returns:
        Lengths, shape (n,), environment by environment.
    """
    game = Game(data, seed=integer_seed(seed, "judge"), n_splits=max(n_episodes, 64))
    each = -(-n_episodes // n_envs)
    played = [game.play(weights, n_envs, episode)[0] for episode in range(each)]
    lengths: Ints = np.stack(played, axis=1).ravel()
    return lengths
