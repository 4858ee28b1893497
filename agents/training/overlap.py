"""Environments that step in a thread of their own while gradients are computed."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from typing import Any

from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper


class SteppedMeanwhile(VecEnvWrapper):
    """Does something else while the environments step.

    The compiled environments and torch both let other threads run. The order of everything that
    changes a result is fixed, so results do not depend on which of the two is done first.

    Args:
        venv: The environments.
        executor: Runs their steps.
        meanwhile: Called once a step; it must neither read nor change the environments.
    """

    def __init__(self, venv: VecEnv, executor: Executor, meanwhile: Callable[[], None]) -> None:
        super().__init__(venv)
        self._executor, self._meanwhile = executor, meanwhile
        self._step: Future[Any] = Future()

    def reset(self) -> Any:
        """Begin new episodes."""
        return self.venv.reset()

    def step_async(self, actions: Any) -> None:
        """Start the step."""
        self._step = self._executor.submit(self.venv.step, actions)

    def step_wait(self) -> Any:
        """Return what the step gave, after `meanwhile`."""
        try:
            self._meanwhile()
        finally:
            wait([self._step])
        return self._step.result()
