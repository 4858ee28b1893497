"""check_agent: what an agent has to hold, for ours and for yours."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agents.strategy_agent import StrategyAgent, play
from envs.pool_env import PoolEnv
from envs.sanity_task import giveaway_task
from lal.errors import LalError

GIVEAWAY_SHARE = 0.8
"""Share of the best possible return that a learner has to reach on the give-away task."""


class AgentCheckError(LalError, AssertionError):
    """An agent breaks its contract; the message says which part and how."""


class Player(Protocol):
    """What acts."""

    def predict(
        self, observation: dict[str, NDArray[Any]], *, deterministic: bool = ...
    ) -> tuple[Any, Any]:
        """Return slots and a memory."""
        ...


class Learner(Player, Protocol):
    """What is checked: stable-baselines3's algorithms have these."""

    def learn(self, total_timesteps: int) -> Any:
        """Learn for a number of environment steps."""
        ...

    def save(self, path: str) -> None:
        """Write to a file."""
        ...


class Maker(Protocol):
    """Makes and loads the agent under check."""

    def make(self, env: gymnasium.Env[Any, Any], seed: int) -> Learner:
        """Return an untrained agent that learns on `env`."""
        ...

    def load(self, path: str) -> Learner:
        """Return what `save` wrote."""
        ...

    def weights(self, agent: Learner) -> NDArray[Any]:
        """Return all weights as one vector."""
        ...


def check_agent(maker: Maker, *, steps: int = 2000, seed: int = 0) -> None:
    """Check an agent: mask, save and load, determinism, and that it learns what is given away.

    Args:
        maker: Makes, loads and reads the agent.
        steps: Environment steps to learn on the give-away task; the other checks take a tenth.
        seed: Of everything.

    Raises:
        AgentCheckError: The first contract that does not hold.
    """
    agent = maker.make(_giveaway_env(), seed)
    check_mask(agent, seed=seed)
    agent.learn(steps // 10)
    check_mask(agent, seed=seed)
    check_save_load(agent, maker, seed=seed)
    check_same_seed(maker, steps // 10, seed=seed)
    check_giveaway(maker, steps, seed=seed)


def check_mask(agent: Player, *, n: int = 50, seed: int = 0) -> None:
    """Check that no closed slot is chosen, exploring or not, one or many observations at once."""
    space = _giveaway_env().observation_space
    rng = np.random.default_rng(seed)
    for deterministic in (True, False):
        observation = _random_observations(space, n, rng)
        actions, _ = agent.predict(observation, deterministic=deterministic)
        legal = observation["mask"][np.arange(n), np.asarray(actions).reshape(-1)] == 1
        if not legal.all():
            how = "greedily" if deterministic else "while exploring"
            raise AgentCheckError(
                f"{(~legal).sum()} of {n} actions chosen {how} are masked; expected none"
            )


def check_save_load(agent: Learner, maker: Maker, *, seed: int = 0) -> None:
    """Check that a saved and loaded agent acts as before."""
    observation = _random_observations(
        _giveaway_env().observation_space, 50, np.random.default_rng(seed)
    )
    before, _ = agent.predict(observation, deterministic=True)
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "agent.zip")
        agent.save(path)
        after, _ = maker.load(path).predict(observation, deterministic=True)
    if not np.array_equal(before, after):
        n = int((np.asarray(before) != np.asarray(after)).sum())
        raise AgentCheckError(f"after save and load {n} of 50 actions differ; expected none")


def check_same_seed(maker: Maker, steps: int, *, seed: int = 0) -> None:
    """Check that learning twice from one seed gives the same weights, bitwise."""
    agents = [maker.make(_giveaway_env(), seed) for _ in range(2)]
    for agent in agents:
        agent.learn(steps)
    if not np.array_equal(maker.weights(agents[0]), maker.weights(agents[1])):
        raise AgentCheckError(
            f"two runs of {steps} steps from seed {seed} end in different weights; "
            "draw from seeded generators only and use one thread"
        )


def check_giveaway(maker: Maker, steps: int, *, seed: int = 0, n: int = 20) -> None:
    """Check that the agent solves the task that any correct learner solves."""
    env = _giveaway_env()
    agent = maker.make(env, seed)
    agent.learn(steps)
    judge = _giveaway_env()
    learned = np.mean([play(agent, judge, seed=10_000 + i) for i in range(n)])
    rule = StrategyAgent("margin", judge)
    best = np.mean([play(rule, judge, seed=10_000 + i) for i in range(n)])
    if learned < GIVEAWAY_SHARE * best:
        raise AgentCheckError(
            f"mean return {learned:.3f} on the give-away task after {steps} steps; "
            f"the obvious rule earns {best:.3f}, expected at least {GIVEAWAY_SHARE:.0%} of it"
        )


def _giveaway_env() -> PoolEnv:
    return PoolEnv(giveaway_task(), slate_size=16, reward="accuracy_gain")


def _random_observations(
    space: gymnasium.Space[Any], n: int, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Return `n` observations of random numbers with at least one open slot each."""
    if not isinstance(space, gymnasium.spaces.Dict):
        raise AgentCheckError(f"expected a dict observation space, got {type(space).__name__}")
    k, f = space["candidates"].shape or (0, 0)
    mask = (rng.random((n, k)) < 0.3).astype(np.int8)
    mask[np.arange(n), rng.integers(k, size=n)] = 1
    g = (space["context"].shape or (0,))[0]
    return {
        "candidates": rng.random((n, k, f)).astype(np.float32),
        "context": rng.random((n, g)).astype(np.float32),
        "mask": mask,
    }
