"""Recorded episodes as Minari data sets: others learn from our episodes, we from theirs.

Minari (https://minari.farama.org) is the Farama Foundation's format of data sets for offline
reinforcement learning; it comes with the extra ``episodes``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.observations import Observation
from envs.pool_env import PoolEnv
from lal.errors import DataError, UsageError
from lal.registry import require
from lal.rng import integer_seed
from lal.state import Strategy
from lal.strategies.base import make_strategy


@dataclass(frozen=True, eq=False)
class Transitions:
    """Steps of recorded episodes, one after the other.

    Attributes:
        observations: Before each step, arrays of n rows by key.
        next_observations: After it.
        actions: Slots chosen, shape (n,).
        rewards: Shape (n,).
        ends: Whether the step ended its episode for good, shape (n,); a time limit does not.
    """

    observations: Observation
    next_observations: Observation
    actions: NDArray[np.int64]
    rewards: NDArray[np.float32]
    ends: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.actions)


def record_episodes(
    name: str,
    strategy: Strategy | str,
    n_episodes: int,
    *,
    env: gymnasium.Env[Any, Any] | None = None,
    seed: int = 0,
    **about: Any,
) -> Any:
    """Run a strategy in ``lal/Pool-v0`` and store the episodes; return the Minari data set.

    Args:
        name: Of the data set, as Minari wants it: ``"pool/margin-v0"``.
        strategy: Strategy, policy, or the name of a strategy.
        n_episodes: Episodes.
        env: A `PoolEnv`, wrapped or not; one of the default tasks when None.
        seed: Names the episodes.
        **about: Passed to Minari: author, description, ...

    Raises:
        UsageError: The environment is not `PoolEnv`, or there is a data set of that name.
    """
    minari = require("minari", "episodes")
    pool = PoolEnv() if env is None else env.unwrapped
    if not isinstance(pool, PoolEnv):
        raise UsageError(f"episodes are recorded in lal/Pool-v0, got {type(pool).__name__}")
    if name in minari.list_local_datasets():
        raise UsageError(f"there is a data set {name!r} already; choose another name or delete it")
    chosen = make_strategy(strategy) if isinstance(strategy, str) else strategy
    episodes = [_record(pool, chosen, seed, episode) for episode in range(n_episodes)]
    return minari.create_dataset_from_buffers(
        name,
        [minari.data_collector.EpisodeBuffer(**episode) for episode in episodes],
        action_space=pool.action_space,
        observation_space=pool.observation_space,
        **about,
    )


def _record(pool: PoolEnv, strategy: Strategy, seed: int, number: int) -> dict[str, Any]:
    """Return the fields of an episode's buffer; T steps make T + 1 observations."""
    begun = integer_seed(seed, "recorded", number)
    seen = [pool.reset(seed=begun)[0]]
    actions: list[int] = []
    rewards: list[float] = []
    terminations: list[bool] = []
    truncations: list[bool] = []
    while not any(terminations[-1:] + truncations[-1:]):
        actions.append(pool.strategy_action(strategy))
        observation, reward, terminated, truncated, _ = pool.step(actions[-1])
        seen.append(observation)
        rewards.append(reward)
        terminations.append(terminated)
        truncations.append(truncated)
    return {
        "id": number,
        "observations": {key: np.stack([one[key] for one in seen]) for key in seen[0]},
        "actions": np.array(actions),
        "rewards": rewards,
        "terminations": terminations,
        "truncations": truncations,
    }


def read_transitions(name: str) -> Transitions:
    """Return all steps of a stored data set of dict observations.

    Args:
        name: Of a Minari data set of ``lal/Pool-v0``, recorded here or downloaded.

    Raises:
        DataError: There is no such data set, it is empty, or it is of another environment.
    """
    minari = require("minari", "episodes")
    if name not in minari.list_local_datasets():
        known = ", ".join(sorted(minari.list_local_datasets())) or "none"
        raise DataError(f"there is no Minari data set {name!r} on this machine; there is: {known}")
    parts = [*_parts(minari.load_dataset(name), name)]
    if not parts:
        raise DataError(f"data set {name!r} holds no episode")
    before, after, actions, rewards, ends = zip(*parts, strict=True)
    return Transitions(
        {key: np.concatenate([part[key] for part in before]) for key in before[0]},
        {key: np.concatenate([part[key] for part in after]) for key in after[0]},
        np.concatenate(actions).astype(np.int64),
        np.concatenate(rewards).astype(np.float32),
        np.concatenate(ends),
    )


def _parts(dataset: Any, name: str) -> Iterator[tuple[Any, ...]]:
    for episode in dataset.iterate_episodes():
        seen = episode.observations
        if not isinstance(seen, dict) or set(seen) != {"candidates", "context", "mask"}:
            raise DataError(f"data set {name!r} holds no episodes of lal/Pool-v0")
        before = {key: values[:-1] for key, values in seen.items()}
        after = {key: values[1:] for key, values in seen.items()}
        yield before, after, episode.actions, episode.rewards, episode.terminations
