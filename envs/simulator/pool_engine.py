"""PoolSimulator: many labelling episodes of `lal/Pool-v0`, advanced by compiled code."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.endings import TARGET_SHARE
from envs.simulator.kernels.episodes import (
    begin,
    buy,
    draw_slates,
    forget,
    pretend,
)
from envs.simulator.kernels.features import (
    CANDIDATE_KERNELS,
    CONTEXT_KERNELS,
    NEEDS_COMMITTEE,
    NEEDS_LEVERAGE,
    observe,
)
from envs.simulator.kernels.learners import (
    BUDGET,
    CLASSES,
    KIND,
    MOST,
    POINTS,
    POOL,
    UPDATES,
    Updates,
    copy_fits,
)
from envs.simulator.pool_rules import (
    METRIC_NAMES,
    Purchases,
    allocate_episodes,
    feature_lists,
    find_rules,
    value_limits,
)
from envs.simulator.tables import build_tables
from lal.arrays import Bools, Floats, Ints
from lal.errors import UsageError
from lal.loop import accuracy
from lal.rng import integer_seed, seed_sequence
from lal.task import Task


@dataclass(frozen=True, eq=False)
class Observations:
    """Buffers that every step overwrites; copy what must last.

    Attributes:
        candidates: Features of the offered rows, shape (E, K, F) float32, closed slots zero.
        context: Shape (E, G) float32.
        mask: Which slots may be chosen, shape (E, K) int8.
    """

    candidates: NDArray[np.float32]
    context: NDArray[np.float32]
    mask: NDArray[np.int8]


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
        reward: Name of `envs.rewards.REWARDS`.
        ending: Name of `envs.endings.ENDINGS`.
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
        self._targets: dict[int, float] = {}
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
        slots = np.asarray(actions, dtype=np.int64)
        if slots.shape != (self.n_episodes,) or (slots < 0).any():
            raise UsageError(
                f"actions must be {self.n_episodes} slots from 0 to {self.slate_size - 1}, "
                f"got shape {slots.shape}"
            )
        if (slots >= self.slate_size).any():
            raise UsageError(f"action {slots.max()} is not in 0 to {self.slate_size - 1}")
        everyone = np.arange(self.n_episodes)
        invalid = self.slates[everyone, slots] < 0
        for e in np.flatnonzero(invalid):
            legal = np.flatnonzero(self.slates[e] >= 0)
            slots[e] = legal[int(self._legal[e].integers(len(legal)))]
        rows = self.slates[everyone, slots].copy()
        self.slates[everyone, slots] = -1
        return self._advance(rows, invalid)

    def step_rows(self, rows: Ints) -> tuple[Observations, Steps]:
        """Buy one open pool row in every episode, offered or not, shape (E,)."""
        self._check_started()
        rows = np.asarray(rows, dtype=np.int64)
        self._check_open(rows[:, None])
        self.slates[self.slates == rows[:, None]] = -1
        return self._advance(rows, np.zeros(self.n_episodes, dtype=np.bool_))

    def relabel(self, rows: Ints) -> Floats:
        """Buy one open row in every episode and refit: no slate, features, reward or ending.

        For programs that need models alone; `reset` before the next `step`.

        Returns:
            Metrics on the reward parts, shape (E, 3).
        """
        everyone = np.arange(self.n_episodes)
        pretend(self._tables.tables, self._episodes, everyone, np.asarray(rows, dtype=np.int64))
        self._refit(everyone)
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
        metrics = np.empty((*rows.shape, len(METRIC_NAMES)))

        def work(part: Ints, worker: int) -> None:
            t, eps = self._tables.tables, self._episodes
            for m in range(rows.shape[1]):
                now = part[rows[part, m] >= 0]
                if len(now) == 0:
                    continue
                copy_fits(self._floats, self._ints, self._held, now, now + self.n_episodes)
                pretend(t, eps, now, rows[now, m])
                try:
                    found = self._update(now, now + self.n_episodes, ahead=True, repeats=repeats)
                finally:
                    forget(eps, now)
                metrics[now, m] = found

        metrics.fill(np.nan)
        self._share(np.arange(self.n_episodes), work)
        return metrics

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
        """Return the model's probabilities of pool, then reward rows, shape (n, C)."""
        task = self.tasks[self._episodes.task[episode]]
        n, C = len(task.pool) + len(task.reward_part()), task.n_classes
        table = self._episodes.proba[episode, : C * n].reshape(C, n)
        rows: Floats = table.T.copy()
        return rows

    # -- inside ------------------------------------------------------------------------------

    def _allocate(self) -> None:
        a, E, K = self._tables, self.n_episodes, self.slate_size
        leverage = any(f in NEEDS_LEVERAGE for f in self.candidate_features)
        committee = any(f in NEEDS_COMMITTEE for f in self.candidate_features)
        self._episodes = allocate_episodes(a, E, leverage=leverage, committee=committee)
        # The second half of the slots belongs to looking ahead.
        self._floats = np.zeros((2 * E, a.floats))
        self._ints = np.zeros((2 * E, a.ints), dtype=np.int64)
        self._held = np.full(2 * E, -1, dtype=np.int64)
        self.slates: Ints = np.full((E, K), -1, dtype=np.int64)
        self._pending: Ints = np.full((E, self.batch_size), -1, dtype=np.int64)
        self._n_pending: Ints = np.zeros(E, dtype=np.int64)
        self._reached: Bools = np.zeros(E, dtype=np.bool_)
        self._target: Floats = np.full(E, np.inf)
        self._features, self._limits = value_limits(self.candidate_features, CANDIDATE_KERNELS)
        self._contexts, self._context_limits = value_limits(self.context_features, CONTEXT_KERNELS)
        self.observations = Observations(
            np.zeros((E, K, len(self._features)), dtype=np.float32),
            np.zeros((E, len(self._contexts)), dtype=np.float32),
            np.zeros((E, K), dtype=np.int8),
        )
        self._legal = [np.random.default_rng(0)] * E

    def _share(self, ids: Ints, work: Callable[[Ints, int], None]) -> None:
        """Run `work(part, worker)` on the parts of some episodes, in threads when asked."""
        if self._executor is None or len(ids) < 2 * self.threads:
            work(ids, 0)
            return
        parts = np.array_split(ids, self.threads)
        list(self._executor.map(work, parts, range(len(parts))))

    def _refit(self, ids: Ints) -> None:
        """Refit, predict all points and measure."""
        self._episodes.metrics[ids] = self._update(ids, ids, ahead=False, repeats=1)

    def _update(self, ids: Ints, slots: Ints, *, ahead: bool, repeats: int) -> Floats:
        """Bring the fits in `slots` up to date, one call a learner; return metrics (n, 3).

        Looking ahead predicts the reward parts alone, into tables of its own.
        """
        t, eps = self._tables.tables, self._episodes
        kinds = t.sizes[eps.task[ids], KIND]
        metrics = np.empty((len(ids), len(METRIC_NAMES)))
        for kind in np.unique(kinds):
            chosen = np.flatnonzero(kinds == kind)
            some, found = ids[chosen], np.empty((len(chosen), len(METRIC_NAMES)))
            whole = not ahead and len(some) == self.n_episodes
            proba = eps.proba if whole else np.empty((len(some), self._room(some, ahead)))
            entropy = np.empty((len(some), 0 if ahead else eps.entropy.shape[1]))
            UPDATES[int(kind)](
                Updates(
                    t.sizes, t.params, t.x, t.x4, t.y, eps.task, eps.n_labelled, eps.rows,
                    eps.labels, eps.count, eps.words, repeats, self._held, int(ahead), some,
                    self._floats, self._ints, slots[chosen], proba, entropy, found,
                )
            )  # fmt: skip
            if not ahead and not whole:
                eps.proba[some, : proba.shape[1]] = proba
            if not ahead:
                eps.entropy[some] = entropy
            metrics[chosen] = found
        return metrics

    def _room(self, ids: Ints, ahead: bool) -> int:
        """Return the largest probability table of some episodes."""
        sizes = self._tables.tables.sizes[self._episodes.task[ids]]
        points = sizes[:, POINTS] - (sizes[:, POOL] if ahead else 0)
        return int(((sizes[:, CLASSES] + 1) * points).max())

    def _begin(
        self, ids: Ints, tasks: Ints | None = None, starts: Sequence[Sequence[int]] | None = None
    ) -> None:
        for e in ids:
            words = seed_sequence(self.seed, "episode", int(e), int(self._runs[e]))
            drawn = words.generate_state(5, np.uint64)
            self._episodes.words[e, :, 0] = drawn[:4]
            self._episodes.task[e] = int(drawn[4] % np.uint64(len(self.tasks)))
            self._legal[e] = np.random.default_rng(words.spawn(1)[0])
        self._runs[ids] += 1
        if tasks is not None:
            self._episodes.task[ids] = np.asarray(tasks, dtype=np.int64)[ids]
        fixed = self._start_rows(ids, starts)

        def work(part: Ints, worker: int) -> None:
            where = np.searchsorted(ids, part)
            t = self._tables.tables
            begin(t, self._episodes, part, fixed[where], self.label_noise)
            self._held[part] = -1
            self._refit(part)

        self._share(ids, work)
        self._n_pending[ids], self._pending[ids] = 0, -1
        self._reached[ids] = False
        if self._rule.needs_target:
            self._target[ids] = [self._target_of(int(self._episodes.task[e])) for e in ids]

    def _start_rows(self, ids: Ints, starts: Sequence[Sequence[int]] | None) -> Ints:
        if starts is None:
            return np.full((len(ids), 0), -1, dtype=np.int64)
        rows = np.full((len(ids), max(len(s) for s in starts)), -1, dtype=np.int64)
        for i, e in enumerate(ids):
            rows[i, : len(starts[e])] = starts[e]
            s = self._tables.tables.sizes[self._episodes.task[e]]
            bad = len(set(starts[e])) < len(starts[e]) or not all(
                0 <= r < s[POOL] for r in starts[e]
            )
            if bad or len(starts[e]) + s[BUDGET] >= s[MOST] + 1:
                raise UsageError(
                    f"the start of episode {e} must be at most {s[MOST] - s[BUDGET]} different "
                    f"pool rows below {s[POOL]}, got {list(starts[e])}"
                )
        return rows

    def _target_of(self, number: int) -> float:
        """Return the target quality of a task (once), as the environment defines it."""
        if number not in self._targets:
            task = self.tasks[number]
            part = task.reward_part()
            model = task.learner.fit(
                task.pool.X,
                task.pool.y,
                n_classes=task.n_classes,
                seed=integer_seed(self.seed, "target", number),
            )
            quality = accuracy(part.y, model.predict_proba(part.X))
            self._targets[number] = TARGET_SHARE * quality
        return self._targets[number]

    def _offer(self, ids: Ints) -> None:
        def work(part: Ints, worker: int) -> None:
            t, eps = self._tables.tables, self._episodes
            draw_slates(t, eps, part, self._rule.uncertain_share, self.slates)
            observe(
                t, eps, part, self.slates, self._features, self._contexts, self._limits,
                self._context_limits, self.observations.candidates, self.observations.context,
            )  # fmt: skip

        self._share(ids, work)
        np.greater_equal(self.slates, 0, out=self.observations.mask, casting="unsafe")

    def _advance(self, rows: Ints, invalid: Bools) -> tuple[Observations, Steps]:
        eps, E = self._episodes, self.n_episodes
        everyone = np.arange(E)
        self._pending[everyone, self._n_pending] = rows
        self._n_pending += 1
        due = np.flatnonzero(self._n_pending >= np.minimum(self.batch_size, self._labels_left()))
        before = self.metrics.copy()

        rival = self._rival(due) if self._rule.needs_rival and len(due) else before

        def work(part: Ints, worker: int) -> None:
            buy(self._tables.tables, eps, part, self._pending[part], self.label_noise)
            self._refit(part)

        self._share(due, work)
        after = self.metrics.copy()
        bought = np.where(np.isin(everyone, due), self._n_pending, 0)
        reached_before = self._reached.copy()
        self._reached[due] |= after[due, 0] >= self._target[due]
        rewards = self._rule.reward(
            Purchases(before, after, bought, self._budgets(), reached_before, rival)
        )
        rewards[bought == 0] = 0.0
        terminated, truncated = self._flags(bought > 0)
        self._pending[due], self._n_pending[due] = -1, 0
        steps = Steps(rewards, terminated, truncated, after, invalid, rows)
        over = np.flatnonzero(steps.done)
        if len(over):
            self._begin(over)
        waiting = np.setdiff1d(everyone, due, assume_unique=True)
        self.observations.candidates[self.slates < 0] = 0.0
        if len(due):
            self._offer(due)
        if len(waiting):
            np.greater_equal(self.slates, 0, out=self.observations.mask, casting="unsafe")
        return self.observations, steps

    def _budgets(self) -> Ints:
        sizes = self._tables.tables.sizes[self._episodes.task]
        start = self._episodes.n_start
        budgets: Ints = np.minimum(start + sizes[:, BUDGET], sizes[:, POOL]) - start
        return budgets

    def _labels_left(self) -> Ints:
        eps = self._episodes
        limit = eps.n_start + self._budgets()
        if not self._rule.at_budget:
            limit = self._tables.tables.sizes[eps.task][:, POOL]
        left: Ints = limit - eps.n_labelled
        return left

    def _flags(self, looked: Bools) -> tuple[Bools, Bools]:
        """Return (terminated, truncated); endings are looked at after purchases only."""
        eps, rule = self._episodes, self._rule
        spent = eps.n_labelled >= eps.n_start + self._budgets()
        terminated = (rule.at_target & self._reached) | (eps.n_open == 0)
        cut = rule.at_budget & spent & ~terminated
        if not rule.at_target:
            return looked & (terminated | cut), np.zeros_like(cut)
        return looked & terminated, looked & cut

    def _rival(self, due: Ints) -> Floats:
        """Return the metrics after margin's pick from the slates offered, shape (E, 3)."""
        picks = np.full((self.n_episodes, 1), -1, dtype=np.int64)
        for e in due:
            rows = self.slates[e][self.slates[e] >= 0]
            rows = np.append(rows, self._pending[e, 0])
            two = np.sort(self.proba(int(e))[rows], axis=1)[:, -2:]
            picks[e, 0] = rows[np.argmin(two[:, 1] - two[:, 0])]
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
        pool = self._tables.tables.sizes[eps.task][:, POOL]
        safe = np.clip(rows, 0, None)
        outside = safe >= pool[:, None]
        place = np.take_along_axis(eps.place, np.where(outside, 0, safe), axis=1)
        taken = (rows >= 0) & (outside | (place >= eps.n_open[:, None]))
        if taken.any():
            e, k = np.argwhere(taken)[0]
            raise UsageError(f"row {rows[e, k]} of episode {e} is not open; expected an open row")
