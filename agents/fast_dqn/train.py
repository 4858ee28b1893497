"""Train and judge the LAL-RL agent in compiled kernels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.fast_dqn import kernels as compiled
from agents.fast_dqn.config import FastDQNConfig
from agents.fast_dqn.network import QNetwork
from envs.simulator.binary_data import binary_pairs
from envs.simulator.lal_rl import LalRlEngine
from lal.arrays import Ints
from lal.errors import UsageError
from lal.rng import integer_seed

kernels: Any = compiled
"""The compiled module; numba's functions carry no types."""

Progress = Callable[[int, float, float], None]
"""Called with the steps done, the mean length of recent episodes and the mean squared error."""


@dataclass(frozen=True, eq=False)
class Result:
    """What a run gave.

    Attributes:
        network: The trained network.
        n_steps: Environment steps.
        n_replayed: Transitions replayed.
        lengths: Lengths of the episodes in the order in which they ended.
    """

    network: QNetwork
    n_steps: int
    n_replayed: int
    lengths: Ints


class Player:
    """Plays an engine's episodes by a flat network, epsilon-greedily.

    Args:
        engine: The episodes.
        symmetric: Whether the network takes symmetric inputs.
        seed: Names exploration and the breaking of ties.
    """

    def __init__(self, engine: LalRlEngine, *, symmetric: bool, seed: int) -> None:
        self.engine, self.symmetric = engine, symmetric
        E = engine.num_envs
        self.pad = engine.pool_pad
        self.random = np.array([seed], dtype=np.int64)
        self.states = np.zeros(E * kernels.STATE_PAD, dtype=np.float32)
        self.planes = np.zeros(E * kernels.N_FEATURES * self.pad, dtype=np.float32)
        self.actions = np.zeros(E, dtype=np.int64)

    def step(self, theta: Any, epsilon: float) -> None:
        """Choose an action for every episode and take it."""
        kernels.choose(
            theta, *self.engine.flat_observation, self.pad, float(epsilon), self.symmetric,
            self.random, self.states, self.planes, self.actions,
        )  # fmt: skip
        self.engine.step(self.actions)


class Replay:
    """Prioritised memory of transitions; see `kernels.remember`."""

    def __init__(self, capacity: int, pad: int) -> None:
        self.memory = (
            np.zeros(capacity * kernels.STATE_PAD, dtype=np.float32),
            np.zeros(capacity * kernels.N_FEATURES, dtype=np.float32),
            np.zeros(capacity * kernels.STATE_PAD, dtype=np.float32),
            np.zeros(capacity * kernels.N_FEATURES * pad, dtype=np.float32),
            np.zeros(capacity, dtype=np.bool_),
        )
        self.leaves = 1 << (capacity - 1).bit_length()
        self.tree = np.zeros(2 * self.leaves)
        self.cursor = np.zeros(2, dtype=np.int64)
        self.highest = np.zeros(1)

    def add(self, player: Player) -> None:
        """Store the step that the player has just taken."""
        engine = player.engine
        kernels.remember(
            self.memory, self.tree, self.leaves, self.cursor, self.highest, player.states,
            player.planes, player.actions, engine.flags, *engine.flat_observation, player.pad,
            player.symmetric,
        )  # fmt: skip


def train(config: FastDQNConfig, *, data: Any = None, progress: Progress | None = None) -> Result:
    """Train the agent.

    Args:
        config: The run.
        data: What `binary_pairs` accepts, in place of ``config.data``.
        progress: Called a hundred times over the run.
    """
    _check(config)
    pairs = binary_pairs(list(config.data) if data is None else data)
    engine = LalRlEngine(pairs, config.n_envs, seed=integer_seed(config.seed, "engine"))
    engine.reset()
    seed = integer_seed(config.seed, "exploration")
    player = Player(engine, symmetric=config.symmetric, seed=seed)
    replay = Replay(config.buffer_size, player.pad)
    replay.highest[0] = 1000.0**config.priority_exponent
    rng = np.random.default_rng(integer_seed(config.seed, "network"))
    lengths = _warm_up(config, player, replay)
    theta = QNetwork.random(rng, out_bias=-float(np.mean(lengths)) / 2).pack()
    learner = _Learner(config, theta, replay, player)
    learner.update(config.warm_updates)
    n_steps, owed, shown = 0, 0.0, 0
    while n_steps < config.n_steps:
        done = n_steps / config.n_steps
        player.step(
            theta, max(config.exploration_final, 1.0 - (1 - config.exploration_final) * done)
        )
        replay.add(player)
        n_steps += config.n_envs
        owed += config.updates_per_step * config.n_envs
        loss = learner.update(int(owed))
        owed -= int(owed)
        lengths.extend(_ended(engine))
        if progress is not None and n_steps * 100 >= (shown + 1) * config.n_steps:
            shown = n_steps * 100 // config.n_steps
            progress(n_steps, float(np.mean(lengths[-500:])), loss)
    network = QNetwork.unpack(theta)
    return Result(network, n_steps, learner.n_updates * config.batch_size, np.array(lengths))


def _check(config: FastDQNConfig) -> None:
    if config.buffer_size < config.batch_size:
        raise UsageError(
            f"buffer_size {config.buffer_size} is less than batch_size {config.batch_size}"
        )
    if config.n_steps < config.n_envs:
        raise UsageError(f"n_steps {config.n_steps} is less than n_envs {config.n_envs}")


def _ended(engine: LalRlEngine) -> list[int]:
    over = engine.terminated | engine.truncated
    return engine.lengths[over].tolist() if over.any() else []


def _warm_up(config: FastDQNConfig, player: Player, replay: Replay) -> list[int]:
    """Fill the memory with random episodes and return their lengths."""
    lengths: list[int] = []
    nothing = np.zeros(kernels.SIZE, dtype=np.float32)
    while len(lengths) < config.warm_episodes or replay.cursor[1] < config.batch_size:
        player.step(nothing, 1.0)
        replay.add(player)
        lengths.extend(_ended(player.engine))
    return lengths


class _Learner:
    """The online and target network, Adam's moments, and the counts of updates."""

    def __init__(self, config: FastDQNConfig, theta: Any, replay: Replay, player: Player) -> None:
        self.config, self.theta, self.replay, self.player = config, theta, replay, player
        self.target = theta.copy()
        self.moments = (np.zeros_like(theta), np.zeros_like(theta))
        self.counts = np.zeros(1, dtype=np.int64)

    @property
    def n_updates(self) -> int:
        """Gradient steps so far."""
        return int(self.counts[0])

    def update(self, n: int) -> float:
        """Take n gradient steps; returns the mean squared TD error."""
        config, replay = self.config, self.replay
        return float(
            kernels.learn(
                self.theta, self.target, self.moments, self.counts, replay.memory, replay.tree,
                replay.leaves, replay.cursor, replay.highest, self.player.random, self.player.pad,
                n, config.batch_size, config.learning_rate, config.polyak,
                config.priority_exponent,
            )
        )  # fmt: skip


def episode_lengths(
    network: QNetwork | None,
    data: Any,
    *,
    symmetric: bool = False,
    n_episodes: int = 512,
    n_envs: int = 64,
    seed: int = 0,
) -> Ints:
    """Return the lengths of episodes played greedily, or at random without a network.

    Every environment plays the same number of episodes to the end, so long ones are not lost; the
    k-th episode of an environment has the same split and first labels whoever plays, so two
    results of one seed are paired.

    Args:
        network: The policy; None plays at random.
        data: What `binary_pairs` accepts.
        symmetric: Whether the network takes symmetric inputs.
        n_episodes: Episodes in all, rounded up to a multiple of `n_envs`.
        n_envs: Episodes played together.
        seed: Names splits, first labels and random steps.

    Returns:
        Lengths, shape (n,), environment by environment.
    """
    engine = LalRlEngine(
        binary_pairs(data), n_envs, seed=integer_seed(seed, "judge"), n_splits=max(n_episodes, 64)
    )
    engine.reset()
    player = Player(engine, symmetric=symmetric, seed=integer_seed(seed, "steps"))
    theta = np.zeros(kernels.SIZE, dtype=np.float32) if network is None else network.pack()
    each = -(-n_episodes // n_envs)
    lengths = np.zeros((n_envs, each), dtype=np.int64)
    played = np.zeros(n_envs, dtype=np.int64)
    while (played < each).any():
        player.step(theta, 1.0 if network is None else 0.0)
        over = np.flatnonzero((engine.terminated | engine.truncated) & (played < each))
        lengths[over, played[over]] = engine.lengths[over]
        played[over] += 1
    return lengths.ravel()
