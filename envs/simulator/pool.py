"""PoolSimulator: many labelling episodes of `lal/Pool-v0`, advanced by compiled code."""

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.simulator.arguments import (
    checked_actions,
    checked_count,
    checked_mask,
    checked_rows,
    checked_slate_size,
    checked_tasks,
)
from envs.simulator.fits import Fits
from envs.simulator.generations import FixedTasks, oldest_and_newest, task_supply
from envs.simulator.kernels.episodes import acquire, assume_label
from envs.simulator.kernels.features.names import NEEDS_COMMITTEE, NEEDS_LEVERAGE, NEEDS_VARIANCE
from envs.simulator.outcomes import Outcomes, Steps
from envs.simulator.pool_rules import (
    EPISODES_PER_TASK,
    allocate_episodes,
    check_open,
    feature_lists,
    find_rules,
    grow,
    start_rows,
)
from envs.simulator.slates import Observations, Slates
from envs.simulator.tables import build_tables
from envs.simulator.views import PoolViews
from lal.arrays import Bools, Floats, Ints
from lal.errors import UsageError
from lal.rng import seed_sequence
from lal.task import Task
from lal.tasks.sources import TaskSource

__all__ = ["Observations", "PoolSimulator", "Steps"]


class PoolSimulator(PoolViews):
    """E labelling episodes over shared task tables; `envs.pool_env.PoolEnv` in compiled code.

    States, features, rewards and terminations are those of the environment; random draws (start,
    slate, forest) are of the same kind but from the simulator's own streams. What environment i
    sees in its k-th episode depends on the seed, i, k and its own actions, not on the number of
    episodes or threads (with a source of tasks: for equal `n_tasks` and `refresh`). A finished
    episode is reset in the same step (Gymnasium's SAME_STEP): the observations returned belong to
    the next one, `final_observations` to the one that ended.

    Args:
        tasks: Tasks with a reward part, dense finite rows and a learner that has a kernel, of
            which every episode draws one; or a callable from a generator to a task, of which
            `n_tasks` are drawn at a time.
        n_episodes: Episodes at once, E.
        candidate_features: Ids with a kernel; None for `lal.features`' default.
        context_features: The same for the context.
        slate_size: Rows offered, K.
        slate_rule: ``"random"`` or ``"half_uncertain"``.
        reward: Name of `lal.tasks.rewards.REWARDS`.
        termination: Name of `lal.tasks.termination.TERMINATIONS`.
        batch_size: Labels between refits, B.
        label_noise: Probability that an acquired label is replaced by a uniformly drawn class.
        max_episode_steps: Truncate after so many steps; None never does.
        group_size: Environments that share their random numbers, M: environments 0 to M - 1 run
            the same tasks from the same starts with the same slate, learner and noise streams, so
            that their k-th episodes differ by their actions alone; so do the next M.
        n_tasks: Tasks drawn from a source at a time.
        refresh: Episodes of an environment after which it takes the next `n_tasks`; None: so many
            that a task is run by 16 episodes.
        task_seed: Names the draws from a source.
        seed: Names every other stream.
        threads: Threads that share the episodes.

    Raises:
        UsageError: A feature, learner or rule without a kernel; the message names it.
    """

    def __init__(
        self,
        tasks: Sequence[Task] | TaskSource,
        n_episodes: int = 64,
        *,
        candidate_features: Sequence[str] | None = None,
        context_features: Sequence[str] | None = None,
        slate_size: int = 100,
        slate_rule: str = "random",
        reward: str = "accuracy_gain",
        termination: str = "budget",
        batch_size: int = 1,
        label_noise: float = 0.0,
        max_episode_steps: int | None = None,
        group_size: int = 1,
        n_tasks: int = 128,
        refresh: int | None = None,
        task_seed: int = 0,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        self.n_episodes = checked_count("n_episodes", n_episodes)
        self.slate_size = checked_slate_size(slate_size)
        self.batch_size = checked_count("batch_size", batch_size)
        self.group_size = checked_count("group_size", group_size)
        self.threads = checked_count("threads", threads)
        if self.n_episodes % self.group_size:
            raise UsageError(
                f"groups of {group_size} do not divide {n_episodes} episodes; change either"
            )
        if not 0.0 <= label_noise <= 1.0:
            raise UsageError(f"label_noise must lie between 0 and 1, got {label_noise}")
        self.label_noise, self.seed = float(label_noise), int(seed)
        self._rule = find_rules(slate_rule, reward, termination, batch_size, slate_size)
        chosen = feature_lists(candidate_features, context_features)
        self.candidate_features, self.context_features = chosen
        build = partial(build_tables, whole_pool=not self._rule.at_budget)
        often = max(1, EPISODES_PER_TASK * checked_count("n_tasks", n_tasks) // self.n_episodes)
        self._tasks: FixedTasks = task_supply(
            tasks,
            n_tasks=int(n_tasks),
            refresh=often if refresh is None else checked_count("refresh", refresh),
            seed=task_seed,
            build=build,
        )
        if max_episode_steps is not None:
            max_episode_steps = checked_count("max_episode_steps", max_episode_steps)
        self._allocate(max_episode_steps)
        self._executor = ThreadPoolExecutor(threads) if threads > 1 else None
        self._runs = np.zeros(self.n_episodes, dtype=np.int64)
        self._began, self._ready = False, False

    def __getstate__(self) -> dict[str, Any]:
        """Return everything but the threads, which a copy starts for itself."""
        return {**self.__dict__, "_executor": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up a state and start the threads."""
        self.__dict__.update(state)
        self._executor = ThreadPoolExecutor(self.threads) if self.threads > 1 else None

    def __copy__(self) -> "PoolSimulator":
        """Return an independent copy, as `copy.deepcopy` does."""
        return copy.deepcopy(self)

    # -- public ------------------------------------------------------------------------------

    def reset(
        self,
        *,
        seed: int | None = None,
        mask: Bools | None = None,
        tasks: Ints | None = None,
        starts: Sequence[Sequence[int] | Ints] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Observations:
        """Begin new episodes: number 0 under a new seed, else the next of each environment.

        Args:
            seed: Names every stream from here on; None goes on under the present one.
            mask: Environments that begin anew, shape (E,); all when None.
            tasks: Position in `tasks` of every episode's task, shape (E,); drawn when None.
            starts: Pool rows that every episode labels first; drawn as the tasks say when None.
            seeds: Names the streams of each of these episodes, whatever its place, shape (E,);
                the simulator's seed and the place do when None.
        """
        ids = np.arange(self.n_episodes)
        if mask is not None:
            self._check_ready()
            ids = ids[checked_mask(mask, self.n_episodes)]
        if seed is not None:
            self._reseed(seed, whole=mask is None)
        self._ready = False
        self._begin(ids, tasks, starts, seeds)
        self._began, self._ready = True, True
        self._offer(ids)
        return self.observations

    def step(self, actions: NDArray[Any]) -> tuple[Observations, Steps]:
        """Choose one offered slot in every episode.

        Args:
            actions: Slots, shape (E,); a closed one is replaced by a uniformly drawn open one.
        """
        self._check_ready()
        slots = checked_actions(actions, self.n_episodes, self.slate_size)
        return self._advance(*self._slates.choose(slots))

    def step_rows(self, rows: Ints) -> tuple[Observations, Steps]:
        """Label one open pool row in every episode, offered or not, shape (E,)."""
        self._check_ready()
        rows = checked_rows(rows, self.n_episodes, ndim=1)
        check_open(rows[:, None], self._episodes, self._tasks.tables.pool_sizes, least=0)
        self._slates.close(rows)
        return self._advance(rows, np.zeros(self.n_episodes, dtype=np.bool_))

    def relabel(self, rows: Ints) -> Floats:
        """Label one open row in every episode and refit: no slate, features, reward or termination.

        For programs that need models alone; `reset` before the next `step`.

        Returns:
            Metrics on the reward parts, shape (E, 3).
        """
        if not self._began:
            self._check_ready()
        everyone = np.arange(self.n_episodes)
        rows = checked_rows(rows, self.n_episodes, ndim=1)
        check_open(rows[:, None], self._episodes, self._tasks.tables.pool_sizes, least=0)
        if (self.n_labelled >= self._tasks.tables.label_limits[self._episodes.task]).any():
            raise UsageError(
                "an episode holds as many labels as its budget allows; call reset first"
            )
        self._ready = False
        assume_label(self._tasks.tables.tables, self._episodes, everyone, rows)
        self._fits.refit(everyone)
        return self.metrics

    def lookahead_metrics(self, candidates: Ints | None = None, *, repeats: int = 1) -> Floats:
        """Return all metrics after the true label of each candidate, shape (E, k, 3)."""
        self._check_ready()
        if candidates is None:
            rows = self.slates
        else:
            rows = checked_rows(candidates, self.n_episodes, ndim=2)
            check_open(rows, self._episodes, self._tasks.tables.pool_sizes)
        repeats = checked_count("repeats", repeats)
        return self._fits.look_ahead(rows, self._share, repeats=repeats)

    # -- inside ------------------------------------------------------------------------------

    def _allocate(self, max_episode_steps: int | None) -> None:
        a, E = self._tasks.tables, self.n_episodes
        features = (self.candidate_features, self.context_features)
        self._episodes = self._room()
        self._fits = Fits(a, self._episodes, E)
        self._slates = Slates(
            a,
            self._episodes,
            (E, self.slate_size),
            features=features,
            uncertain_share=self._rule.uncertain_share,
        )
        self._outcomes = Outcomes(
            self._tasks,
            self._episodes,
            rules=self._rule,
            batch_size=self.batch_size,
            max_episode_steps=max_episode_steps,
            seed=self.seed,
        )

    def _room(self) -> Any:
        """Return empty arrays that are wide enough for the tasks."""
        names = self.candidate_features
        return allocate_episodes(
            self._tasks.tables,
            self.n_episodes,
            leverage=any(f in NEEDS_LEVERAGE for f in names),
            committee=any(f in NEEDS_COMMITTEE for f in names),
            variance=any(f in NEEDS_VARIANCE for f in names),
        )

    def _reseed(self, seed: int, *, whole: bool) -> None:
        if not whole:
            raise UsageError("a seed names all episodes; give either a seed or a mask to reset")
        self.seed = int(seed)
        self._runs[:] = 0
        self._outcomes.restart(self.seed)

    def _hold_tasks(self, ids: Ints) -> None:
        """Make the tasks of the episodes that `ids` begin, and of all others, be in the tables."""
        before = self._tasks.dropped
        if self._tasks.prepare(*oldest_and_newest(self._runs, ids)):
            self._episodes.task[:] -= self._tasks.dropped - before
            self._episodes = grow(self._episodes, self._room())
            self._fits.use(self._tasks.tables, self._episodes)
            self._slates.use(self._tasks.tables, self._episodes)
            self._outcomes.use(self._episodes)

    def _share(self, ids: Ints, work: Callable[[Ints, int], None]) -> None:
        """Run `work(part, worker)` on the parts of some episodes, in threads when asked."""
        if self._executor is None or len(ids) < 2 * self.threads:
            work(ids, 0)
            return
        parts = np.array_split(ids, self.threads)
        list(self._executor.map(work, parts, range(len(parts))))

    def _begin(
        self,
        ids: Ints,
        tasks: Ints | None = None,
        starts: Sequence[Sequence[int] | Ints] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> None:
        self._hold_tasks(ids)
        for e in ids:
            run = int(self._runs[e])
            if seeds is None:
                words = seed_sequence(self.seed, "episode", int(e) // self.group_size, run)
            else:
                words = seed_sequence(seeds[e], "episode")
            drawn = words.generate_state(5, np.uint64)
            self._episodes.rng_state[e, :, 0] = drawn[:4]
            self._episodes.task[e] = self._tasks.position(run, drawn[4])
            self._slates.seed(e, words.spawn(1)[0])
        self._runs[ids] += 1
        if tasks is not None:
            chosen = checked_tasks(tasks, self.n_episodes, len(self.tasks))
            self._episodes.task[ids] = chosen[ids]
        fixed = start_rows(ids, starts, self._records)

        def work(part: Ints, worker: int) -> None:
            where = np.searchsorted(ids, part)
            t = self._tasks.tables.tables
            acquire(t, self._episodes, part, fixed[where], self.label_noise, True)
            self._fits.start(part)

        self._share(ids, work)
        self._outcomes.start(ids)

    def _offer(self, ids: Ints) -> None:
        if len(ids):
            self._share(ids, lambda part, worker: self._slates.offer(part))
        self._slates.mark()

    def _advance(self, rows: Ints, invalid: NDArray[np.bool_]) -> tuple[Observations, Steps]:
        due = self._outcomes.collect(rows)
        before = self.metrics.copy()
        baseline = self._baseline(due) if self._rule.needs_baseline and len(due) else before

        def work(part: Ints, worker: int) -> None:
            pending = self._outcomes.pending[part]
            t = self._tasks.tables.tables
            acquire(t, self._episodes, part, pending, self.label_noise, False)
            self._fits.refit(part)

        self._share(due, work)
        after = self.metrics.copy()
        rewards, terminated, truncated = self._outcomes.settle(due, before, after, baseline)
        steps = Steps(
            rewards=rewards,
            terminated=terminated,
            truncated=truncated,
            metrics=after,
            invalid=invalid,
            queried=rows,
            n_labelled=self.n_labelled + self._outcomes.n_pending,
            target_reached=self.target_reached.copy(),
            task_names=self.task_names,
            lengths=self.lengths.copy(),
        )
        if len(due) < self.n_episodes:  # new slates hide their closed slots themselves
            self._slates.hide_closed()
        self._go_on(due, np.flatnonzero(steps.done))
        return self.observations, steps

    def _go_on(self, due: Ints, over: Ints) -> None:
        """Offer new slates after a refit; begin the next episode of those that are over."""
        if len(over):
            self._offer(over[np.isin(over, due)])
            self._slates.keep(over)
            self._begin(over)
            self._tasks.look_forward(int(self._runs.max()) - 1)
            due = np.union1d(due, over)
        self._offer(due)

    def _baseline(self, due: Ints) -> Floats:
        """Return the metrics after margin's pick from the slates offered, shape (E, 3)."""
        picks = np.full((self.n_episodes, 1), -1, dtype=np.int64)
        for e in due:
            extra = int(self._outcomes.pending[e, 0])
            picks[e, 0] = self._slates.narrowest(int(e), extra, self.proba(int(e)))
        metrics: Floats = np.nan_to_num(self.lookahead_metrics(picks)[:, 0])
        return metrics
