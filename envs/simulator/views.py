"""What can be read of a pool simulator between two steps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.simulator.fits import Fits
from envs.simulator.generations import FixedTasks
from envs.simulator.outcomes import Outcomes
from envs.simulator.slates import Observations, Slates
from lal.arrays import Bools, Floats, Ints
from lal.errors import UsageError
from lal.task import Task


class PoolViews:
    """Readings of a simulator's tasks and episodes; views are overwritten by the next step."""

    n_episodes: int
    _tasks: FixedTasks
    _episodes: Any
    _fits: Fits
    _slates: Slates
    _outcomes: Outcomes
    _runs: Ints
    _ready: bool

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks that episodes are drawn from, in the order of `task_numbers`."""
        return self._tasks.tasks

    @property
    def slates(self) -> Ints:
        """Pool rows offered, shape (E, K), -1 for a closed slot; a view."""
        return self._slates.rows

    @property
    def observations(self) -> Observations:
        """What is seen of the slates; overwritten by every step."""
        return self._slates.observations

    @property
    def final_observations(self) -> Observations:
        """Last observations of the episodes that ended in the last step; overwritten by the next.

        Rows of other episodes hold what was there before.
        """
        return self._slates.final_observations

    @property
    def final_slates(self) -> Ints:
        """Pool rows offered in `final_observations`, shape (E, K); a view."""
        return self._slates.final_rows

    @property
    def bytes_per_episode(self) -> int:
        """Memory that one more episode takes; tasks are shared."""
        own = int(sum(array.nbytes for array in self._episodes) // self.n_episodes)
        return own + self._fits.bytes_per_episode + self._slates.bytes_per_episode

    @property
    def metrics(self) -> Floats:
        """Metrics of the present models on the reward parts, shape (E, 3); a view."""
        values: Floats = self._episodes.metrics
        return values

    @property
    def n_labelled(self) -> Ints:
        """Labels acquired in every episode, shape (E,); a view."""
        values: Ints = self._episodes.n_labelled
        return values

    @property
    def lengths(self) -> Ints:
        """Steps of the present episodes, shape (E,); a view."""
        return self._outcomes.lengths

    @property
    def target_reached(self) -> Bools:
        """Episodes that have reached their target quality, shape (E,); a view."""
        return self._outcomes.reached

    @property
    def episode_numbers(self) -> Ints:
        """How many episodes every environment has begun before this one, shape (E,)."""
        numbers: Ints = self._runs - 1
        return numbers

    @property
    def task_numbers(self) -> Ints:
        """Which task every episode runs, shape (E,); a view."""
        values: Ints = self._episodes.task
        return values

    @property
    def task_names(self) -> NDArray[Any]:
        """Name of the task that every episode runs, shape (E,), strings."""
        names: NDArray[Any] = self._tasks.names[self.task_numbers]
        return names

    def labelled_rows(self, episode: int) -> Ints:
        """Return the pool rows that an episode acquired, in order, shape (L,)."""
        rows: Ints = self._episodes.rows[episode, : self.n_labelled[episode]].copy()
        return rows

    def open_rows(self, episode: int) -> Ints:
        """Return the pool rows without a label, in no order."""
        rows: Ints = self._episodes.open[episode, : self._episodes.n_open[episode]].copy()
        return rows

    def proba(self, episode: int) -> Floats:
        """Return the model's probabilities of pool, then reward rows, shape (n, C).

        As the shortest decimals of the float32 numbers, so that equal shares of a vote stay equal.
        """
        number = self._episodes.task[episode]
        s, task = self._tasks.tables.tables.tasks[number], self.tasks[number]
        table = self._episodes.proba[episode, : s.classes * s.points].reshape(s.classes, -1)
        reward = np.empty((s.n_reward, s.classes), np.float32)
        order = np.argsort(task.reward_part().y, kind="stable")
        reward[order] = table[:, s.first_reward : s.first_reward + s.n_reward].T
        single = np.concatenate([table[:, : s.pool].T, reward])
        rows: Floats = single.astype("U").astype(np.float64)
        return rows

    def pool_proba(self, episode: int) -> Floats:
        """Return the model's probabilities of the pool rows as they are kept, shape (N, C)."""
        s = self._tasks.tables.tables.tasks[self._episodes.task[episode]]
        table = self._episodes.proba[episode, : s.classes * s.points].reshape(s.classes, -1)
        rows: Floats = table[:, : s.pool].T.astype(np.float64)
        return rows

    def _check_ready(self) -> None:
        if not self._ready:
            raise UsageError("no episodes yet; call reset first")

    @property
    def _records(self) -> Any:
        """The record of every episode's task, shape (E,); see `kernels.layout.TASK`."""
        return self._tasks.tables.tables.tasks[self._episodes.task]
