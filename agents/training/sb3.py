"""A learner around an algorithm of stable-baselines3.

Checkpoints hold tensors and numbers, not stable-baselines3's own ``model.zip``, which unpickles
what it finds. Every segment has a model and environments of its own, made from config and segment
and then set to the checkpoint's state.
"""

from abc import abstractmethod
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, configure
from stable_baselines3.common.vec_env import VecEnv

from agents.training.checkpoints import load_torch, save_torch
from agents.training.config import RunConfig
from agents.training.learner import Learner
from agents.training.progress import Progress
from agents.training.replay import load_replay, save_replay
from lal.rng import integer_seed

C = TypeVar("C", bound=RunConfig)

STATE = "model.pt"
REPLAY = "replay.npz"

COUNTERS = (
    "num_timesteps", "_n_updates", "_episode_num", "_n_calls", "exploration_rate",
    "_current_progress_remaining",
)  # fmt: skip
"""Attributes of algorithms that learning goes on from; not every algorithm has each."""


class Sb3Learner(Learner[C]):
    """Trains a stable-baselines3 algorithm for ``config.total_timesteps`` environment steps."""

    def __init__(self, config: C) -> None:
        super().__init__(config)
        self._model: BaseAlgorithm | None = None
        self._checkpoint: Path | None = None

    @abstractmethod
    def make_envs(self, segment: int) -> VecEnv:
        """Return the environments of a segment, a function of config and segment alone."""

    @abstractmethod
    def make_model(self, envs: VecEnv, *, seed: int) -> BaseAlgorithm:
        """Return an algorithm with fresh weights."""

    @property
    def total_timesteps(self) -> int:
        """Environment steps of the whole run."""
        return int(getattr(self.config, "total_timesteps"))  # noqa: B009 - a field of subclasses

    @property
    def n_units(self) -> int:
        """Length of the progress bar: environment steps."""
        return self.total_timesteps

    @property
    def model(self) -> Any:
        """The algorithm as it is now."""
        if self._model is None:
            self._model = self._restored(self.make_envs(0))
        return self._model

    def train_segment(self, segment: int) -> Mapping[str, Any]:
        """Learn up to the segment's end; return the figures."""
        envs = self.make_envs(segment)
        self._model = model = self._restored(envs)
        self.reseed(model, integer_seed(self.config.seed, "segment", segment))
        silent = Logger(folder=None, output_formats=[])
        folder = self.tensorboard
        model.set_logger(configure(str(folder), ["tensorboard"]) if folder else silent)
        goal = self.total_timesteps * (segment + 1) // self.n_segments
        self.learn(model, goal)
        figures = self.figures(model)
        model.logger.close()
        envs.close()
        return figures

    def learn(self, model: Any, goal: int) -> None:
        """Learn until the model counts `goal` environment steps."""
        model.learn(goal - model.num_timesteps, MoveBar(self.progress), reset_num_timesteps=False)

    def reseed(self, model: Any, seed: int) -> None:
        """Seed every generator that learning draws from."""
        model.set_random_seed(seed)

    def figures(self, model: Any) -> dict[str, Any]:
        """Return what ``metrics.jsonl`` keeps of a segment."""
        returns = [float(episode["r"]) for episode in model.ep_info_buffer or ()]
        return {
            "step": model.num_timesteps,
            "mean_return": float(np.mean(returns)) if returns else None,
            "n_updates": model._n_updates,
        }

    def save(self, folder: Path) -> None:
        """Write the algorithm's state."""
        save_model(self.model, folder)

    def load(self, folder: Path) -> None:
        """Take up a checkpoint; the next segment's model starts from it."""
        self._model, self._checkpoint = None, folder

    def _restored(self, envs: VecEnv) -> BaseAlgorithm:
        model = self.make_model(envs, seed=integer_seed(self.config.seed, "weights"))
        if self._checkpoint is not None:
            load_model(model, self._checkpoint)
        return model


def save_model(model: BaseAlgorithm, folder: Path) -> None:
    """Write weights, optimiser and counters, and the replay buffer where there is one."""
    state = {
        "policy": model.policy.state_dict(),
        "optimizer": model.policy.optimizer.state_dict(),
        "counters": {n: getattr(model, n) for n in COUNTERS if hasattr(model, n)},
        "episodes": [
            {key: float(value) for key, value in episode.items()}
            for episode in model.ep_info_buffer or ()
        ],
    }
    save_torch(folder / STATE, state)
    replay = getattr(model, "replay_buffer", None)
    if replay is not None:
        save_replay(replay, folder / REPLAY)


def load_model(model: BaseAlgorithm, folder: Path) -> None:
    """Set a fresh model to what `save_model` wrote."""
    state = load_torch(folder / STATE)
    model.policy.load_state_dict(state["policy"])
    model.policy.optimizer.load_state_dict(state["optimizer"])
    for name, value in state["counters"].items():
        setattr(model, name, value)
    model.ep_info_buffer = deque(state["episodes"], maxlen=model._stats_window_size)
    model.ep_success_buffer = deque(maxlen=model._stats_window_size)
    replay = getattr(model, "replay_buffer", None)
    if replay is not None:
        load_replay(replay, folder / REPLAY)


class MoveBar(BaseCallback):
    """Moves the bar, and ends learning early where asked to.

    Args:
        progress: The bar.
        stop_at: Environment steps, counted over the whole run, after which learning ends.
    """

    def __init__(self, progress: Progress, *, stop_at: int | None = None) -> None:
        super().__init__()
        self._progress, self._stop_at = progress, stop_at

    def _on_step(self) -> bool:
        self._progress.at(self.num_timesteps)
        return self._stop_at is None or self.num_timesteps < self._stop_at
