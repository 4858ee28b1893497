"""Double DQN on the LAL-RL workload in compiled kernels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from agents.lal_rl import kernels as compiled
from agents.lal_rl.config import LalRlConfig
from agents.lal_rl.network import QNetwork
from envs.simulator.lal_rl import LalRlSimulator
from envs.simulator.lal_rl_data import binary_pairs
from lal.arrays import Ints
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
    """Runs an engine's episodes by a flat network, epsilon-greedily.

    Args:
        engine: The episodes.
        view: What the network sees; see `kernels.see`.
        seed: Names exploration and the breaking of ties.
    """

    def __init__(self, engine: LalRlSimulator, *, view: int, seed: int) -> None:
        self.engine, self.view = engine, view
        E = engine.n_episodes
        self.pad = engine.pool_pad
        self.random = np.array([seed], dtype=np.uint64)
        self.states = np.zeros(E * kernels.STATE_PAD, dtype=np.float32)
        self.planes = np.zeros(E * kernels.N_FEATURES * self.pad, dtype=np.float32)
        self.actions = np.zeros(E, dtype=np.int64)

    def step(self, theta: Any, epsilon: float) -> None:
        """Choose an action for every episode and take it."""
        self.choose(theta, epsilon)
        self.engine.step(self.actions)

    def choose(self, theta: Any, epsilon: float = 0.0) -> None:
        """Write an action for every episode to `actions`."""
        kernels.choose(
            theta, *self.engine.flat_observation, self.pad, float(epsilon), self.view,
            self.random, self.states, self.planes, self.actions,
        )  # fmt: skip

    def step_together(self, networks: Sequence[QNetwork]) -> None:
        """Take in every episode the action of the largest mean value over several networks."""
        self.choose(np.zeros(kernels.SIZE, dtype=np.float32), 1.0)
        E = self.engine.n_episodes
        states = self.states.reshape(E, kernels.STATE_PAD)[:, None, : kernels.N_STATE]
        seen = self.planes.reshape(E, kernels.N_FEATURES, self.pad).transpose(0, 2, 1)
        values = np.mean([network.q_values(states, seen) for network in networks], axis=0)
        values[seen[..., 0] == kernels.ABSENT] = -np.inf
        self.actions[:] = values.argmax(axis=1)
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

    def add(self, player: Player, order: Ints | None = None) -> None:
        """Store the step that the player has just taken.

        Args:
            player: Who took it.
            order: Whose end each episode is given, shape (E,); its own when None.
        """
        engine = player.engine
        order = np.arange(engine.n_episodes) if order is None else order
        kernels.remember(
            self.memory, self.tree, self.leaves, self.cursor, self.highest, player.states,
            player.planes, player.actions, engine.flags, *engine.flat_observation, player.pad,
            player.view, order,
        )  # fmt: skip


def train(config: LalRlConfig, *, data: Any = None, progress: Progress | None = None) -> Result:
    """Train the agent.

    Args:
        config: The run.
        data: What `binary_pairs` accepts, in place of ``config.data``.
        progress: Called a hundred times over the run.
    """
    pairs = binary_pairs(list(config.datasets) if data is None else data)
    engine = LalRlSimulator(pairs, config.n_envs, seed=integer_seed(config.seed, "engine"))
    engine.reset()
    player = Player(engine, view=get_view(config), seed=integer_seed(config.seed, "exploration"))
    replay = Replay(config.buffer_size, player.pad)
    replay.highest[0] = 1000.0**config.priority_alpha
    rng = np.random.default_rng(integer_seed(config.seed, "network"))
    lengths = _warm_up(config, player, replay)
    theta = QNetwork.random(rng, out_bias=-float(np.mean(lengths)) / 2).pack()
    learner = _Learner(config, theta, replay, player)
    learner.update(config.initial_gradient_steps)
    found = _learn(config, player, learner, progress)
    n_replayed = learner.n_updates * config.batch_size
    return Result(QNetwork.unpack(theta), found[0], n_replayed, np.array(lengths + found[1]))


def get_view(config: LalRlConfig) -> int:
    """Return what the network of a config sees."""
    if config.control == "uncertainty_only":
        return int(kernels.UNCERTAINTY_ONLY)
    return int(kernels.SYMMETRIC if config.variant == "symmetric" else kernels.PUBLISHED)


def _learn(
    config: LalRlConfig, player: Player, learner: "_Learner", progress: Progress | None
) -> tuple[int, list[int]]:
    """Run and learn to the end; returns the steps and the lengths of the episodes."""
    shuffle = np.random.default_rng(integer_seed(config.seed, "shuffle"))
    lengths: list[int] = []
    n_steps, owed, shown, done = 0, 0.0, 0, 0.0
    while done < 1.0:
        explored = min(done / config.exploration_fraction, 1.0)
        player.step(learner.theta, 1.0 - (1.0 - config.exploration_final_eps) * explored)
        told = shuffle.permutation(config.n_envs) if config.control == "shuffled_reward" else None
        learner.replay.add(player, told)
        n_steps += config.n_envs
        ended = _ended(player.engine)
        lengths.extend(ended)
        if config.n_episodes:
            owed += config.gradient_steps_per_episode * len(ended)
            done = len(lengths) / config.n_episodes
        else:
            owed += config.gradient_steps * config.n_envs
            done = n_steps / config.total_timesteps
        left = 1.0 - (1.0 - config.learning_rate_final) * min(done, 1.0)
        learner.learning_rate = config.learning_rate * left
        loss = learner.update(int(owed))
        owed -= int(owed)
        if progress is not None and done * 100 >= shown + 1:
            shown = int(done * 100)
            progress(n_steps, float(np.mean(lengths[-500:] or [0])), loss)
    return n_steps, lengths


def _ended(engine: LalRlSimulator) -> list[int]:
    over = engine.terminated | engine.truncated
    return engine.lengths[over].tolist() if over.any() else []


def _warm_up(config: LalRlConfig, player: Player, replay: Replay) -> list[int]:
    """Fill the memory with random episodes and return their lengths."""
    lengths: list[int] = []
    nothing = np.zeros(kernels.SIZE, dtype=np.float32)
    while len(lengths) < config.learning_starts or replay.cursor[1] < config.batch_size:
        player.step(nothing, 1.0)
        replay.add(player)
        lengths.extend(_ended(player.engine))
    return lengths


class _Learner:
    """The online and target network, Adam's moments, and the counts of updates."""

    def __init__(self, config: LalRlConfig, theta: Any, replay: Replay, player: Player) -> None:
        self.config, self.theta, self.replay, self.player = config, theta, replay, player
        self.target = theta.copy()
        self.moments = (np.zeros_like(theta), np.zeros_like(theta))
        self.counts = np.zeros(1, dtype=np.int64)
        self.learning_rate = config.learning_rate

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
                n, config.batch_size, self.learning_rate, config.tau,
                config.priority_alpha,
            )
        )  # fmt: skip


def episode_lengths(
    network: QNetwork | Sequence[QNetwork] | None,
    data: Any,
    *,
    view: int = 0,
    n_episodes: int = 512,
    n_envs: int = 64,
    seed: int = 0,
) -> Ints:
    """Return the lengths of episodes run greedily, or at random without a network.

    Every environment runs the same number of episodes to the end, so long ones are not lost; the
    k-th episode of an environment has the same split and first labels whoever runs, so two
    results of one seed are paired.

    Args:
        network: The policy, several to follow their mean value, or None to run at random.
        data: What `binary_pairs` accepts.
        view: What the network sees; see `kernels.see`.
        n_episodes: Episodes in all, rounded up to a multiple of `n_envs`.
        n_envs: Episodes run together.
        seed: Names splits, first labels and random steps.

    Returns:
        Lengths, shape (n,), environment by environment.
    """
    engine = LalRlSimulator(
        binary_pairs(data), n_envs, seed=integer_seed(seed, "judge"), n_splits=max(n_episodes, 64)
    )
    engine.reset()
    player = Player(engine, view=view, seed=integer_seed(seed, "steps"))
    take = _make_step(player, network)
    each = -(-n_episodes // n_envs)
    lengths = np.zeros((n_envs, each), dtype=np.int64)
    played = np.zeros(n_envs, dtype=np.int64)
    while (played < each).any():
        take()
        over = np.flatnonzero((engine.terminated | engine.truncated) & (played < each))
        lengths[over, played[over]] = engine.lengths[over]
        played[over] += 1
    return lengths.ravel()


def _make_step(player: Player, network: QNetwork | Sequence[QNetwork] | None) -> Callable[[], None]:
    """Return what takes the next step of every episode."""
    if isinstance(network, Sequence):
        return partial(player.step_together, network)
    theta = np.zeros(kernels.SIZE, dtype=np.float32) if network is None else network.pack()
    return partial(player.step, theta, 1.0 if network is None else 0.0)
