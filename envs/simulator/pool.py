"""PoolSimulator: many labelling episodes of `lal/Pool-v0`, advanced by compiled code."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.simulator.fits import Fits
from envs.simulator.kernels.episodes import acquire, assume_label
from envs.simulator.kernels.features.names import NEEDS_COMMITTEE, NEEDS_LEVERAGE, NEEDS_VARIANCE
from envs.simulator.outcomes import Outcomes, Steps
from envs.simulator.pool_rules import (
    METRIC_NAMES,
    allocate_episodes,
    feature_lists,
    find_rules,
)
from envs.simulator.slates import Observations, Slates
from envs.simulator.tables import build_tables
from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.rng import seed_sequence
from lal.task import Task

__all__ = ["Observations", "PoolSimulator", "Steps"]


class PoolSimulator:
    """E labelling episodes over shared task tables; the compiled twin of `envs.pool_env.PoolEnv`.

    States, features, rewards and endings are those of the environment; random draws (start, slate,
    forest) are of the same kind but from the simulator's own streams. Episode i goes the same way
    whatever the number of episodes or threads. A finished episode is reset in the same step
    (Gymnasium's SAME_STEP): the observation returned belongs to the next one.

    Args:
        tasks: Tasks with a reward part, dense finite rows and a learner that has a kernel; every
            reset draws one of them.
        n_episodes: Episodes at once, E.
        candidate_features: Ids with a kernel; None for `lal.features`' default.
        context_features: The same for the context.
        slate_size: Rows offered, K.
        slate_rule: ``"random"`` or ``"half_uncertain"``.
        reward: Name of `lal.tasks.rewards.REWARDS`.
        ending: Name of `lal.tasks.termination.ENDINGS`.
        batch_size: Labels between refits, B.
        label_noise: Probability that a bought label is replaced by a uniformly drawn class.
        seed: Names every stream.
        threads: Threads that share the episodes.

    Raises:
        UsageError: A feature, learner or rule without a kernel; the message names it.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        n_episodes: int = 64,
        *,
        candidate_features: Sequence[str] | None = None,
        context_features: Sequence[str] | None = None,
        slate_size: int = 100,
        slate_rule: str = "random",
        reward: str = "accuracy_gain",
        ending: str = "budget",
        batch_size: int = 1,
        label_noise: float = 0.0,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        self._rule = find_rules(slate_rule, reward, ending, batch_size, slate_size)
        self.tasks = tuple(tasks)
        self.n_episodes, self.slate_size, self.batch_size = n_episodes, slate_size, batch_size
        self.label_noise, self.seed, self.threads = label_noise, seed, threads
        chosen = feature_lists(candidate_features, context_features)
        self.candidate_features, self.context_features = chosen
        self._tables = build_tables(self.tasks)
        self._allocate()
        self._executor = ThreadPoolExecutor(threads) if threads > 1 else None
        self._runs = np.zeros(n_episodes, dtype=np.int64)
        self._started = False

    # -- public ------------------------------------------------------------------------------

    def reset(
        self, *, tasks: Ints | None = None, starts: Sequence[Sequence[int]] | None = None
    ) -> Observations:
        """Start all episodes anew.

        Args:
            tasks: Position of every episode's task, shape (E,); drawn when None.
            starts: Pool rows that every episode buys first; drawn as the tasks say when None.
        """
        everyone = np.arange(self.n_episodes)
        self._begin(everyone, tasks, starts)
        self._started = True
        self._offer(everyone)
        return self.observations

    def step(self, actions: NDArray[Any]) -> tuple[Observations, Steps]:
        """Choose one offered slot in every episode.

        Args:
            actions: Slots, shape (E,); a closed one is replaced by a uniformly drawn open one.
        """
        self._check_started()
        slots = np.array(actions, dtype=np.int64)
        if slots.shape != (self.n_episodes,) or (slots < 0).any():
            raise UsageError(
                f"actions must be {self.n_episodes} slots from 0 to {self.slate_size - 1}, "
                f"got shape {slots.shape}"
            )
        if (slots >= self.slate_size).any():
            raise UsageError(f"action {slots.max()} is not in 0 to {self.slate_size - 1}")
        return self._advance(*self._slates.choose(slots))

    def step_rows(self, rows: Ints) -> tuple[Observations, Steps]:
        """Buy one open pool row in every episode, offered or not, shape (E,)."""
        self._check_started()
        rows = np.asarray(rows, dtype=np.int64)
        self._check_open(rows[:, None])
        self._slates.close(rows)
        return self._advance(rows, np.zeros(self.n_episodes, dtype=np.bool_))

    def relabel(self, rows: Ints) -> Floats:
        """Buy one open row in every episode and refit: no slate, features, reward or ending.

        For programs that need models alone; `reset` before the next `step`.

        Returns:
            Metrics on the reward parts, shape (E, 3).
        """
        everyone = np.arange(self.n_episodes)
        assume_label(
            self._tables.tables, self._episodes, everyone, np.asarray(rows, dtype=np.int64)
        )
        self._fits.refit(everyone)
        self._started = False
        return self.metrics

    def lookahead_gains(
        self, candidates: Ints | None = None, *, metric: str = "accuracy", repeats: int = 1
    ) -> Floats:
        """Return what the true label of each candidate would gain on the reward part.

        This is for teachers: it uses labels that no policy may see. Nothing is changed.

        Args:
            candidates: Open pool rows, shape (E, k), -1 for none; the slates when None.
            metric: ``"accuracy"``, ``"balanced_accuracy"`` or ``"log_likelihood"``.
            repeats: Forests averaged per candidate.

        Returns:
            Metric after the label minus metric now, shape (E, k); NaN for none.
        """
        if metric not in METRIC_NAMES:
            raise UsageError(f"unknown metric {metric!r}; expected {', '.join(METRIC_NAMES)}")
        column = METRIC_NAMES.index(metric)
        after = self.lookahead_metrics(candidates, repeats=repeats)[:, :, column]
        gains: Floats = after - self.metrics[:, column, None]
        return gains

    def lookahead_metrics(self, candidates: Ints | None = None, *, repeats: int = 1) -> Floats:
        """Return all metrics after the true label of each candidate, shape (E, k, 3)."""
        self._check_started()
        if candidates is None:
            rows = self.slates
        else:
            rows = np.ascontiguousarray(candidates, dtype=np.int64)
            self._check_open(rows)
        return self._fits.look_ahead(rows, self._share, repeats=repeats)

    @property
    def slates(self) -> Ints:
        """Pool rows offered, shape (E, K), -1 for a closed slot; a view."""
        return self._slates.rows

    @property
    def observations(self) -> Observations:
        """What is seen of the slates; overwritten by every step."""
        return self._slates.observations

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
        """Labels bought in every episode, shape (E,); a view."""
        values: Ints = self._episodes.n_labelled
        return values

    @property
    def task_numbers(self) -> Ints:
        """Which task every episode plays, shape (E,); a view."""
        values: Ints = self._episodes.task
        return values

    def labelled_rows(self, episode: int) -> Ints:
        """Return the pool rows that an episode bought, in order, shape (L,)."""
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
        s, task = self._tables.tables.tasks[number], self.tasks[number]
        table = self._episodes.proba[episode, : s.classes * s.points].reshape(s.classes, -1)
        reward = np.empty((s.n_reward, s.classes), np.float32)
        order = np.argsort(task.reward_part().y, kind="stable")
        reward[order] = table[:, s.first_reward : s.first_reward + s.n_reward].T
        single = np.concatenate([table[:, : s.pool].T, reward])
        rows: Floats = single.astype("U").astype(np.float64)
        return rows

    # -- inside ------------------------------------------------------------------------------

    def _allocate(self) -> None:
        a, E = self._tables, self.n_episodes
        features = (self.candidate_features, self.context_features)
        self._episodes = allocate_episodes(
            a,
            E,
            leverage=any(f in NEEDS_LEVERAGE for f in features[0]),
            committee=any(f in NEEDS_COMMITTEE for f in features[0]),
            variance=any(f in NEEDS_VARIANCE for f in features[0]),
        )
        self._fits = Fits(a, self._episodes, E)
        self._slates = Slates(
            a,
            self._episodes,
            (E, self.slate_size),
            features=features,
            uncertain_share=self._rule.uncertain_share,
        )
        self._outcomes = Outcomes(
            a,
            self._episodes,
            tasks=self.tasks,
            rules=self._rule,
            batch_size=self.batch_size,
            seed=self.seed,
        )

    def _share(self, ids: Ints, work: Callable[[Ints, int], None]) -> None:
        """Run `work(part, worker)` on the parts of some episodes, in threads when asked."""
        if self._executor is None or len(ids) < 2 * self.threads:
            work(ids, 0)
            return
        parts = np.array_split(ids, self.threads)
        list(self._executor.map(work, parts, range(len(parts))))

    def _begin(
        self, ids: Ints, tasks: Ints | None = None, starts: Sequence[Sequence[int]] | None = None
    ) -> None:
        for e in ids:
            words = seed_sequence(self.seed, "episode", int(e), int(self._runs[e]))
            drawn = words.generate_state(5, np.uint64)
            self._episodes.rng_state[e, :, 0] = drawn[:4]
            self._episodes.task[e] = int(drawn[4] % np.uint64(len(self.tasks)))
            self._slates.seed(e, words.spawn(1)[0])
        self._runs[ids] += 1
        if tasks is not None:
            self._episodes.task[ids] = np.asarray(tasks, dtype=np.int64)[ids]
        fixed = self._start_rows(ids, starts)

        def work(part: Ints, worker: int) -> None:
            where = np.searchsorted(ids, part)
            t = self._tables.tables
            acquire(t, self._episodes, part, fixed[where], self.label_noise, True)
            self._fits.start(part)

        self._share(ids, work)
        self._outcomes.start(ids)

    def _start_rows(self, ids: Ints, starts: Sequence[Sequence[int]] | None) -> Ints:
        if starts is None:
            return np.full((len(ids), 0), -1, dtype=np.int64)
        rows = np.full((len(ids), max(len(s) for s in starts)), -1, dtype=np.int64)
        for i, e in enumerate(ids):
            rows[i, : len(starts[e])] = starts[e]
            s = self._tables.tables.tasks[self._episodes.task[e]]
            bad = len(set(starts[e])) < len(starts[e]) or not all(
                0 <= r < s.pool for r in starts[e]
            )
            if bad or len(starts[e]) + s.budget >= s.most + 1:
                raise UsageError(
                    f"the start of episode {e} must be at most {s.most - s.budget} different "
                    f"pool rows below {s.pool}, got {list(starts[e])}"
                )
        return rows

    def _offer(self, ids: Ints) -> None:
        self._share(ids, lambda part, worker: self._slates.offer(part))
        self._slates.mark()

    def _advance(self, rows: Ints, invalid: NDArray[np.bool_]) -> tuple[Observations, Steps]:
        due = self._outcomes.collect(rows)
        before = self.metrics.copy()
        rival = self._rival(due) if self._rule.needs_rival and len(due) else before

        def work(part: Ints, worker: int) -> None:
            pending = self._outcomes.pending[part]
            acquire(self._tables.tables, self._episodes, part, pending, self.label_noise, False)
            self._fits.refit(part)

        self._share(due, work)
        after = self.metrics.copy()
        rewards, terminated, truncated = self._outcomes.judge(due, before, after, rival)
        steps = Steps(rewards, terminated, truncated, after, invalid, rows)
        over = np.flatnonzero(steps.done)
        if len(over):
            self._begin(over)
        if len(due) < self.n_episodes:  # new slates hide their closed slots themselves
            self._slates.hide_closed()
        if len(due):
            self._offer(due)
        else:
            self._slates.mark()
        return self.observations, steps

    def _rival(self, due: Ints) -> Floats:
        """Return the metrics after margin's pick from the slates offered, shape (E, 3)."""
        picks = np.full((self.n_episodes, 1), -1, dtype=np.int64)
        for e in due:
            extra = int(self._outcomes.pending[e, 0])
            picks[e, 0] = self._slates.narrowest(int(e), extra, self.proba(int(e)))
        metrics: Floats = np.nan_to_num(self.lookahead_metrics(picks)[:, 0])
        return metrics

    def _check_started(self) -> None:
        if not self._started:
            raise UsageError("no episodes yet; call reset first")

    def _check_open(self, rows: Ints) -> None:
        if rows.ndim != 2 or len(rows) != self.n_episodes:
            raise UsageError(
                f"rows must name pool rows of {self.n_episodes} episodes, got shape {rows.shape}"
            )
        eps = self._episodes
        pool = self._tables.tables.tasks.pool[eps.task]
        safe = np.clip(rows, 0, None)
        outside = safe >= pool[:, None]
        place = np.take_along_axis(eps.place, np.where(outside, 0, safe), axis=1)
        taken = (rows >= 0) & (outside | (place >= eps.n_open[:, None]))
        if taken.any():
            e, k = np.argwhere(taken)[0]
            raise UsageError(f"row {rows[e, k]} of episode {e} is not open; expected an open row")
