"""The fits of a simulator: kept up to date, measured, and tried one label ahead."""

from collections.abc import Callable
from typing import Any

import numpy as np

from envs.simulator.kernels.episodes import assume_label, retract_label
from envs.simulator.kernels.layout import Updates, copy_fits
from envs.simulator.kernels.learners.updates import FINISHES, UPDATES
from envs.simulator.pool_rules import METRIC_NAMES, widen
from envs.simulator.tables import TaskTables
from lal.arrays import Floats, Ints

Share = Callable[[Ints, Callable[[Ints, int], None]], None]
"""Runs a function on the parts of some episodes, in threads when asked."""


class Fits:
    """One fit per episode, and a second one to try a label in.

    Args:
        tables: Tasks.
        episodes: Their episodes, E of them; probabilities and metrics are written there.
        n_episodes: E.
    """

    def __init__(self, tables: TaskTables, episodes: Any, n_episodes: int) -> None:
        self._n = n_episodes
        # The second half of the slots belongs to looking ahead.
        self._floats = np.zeros((2 * n_episodes, 0))
        self._ints = np.zeros((2 * n_episodes, 0), dtype=np.int64)
        self._singles = np.zeros((2 * n_episodes, 0), dtype=np.float32)
        self._fitted = np.full(2 * n_episodes, -1, dtype=np.int64)
        self.use(tables, episodes)

    def use(self, tables: TaskTables, episodes: Any) -> None:
        """Go on with other tables, or wider arrays of the same episodes."""
        self._tables, self._episodes = tables, episodes
        kinds = np.unique(tables.tables.tasks.kind)
        self._kind = int(kinds[0]) if len(kinds) == 1 else None
        floats, ints, singles = tables.fits
        slots = len(self._fitted)
        self._floats = widen(self._floats, np.zeros((slots, floats)))
        self._ints = widen(self._ints, np.zeros((slots, ints), dtype=np.int64))
        self._singles = widen(self._singles, np.zeros((slots, singles), dtype=np.float32))
        tasks = tables.tables.tasks
        C, D, n = tasks.classes, tasks.columns, tasks.points
        self._scratch, self._marks = int((C * (n + D + 1)).max()), 2 * int(C.max())

    @property
    def bytes_per_episode(self) -> int:
        """Memory of an episode's two fits."""
        arrays = (self._floats, self._ints, self._singles)
        return int(sum(array.nbytes for array in arrays) // self._n)

    def start(self, ids: Ints) -> None:
        """Empty the fits of new episodes and refit."""
        self._fitted[ids] = -1
        self.refit(ids)

    def refit(self, ids: Ints) -> None:
        """Refit, predict all points and measure."""
        found = self._update(ids, ids, ahead=False, repeats=1)
        if found is not self._episodes.metrics:
            self._episodes.metrics[ids] = found

    def look_ahead(self, rows: Ints, share: Share, *, repeats: int) -> Floats:
        """Return the metrics after the true label of each row, shape (E, k, 3); NaN for row -1."""
        metrics = np.full((*rows.shape, len(METRIC_NAMES)), np.nan)

        def work(part: Ints, worker: int) -> None:
            for m in range(rows.shape[1]):
                now = part[rows[part, m] >= 0]
                if len(now):
                    metrics[now, m] = self._assume(now, rows[now, m], repeats)

        share(np.arange(self._n), work)
        return metrics

    def _assume(self, now: Ints, rows: Ints, repeats: int) -> Floats:
        ahead = now + self._n
        t, eps = self._tables.tables, self._episodes
        copy_fits(
            t.tasks, eps.task, self._fitted, self._floats, self._ints, self._singles, now, ahead
        )
        assume_label(t, eps, now, rows)
        try:
            return self._update(now, ahead, ahead=True, repeats=repeats)
        finally:
            retract_label(eps, now)

    def _update(self, ids: Ints, slots: Ints, *, ahead: bool, repeats: int) -> Floats:
        """Bring the fits in `slots` up to date, one call a learner; return metrics (n, 3).

        Looking ahead predicts the reward parts alone, into tables of its own.
        """
        eps = self._episodes
        if self._kind is not None:
            return self._update_kind(self._kind, ids, slots, ahead=ahead, repeats=repeats)
        kinds = self._tables.tables.tasks.kind[eps.task[ids]]
        metrics = np.empty((len(ids), len(METRIC_NAMES)))
        for kind in np.unique(kinds):
            some = np.flatnonzero(kinds == kind)
            metrics[some] = self._update_kind(
                int(kind), ids[some], slots[some], ahead=ahead, repeats=repeats
            )
        return metrics

    def _update_kind(
        self, kind: int, ids: Ints, slots: Ints, *, ahead: bool, repeats: int
    ) -> Floats:
        """Do the same for fits of one learner."""
        t, eps = self._tables.tables, self._episodes
        whole = not ahead and len(ids) == self._n
        metrics: Floats = eps.metrics if whole else np.empty((len(ids), len(METRIC_NAMES)))
        room = 0 if whole or len(ids) == 0 else self._room(ids, ahead)
        proba = eps.proba if whole else np.empty((len(ids), room), np.float32)
        entropy = np.empty((len(ids), 0 if ahead else eps.entropy.shape[1]))
        variance = np.empty((len(ids), 0 if ahead else eps.variance.shape[1]), np.float32)
        updates = Updates(
            t.tasks, t.x, t.x32, t.tiles, t.y, t.ends, eps.task, eps.n_labelled,
            eps.rows, eps.labels, eps.count, eps.rng_state, repeats, self._fitted, int(ahead), ids,
            self._floats, self._ints, self._singles, slots, proba, entropy, variance, metrics,
            np.empty(self._scratch, np.float32), np.empty(self._marks, np.int64),
        )  # fmt: skip
        if UPDATES[kind](updates):
            FINISHES[kind](updates)
        if not ahead and not whole:
            eps.proba[ids, :room] = proba
        if entropy.shape[1]:
            eps.entropy[ids] = entropy
        if variance.shape[1]:
            eps.variance[ids] = variance
        return metrics

    def _room(self, ids: Ints, ahead: bool) -> int:
        """Return the largest probability table of some episodes."""
        tasks = self._tables.tables.tasks[self._episodes.task[ids]]
        points = tasks.points - (tasks.first_reward if ahead else 0)
        return int((tasks.classes * points).max())
