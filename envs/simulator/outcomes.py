"""Purchases of a simulator: what waits for its batch, what it earned, and which episodes end."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.simulator.pool_rules import Purchases, Rules
from envs.simulator.tables import TaskTables
from lal.arrays import Bools, Floats, Ints
from lal.episode import accuracy
from lal.rng import integer_seed
from lal.task import Task
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
    """

    rewards: Floats
    terminated: Bools
    truncated: Bools
    metrics: Floats
    invalid: Bools
    queried: Ints

    @property
    def done(self) -> Bools:
        """Episodes that are over, shape (E,)."""
        done: Bools = self.terminated | self.truncated
        return done


class Outcomes:
    """Rewards and endings of E episodes.

    Args:
        tables: Tasks as tables.
        episodes: Their episodes.
        tasks: The tasks themselves, whose learners give the target quality.
        rules: Named rules, looked up.
        batch_size: Labels between refits, B.
        seed: Names the streams of the target fits.
    """

    def __init__(
        self,
        tables: TaskTables,
        episodes: Any,
        *,
        tasks: tuple[Task, ...],
        rules: Rules,
        batch_size: int,
        seed: int,
    ) -> None:
        E = len(episodes.task)
        self._tables, self._episodes, self._tasks = tables, episodes, tasks
        self._rule, self._batch_size, self._seed = rules, batch_size, seed
        self.pending: Ints = np.full((E, batch_size), -1, dtype=np.int64)
        self._n_pending: Ints = np.zeros(E, dtype=np.int64)
        self._reached: Bools = np.zeros(E, dtype=np.bool_)
        self._target: Floats = np.full(E, np.inf)
        self._targets: dict[int, float] = {}
        # Labels that each episode may buy, and the most it may hold; they change at its start only.
        self._budget: Ints = np.zeros(E, dtype=np.int64)
        self._limit: Ints = np.zeros(E, dtype=np.int64)

    def start(self, ids: Ints) -> None:
        """Forget what the last episodes left; their tasks may be others now."""
        self._n_pending[ids], self.pending[ids] = 0, -1
        self._reached[ids] = False
        start = self._episodes.n_start[ids]
        tasks = self._tables.tables.tasks[self._episodes.task[ids]]
        self._limit[ids] = np.minimum(start + tasks.budget, tasks.pool)
        self._budget[ids] = self._limit[ids] - start
        if not self._rule.at_budget:
            self._limit[ids] = tasks.pool
        if self._rule.needs_target:
            self._target[ids] = [self._target_of(int(self._episodes.task[e])) for e in ids]

    def collect(self, rows: Ints) -> Ints:
        """Put one row an episode aside; returns the episodes whose batch is full."""
        self.pending[np.arange(len(rows)), self._n_pending] = rows
        self._n_pending += 1
        left = self._limit - self._episodes.n_labelled
        full = self._n_pending >= np.minimum(self._batch_size, left)
        due: Ints = np.flatnonzero(full)
        return due

    def judge(self, due: Ints, before: Floats, after: Floats, rival: Floats) -> tuple[Any, ...]:
        """Return rewards, terminated and truncated after the purchases of `due`; clears them."""
        bought = np.zeros(len(before), dtype=np.int64)
        bought[due] = self._n_pending[due]
        reached_before = self._reached.copy()
        self._reached[due] |= after[due, 0] >= self._target[due]
        rewards = self._rule.reward(
            Purchases(before, after, bought, self._budget, reached_before, rival)
        )
        rewards[bought == 0] = 0.0
        terminated, truncated = self._flags(bought > 0)
        self.pending[due], self._n_pending[due] = -1, 0
        return rewards, terminated, truncated

    def _target_of(self, number: int) -> float:
        """Return the target quality of a task (once), as the environment defines it."""
        if number not in self._targets:
            task = self._tasks[number]
            part = task.reward_part()
            model = task.learner.fit(
                task.pool.X,
                task.pool.y,
                n_classes=task.n_classes,
                seed=integer_seed(self._seed, "target", number),
            )
            quality = accuracy(part.y, model.predict_proba(part.X))
            self._targets[number] = TARGET_SHARE * quality
        return self._targets[number]

    def _flags(self, looked: Bools) -> tuple[Bools, Bools]:
        """Return (terminated, truncated); endings are looked at after purchases only."""
        eps, rule = self._episodes, self._rule
        spent = eps.n_labelled >= eps.n_start + self._budget
        terminated = (rule.at_target & self._reached) | (eps.n_open == 0)
        cut = rule.at_budget & spent & ~terminated
        if not rule.at_target:
            return looked & (terminated | cut), np.zeros_like(cut)
        return looked & terminated, looked & cut
