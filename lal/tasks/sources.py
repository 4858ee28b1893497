"""Task sources: what hands an environment its next task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lal.errors import UsageError, shown
from lal.task import Task

TaskSource = Callable[[np.random.Generator], Task]
"""A generator to the next task; equal generators give equal tasks."""


def as_source(tasks: TaskSource | Task | Sequence[Task]) -> TaskSource:
    """Return a source for what an environment accepts: a task, several, or a callable."""
    found = blind_tasks(tasks)
    return found if callable(found) else _Draw(found)


def blind_tasks(tasks: TaskSource | Task | Sequence[Task]) -> TaskSource | tuple[Task, ...]:
    """Return a callable as it is, and tasks without their test parts.

    Raises:
        UsageError: It is neither, or there are no tasks.
    """
    if callable(tasks):
        return tasks
    listed: Any = (tasks,) if isinstance(tasks, Task) else tasks
    if not isinstance(listed, Sequence) or not all(isinstance(task, Task) for task in listed):
        raise UsageError(
            "tasks must be a Task, a list of them, or a function that draws one, "
            f"got {shown(tasks)}"
        )
    if not listed:
        raise UsageError("an environment needs at least one task, got an empty list")
    return tuple(task.blind() for task in listed)


@dataclass(frozen=True)
class _Draw:
    """Draws one of several tasks uniformly."""

    tasks: tuple[Task, ...]

    def __call__(self, rng: np.random.Generator) -> Task:
        return self.tasks[int(rng.integers(len(self.tasks)))]
