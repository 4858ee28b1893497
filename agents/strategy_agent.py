"""Any strategy of lal as an agent: it runs an environment by ranking the slate."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.pool_env import PoolEnv
from lal.errors import UsageError
from lal.state import Strategy
from lal.strategies.base import make_strategy


class StrategyAgent:
    """Acts like stable-baselines3's models (`predict`), so rules and policies are judged alike.

    A rule ranks states, not observations, so the agent is bound to the environment it runs; its
    utilities and tie breaks are those of the loop from the same state.

    Args:
        strategy: A strategy, or its name for `lal.make_strategy`.
        env: The environment, wrapped or not, whose innermost one is a `PoolEnv`.
    """

    def __init__(self, strategy: Strategy | str, env: gymnasium.Env[Any, Any]) -> None:
        self.strategy = make_strategy(strategy) if isinstance(strategy, str) else strategy
        inner = env.unwrapped
        if not isinstance(inner, PoolEnv):
            raise UsageError(
                f"a strategy plays lal/Pool-v0, which has states; got {type(inner).__name__}"
            )
        self._env = inner

    def predict(
        self,
        observation: Any = None,
        state: Any = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = True,
    ) -> tuple[np.int64, Any]:
        """Return the slot of the best row of the slate, and the memory, which is passed through.

        Args:
            observation: Not looked at; the environment's state is.
            state: Handed back.
            episode_start: Not used.
            deterministic: Not used; what is random comes from the episode's own streams.
        """
        return np.int64(self._env.strategy_action(self.strategy)), state


def play(agent: Any, env: gymnasium.Env[Any, Any], *, seed: int) -> float:
    """Return the sum of rewards of one episode.

    Args:
        agent: Has ``predict(observation, deterministic=True) -> (action, state)``.
        env: One environment.
        seed: Of the episode; equal seeds pair agents.
    """
    observation, _ = env.reset(seed=seed)
    total, over = 0.0, False
    while not over:
        action, _ = agent.predict(observation, deterministic=True)
        observation, reward, terminated, truncated, _ = env.step(action)
        total += float(reward)
        over = terminated or truncated
    return total
