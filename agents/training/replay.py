"""Replay buffers of stable-baselines3 as npz files, where its own format is a pickle."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.buffers import BaseBuffer

from agents.training.checkpoints import load_arrays, save_arrays
from envs.recorded import Transitions
from lal.errors import UsageError

POSITION = "position"
"""Name of the array that holds where the next row goes, and whether the buffer is full."""


def save_replay(buffer: BaseBuffer, path: Path) -> None:
    """Write the filled rows; a buffer's generator is not kept, segments seed it anew."""
    n = buffer.size()
    rows = {name: values[:n] for name, values in _columns(buffer)}
    save_arrays(path, {POSITION: np.array([buffer.pos, int(buffer.full)]), **rows})


def load_replay(buffer: BaseBuffer, path: Path) -> None:
    """Fill a fresh buffer with what `save_replay` wrote.

    Raises:
        UsageError: These are not the rows of a buffer of this size over these spaces.
    """
    found = load_arrays(path)
    for name, values in _columns(buffer):
        saved = found.get(name)
        if saved is None or saved.shape[1:] != values.shape[1:] or len(saved) > len(values):
            shape = None if saved is None else saved.shape
            raise UsageError(
                f"{str(path)!r} has {name} of shape {shape}; expected {values.shape} or fewer "
                "rows, as the run's config says"
            )
        values[: len(saved)] = saved
    position = found.get(POSITION, np.zeros(0))
    if position.shape != (2,) or not 0 <= position[0] < buffer.buffer_size:
        raise UsageError(f"{str(path)!r} has no {POSITION} within a buffer of this size")
    buffer.pos, buffer.full = int(position[0]), bool(position[1])


def fill(buffer: BaseBuffer, recorded: Transitions) -> None:
    """Put recorded steps into a fresh buffer that has room for them.

    A buffer takes one step of every environment at a time; what is left at the end, fewer steps
    than environments, stays out.
    """
    E = buffer.n_envs
    for first in range(0, len(recorded) - E + 1, E):
        rows = slice(first, first + E)
        before, after = (
            {key: values[rows] for key, values in seen.items()}
            for seen in (recorded.observations, recorded.next_observations)
        )
        actions = recorded.actions[rows, None]
        ends = recorded.ends[rows].astype(np.float32)
        buffer.add(before, after, actions, recorded.rewards[rows], ends, [{}] * E)


def _columns(buffer: BaseBuffer) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the arrays that have a row for every step, by name."""
    for name, value in vars(buffer).items():
        for key, values in value.items() if isinstance(value, dict) else [("", value)]:
            if isinstance(values, np.ndarray) and len(values) == buffer.buffer_size:
                yield f"{name}.{key}" if key else name, values
