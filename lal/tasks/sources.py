"""Task sources: what hands an environment its next task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lal.errors import UsageError, shown
from lal.task import Task

TaskSource = Callable[[np.random.Generator], Task]
"""A generator to the next task; equal generators give equal tasks."""


def as_source(tasks: TaskSource | Task | Sequence[Task]) -> TaskSource:
    """Return a source for what an environment accepts: a task, several, or a callable."""
    if isinstance(tasks, Task):
        return _Draw((tasks.blind(),))
    if callable(tasks):
        return tasks
    if not isinstance(tasks, Sequence) or not all(isinstance(task, Task) for task in tasks):
        raise UsageError(
            "tasks must be a Task, a list of them, or a function that draws one, "
            f"got {shown(tasks)}"
        )
    if not tasks:
        raise UsageError("an environment needs at least one task, got an empty list")
    return _Draw(tuple(task.blind() for task in tasks))


@dataclass(frozen=True)
class _Draw:
    """Draws one of several tasks uniformly."""

    tasks: tuple[Task, ...]

    def __call__(self, rng: np.random.Generator) -> Task:
        return self.tasks[int(rng.integers(len(self.tasks)))]
