"""Acquisitions of a simulator: what waits for its batch, what it earned, and which episodes end."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.simulator.generations import FixedTasks
from envs.simulator.pool_rules import Acquisitions, Rules
from lal.arrays import Bools, Floats, Ints
from lal.episode import accuracy
from lal.rng import integer_seed
from lal.tasks.termination import TARGET_SHARE


@dataclass(frozen=True, eq=False)
class Steps:
    """What a step returns besides the observations.

    Attributes:
        rewards: Shape (E,).
        terminated: Episodes that ended by their own rule, shape (E,).
        truncated: Episodes that a budget cut short, shape (E,).
        metrics: Metrics on the reward part after the step and before any reset, shape (E, 3), in
            the order of `METRIC_NAMES`.
        invalid: Actions that named a closed slot and were replaced by a legal one, shape (E,).
        queried: Pool row that each episode chose, shape (E,).
        n_labelled: Labels that each episode had chosen after the step, shape (E,).
        target_reached: Episodes that had reached the target quality, shape (E,).
        task_names: Name of the task that each episode runs, shape (E,).
        lengths: Steps that each episode had taken, shape (E,).
    """

    rewards: Floats
    terminated: Bools
    truncated: Bools
    metrics: Floats
    invalid: Bools
    queried: Ints
    n_labelled: Ints
    target_reached: Bools
    task_names: NDArray[Any]
    lengths: Ints

    @property
    def done(self) -> Bools:
        """Episodes that are over, shape (E,)."""
        done: Bools = self.terminated | self.truncated
        return done


class Outcomes:
    """Rewards and terminations of E episodes.

    Args:
        tasks: The tasks; their learners give the target quality.
        episodes: Their episodes.
        rules: Named rules, looked up.
        batch_size: Labels between refits, B.
        max_episode_steps: Truncate after so many steps; None never does.
        seed: Names the streams of the target fits.
    """

    def __init__(
        self,
        tasks: FixedTasks,
        episodes: Any,
        *,
        rules: Rules,
        batch_size: int,
        max_episode_steps: int | None,
        seed: int,
    ) -> None:
        E = len(episodes.task)
        self._tasks, self._episodes = tasks, episodes
        self._rule, self._batch_size, self._seed = rules, batch_size, seed
        self._max_steps = np.iinfo(np.int64).max if max_episode_steps is None else max_episode_steps
        self.lengths: Ints = np.zeros(E, dtype=np.int64)
        self.pending: Ints = np.full((E, batch_size), -1, dtype=np.int64)
        self.n_pending: Ints = np.zeros(E, dtype=np.int64)
        self.reached: Bools = np.zeros(E, dtype=np.bool_)
        self._target: Floats = np.full(E, np.inf)
        self._targets: dict[int, float] = {}
        # Labels that an episode may acquire, and the most it may hold; set at its start only.
        self._budget: Ints = np.zeros(E, dtype=np.int64)
        self._limit: Ints = np.zeros(E, dtype=np.int64)

    def use(self, episodes: Any) -> None:
        """Go on with wider arrays of the same episodes."""
        self._episodes = episodes

    def restart(self, seed: int) -> None:
        """Forget the target qualities; their fits have another seed now."""
        if seed != self._seed:
            self._seed, self._targets = seed, {}

    def start(self, ids: Ints) -> None:
        """Forget what the last episodes left; their tasks may be others now."""
        self.n_pending[ids], self.pending[ids] = 0, -1
        self.reached[ids], self.lengths[ids] = False, 0
        start = self._episodes.n_start[ids]
        tasks = self._tasks.tables.tables.tasks[self._episodes.task[ids]]
        self._limit[ids] = np.minimum(start + tasks.budget, tasks.pool)
        self._budget[ids] = self._limit[ids] - start
        if not self._rule.at_budget:
            self._limit[ids] = tasks.pool
        if self._rule.needs_target:
            self._target[ids] = [self._get_target(int(self._episodes.task[e])) for e in ids]

    def collect(self, rows: Ints) -> Ints:
        """Put one row an episode aside; returns the episodes whose batch is full."""
        self.pending[np.arange(len(rows)), self.n_pending] = rows
        self.n_pending += 1
        self.lengths += 1
        left = self._limit - self._episodes.n_labelled
        full = self.n_pending >= np.minimum(self._batch_size, left)
        due: Ints = np.flatnonzero(full)
        return due

    def settle(self, due: Ints, before: Floats, after: Floats, baseline: Floats) -> tuple[Any, ...]:
        """Return rewards, terminated and truncated after the acquisitions of `due`; clears them."""
        acquired = np.zeros(len(before), dtype=np.int64)
        acquired[due] = self.n_pending[due]
        reached_before = self.reached.copy()
        self.reached[due] |= after[due, 0] >= self._target[due]
        rewards = self._rule.pay(
            Acquisitions(
                before=before,
                after=after,
                n_acquired=acquired,
                n_budget=self._budget,
                n_start=self._episodes.n_start,
                n_labelled=self._episodes.n_labelled - acquired,
                reached_before=reached_before,
                baseline=baseline,
            )
        )
        rewards[acquired == 0] = 0.0
        terminated, truncated = self._flags(acquired > 0)
        self.pending[due], self.n_pending[due] = -1, 0
        return rewards, terminated, truncated

    def _get_target(self, number: int) -> float:
        """Return the target quality of a task (once), as the environment defines it."""
        serial = self._tasks.dropped + number
        if serial not in self._targets:
            task = self._tasks.tasks[number]
            part = task.reward_part()
            model = task.learner.fit(
                task.pool.X,
                task.pool.y,
                n_classes=task.n_classes,
                seed=integer_seed(self._seed, "target", serial),
            )
            quality = accuracy(part.y, model.predict_proba(part.X))
            self._targets[serial] = TARGET_SHARE * quality
        return self._targets[serial]

    def _flags(self, looked: Bools) -> tuple[Bools, Bools]:
        """Return (terminated, truncated); terminations are looked at after acquisitions only."""
        eps, rule = self._episodes, self._rule
        spent = eps.n_labelled >= eps.n_start + self._budget
        terminated = (rule.at_target & self.reached) | (eps.n_open == 0)
        cut = rule.at_budget & spent & ~terminated
        late = self.lengths >= self._max_steps
        if not rule.at_target:
            terminated = looked & (terminated | cut)
            return terminated, late & ~terminated
        terminated = looked & terminated
        return terminated, (looked & cut) | (late & ~terminated)
