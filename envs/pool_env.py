"""PoolEnv: active learning over any learner as a Gymnasium environment."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.copies import IndependentCopies
from envs.observations import Observation, Observer
from envs.rendering import draw_pool
from envs.simulator.arguments import (
    checked_action,
    checked_count,
    checked_flag,
    checked_slate_size,
)
from envs.vector import checked_seed
from lal.arrays import Bools, Ints
from lal.episode import Episode, measure_model
from lal.errors import UsageError
from lal.features import default_features
from lal.metrics import Metric, task_metrics
from lal.registry import Registry
from lal.rng import generator
from lal.state import QueryState, Strategy
from lal.strategies.base import make_strategy, select_top
from lal.task import Task
from lal.task_kind import CLASSIFICATION, TaskKind, check_served
from lal.tasks.rewards import REWARDS, Acquisition, Reward
from lal.tasks.slates import SLATES
from lal.tasks.sources import TaskSource, as_source
from lal.tasks.termination import TARGET_SHARE, TERMINATIONS


class PoolEnv(IndependentCopies, gymnasium.Env[Observation, np.int64]):
    """One labelling episode: an action names the slot of the offered row whose label is acquired.

    The environment shares its engine with `lal.episode`: on a fixed task, ``reset(seed=s)`` gives
    the start labels, learner seeds and states of ``run_episode(..., seed=s)``. It is only ever
    given ``task.blind()``, so test rows cannot be reached from it.

    Observation: ``candidates`` (K, F), ``context`` (G,) and ``mask`` (K,); a slot that cannot be
    chosen has mask 0, zeros for features and -1 in ``info["pool_indices"]``. A masked action is
    replaced by a uniformly drawn legal one and ``info["invalid_action"]`` says so.

    Args:
        tasks: A task, several (one is drawn at every reset), or a callable from a generator to a
            task, for example `lal.tasks.sampler.TaskSampler`; None for
            `lal.tasks.sampler.default_tasks`.
        candidate_features: Ids of the F candidate features; None for `lal.features`' default.
        context_features: Ids of the G context features; None for `lal.features`' default.
        slate_size: Rows offered at once, K.
        slate_rule: Name of `lal.tasks.slates.SLATES`.
        reward: Name of `lal.tasks.rewards.REWARDS`.
        termination: Name of `lal.tasks.termination.TERMINATIONS`.
        batch_size: Steps whose labels come together, B: within a batch the slate stays, reward is
            0, and labels, refit and reward come after its last step.
        label_noise: Probability that an acquired label is replaced by a uniformly drawn class.
        strict: Raise on a masked action instead of replacing it.
        render_mode: ``"rgb_array"`` or None.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012 (Gymnasium's form)

    kind: ClassVar[TaskKind] = CLASSIFICATION
    rewards: ClassVar[Registry[Reward]] = REWARDS

    def __init__(
        self,
        tasks: TaskSource | Task | Sequence[Task] | None = None,
        *,
        candidate_features: Sequence[str] | None = None,
        context_features: Sequence[str] | None = None,
        slate_size: int = 100,
        slate_rule: str = "random",
        reward: str = "accuracy_gain",
        termination: str = "budget",
        batch_size: int = 1,
        label_noise: float = 0.0,
        strict: bool = False,
        render_mode: str | None = None,
    ) -> None:
        slate_size = checked_slate_size(slate_size)
        batch_size = checked_count("batch_size", batch_size)
        self._slate_rule = SLATES[slate_rule]
        self._reward, self._termination = self.rewards[reward], TERMINATIONS[termination]
        if self._reward.needs_whole_budget and self._termination.at_target:
            raise UsageError(
                f"reward {reward!r} means what it says only when the whole budget is spent; "
                f"got termination {termination!r}, expected 'budget'"
            )
        self._source = self._default_source() if tasks is None else as_source(tasks)
        candidates, contexts = default_features(self.kind)
        self._observer = Observer(
            candidates if candidate_features is None else candidate_features,
            contexts if context_features is None else context_features,
            slate_size,
        )
        _check_options(slate_size, batch_size, label_noise, render_mode)
        self.observation_space: gymnasium.spaces.Dict = self._observer.space  # type: ignore[assignment]
        self.action_space = gymnasium.spaces.Discrete(slate_size)
        self.batch_size = batch_size
        self.label_noise = label_noise
        self.strict = checked_flag("strict", strict)
        self.render_mode = render_mode
        self._episode: Episode | None = None
        self._over = True

    def __deepcopy__(self, memo: dict[int, Any]) -> "PoolEnv":
        """Return a copy at the same point of the same episode.

        The hidden labels are not copied along with what a strategy may hold (an `Oracle` refuses);
        the episode is forked.
        """
        twin: PoolEnv = object.__new__(type(self))
        memo[id(self)] = twin
        if self._episode is not None:
            memo[id(self._episode)] = self._episode.fork()
        twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return twin

    @property
    def candidate_features(self) -> tuple[str, ...]:
        """Ids of the candidate features, in the order of the columns."""
        return self._observer.candidate_features

    @property
    def context_features(self) -> tuple[str, ...]:
        """Ids of the context features, in the order of the values."""
        return self._observer.context_features

    @property
    def task(self) -> Task:
        """The task being run, without test part."""
        return self._running().task

    @property
    def state(self) -> QueryState:
        """What a strategy may look at; within a batch, the state before its first step."""
        self._running()
        return self._state

    @property
    def tasks(self) -> TaskSource:
        """What hands this environment its tasks."""
        return self._source

    @property
    def target(self) -> float | None:
        """Accuracy on the reward part that ends the search; None when nothing asks for it."""
        return self._target

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; `options` are not used.

        Args:
            seed: Names the task draw and every stream of the episode; None draws the next seed
                from this environment's own generator.
            options: Accepted for Gymnasium's sake.
        """
        seed = checked_seed(seed)
        super().reset(seed=seed)
        episode_seed = int(self.np_random.integers(2**31)) if seed is None else int(seed)
        task = self._source(generator(episode_seed, "task")).blind()
        _check_kind(task, self.kind)
        self._reward_part = task.reward_part()
        self._episode = Episode(task, episode_seed, corrupt=self.label_noise)
        self._legal_draws = generator(episode_seed, "invalid_action")
        self._target = self._full_pool_target() if self._needs_target() else None
        self._reached = False
        self._over = False
        self._pending: list[int] = []
        self._measured = self._episode.measure(self._reward_part, self._metrics)
        self._curve = [(self._episode.spent, self._measured[self._headline])]
        self._offer()
        return self._observation(), self._info(queried=-1, invalid=False)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Acquire the label of the row in slot `action`."""
        episode = self._running()
        if self._over:
            raise UsageError("the episode is over; call reset before the next step")
        slot, invalid = self._legal_slot(checked_action(action, len(self._slate)))
        row = int(self._slate[slot])
        self._pending.append(row)
        self._slate[slot] = -1
        reward, terminated, truncated = 0.0, False, False
        if len(self._pending) == self._batch_due():
            reward = self._acquire(episode)
            terminated, truncated = self._termination.flags(
                spent=episode.finished,
                empty=episode.spent == len(episode.pool),
                reached=self._reached,
            )
            self._over = terminated or truncated
            self._offer()
        else:
            self._within_batch()
        info = self._info(queried=row, invalid=invalid)
        return self._observation(), reward, terminated, truncated, info

    def with_tasks(self, tasks: TaskSource | Task | Sequence[Task]) -> "PoolEnv":
        """Return an environment of the same options over other tasks, before its first reset."""
        twin: PoolEnv = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.action_space = copy.deepcopy(self.action_space)
        twin.observation_space = copy.deepcopy(self.observation_space)
        twin._np_random, twin._np_random_seed = None, None
        twin._source = as_source(tasks)
        twin._episode, twin._over = None, True
        return twin

    def action_masks(self) -> Bools:
        """Return which actions are legal, shape (K,); the name that MaskablePPO asks for."""
        self._running()
        mask: Bools = self._slate >= 0
        return mask

    def strategy_action(self, strategy: Strategy) -> int:
        """Return the slot that a strategy would choose from this slate.

        Its utilities are those of the loop: same state, same strategy and tie streams.
        """
        streams = self._running().streams
        check_served(strategy, self.kind)
        utilities = strategy.utilities(self._state, streams["strategy"])
        row = select_top(utilities, self._slate[self._slate >= 0], streams["ties"])[0]
        return int(np.flatnonzero(self._slate == row)[0])

    def render(self) -> NDArray[np.uint8] | None:
        """Return a picture (H, W, 3) of the pool and the accuracy so far; None without a mode."""
        if self.render_mode is None:
            return None
        pool = self._running().pool
        return draw_pool(
            self._state.Z,
            labelled=pool.labelled,
            labels=self._colours(),
            last=int(pool.order[-1]) if pool.n_asked else None,
            curve=self._curve,
        )

    def _colours(self) -> Ints:
        """Return the colour of every labelled row: its class."""
        return self._running().pool.labels

    @property
    def _headline(self) -> str:
        """Name of the metric that curves and targets are about: the first one."""
        return next(iter(self._metrics))

    @property
    def _metrics(self) -> Mapping[str, Metric]:
        """What is measured on the reward part."""
        return task_metrics(self.kind, of_pixels=self.task.pool.pixels is not None)

    @staticmethod
    def _default_source() -> TaskSource:
        from lal.tasks.sampler import default_tasks  # data sets and learners: only needed here

        return default_tasks()

    def _running(self) -> Episode:
        if self._episode is None:
            raise UsageError("no episode yet; call reset first")
        return self._episode

    def _needs_target(self) -> bool:
        return self._termination.at_target or self._reward.needs_target

    def _full_pool_target(self) -> float:
        episode = self._running()
        task = episode.task
        pool = task.answered()
        model = task.learner.fit(
            pool.X,
            pool.targets,
            n_classes=task.n_classes,
            seed=episode.streams.learner_seed(len(pool)),
        )
        measured = measure_model(model, self._reward_part, task.kind, self._metrics)
        return TARGET_SHARE * measured[self._headline]

    def _labels_left(self) -> int:
        episode = self._running()
        limit = episode.budget_total if self._termination.at_budget else len(episode.pool)
        return limit - episode.spent

    def _batch_due(self) -> int:
        return min(self.batch_size, self._labels_left())

    def _offer(self) -> None:
        """Look at the pool after a refit and draw the next slate."""
        episode = self._running()
        self._state = episode.state()
        n = min(self._observer.slate_size, len(self._state.open))
        self._slate: Ints = np.full(self._observer.slate_size, -1, dtype=np.int64)
        self._slate[:n] = self._slate_rule(self._state, n, episode.streams["slate"])
        self._offered = self._slate[:n].copy()

    def _within_batch(self) -> None:
        """Prepare the next step of a batch: the slate stays, with a slot closed."""

    def _legal_slot(self, action: int) -> tuple[int, bool]:
        if self._slate[action] >= 0:
            return action, False
        legal = np.flatnonzero(self._slate >= 0)
        if self.strict:
            raise UsageError(
                f"action {action} is masked; {len(legal)} of {len(self._slate)} slots are legal "
                "(see the observation's mask), or make the environment with strict=False"
            )
        return int(self._legal_draws.choice(legal)), True

    def _acquire(self, episode: Episode) -> float:
        """Acquire the pending labels, measure, and return the reward."""
        n_acquired = len(self._pending)
        baseline = self._baseline_metrics(n_acquired) if self._reward.needs_baseline else None
        before, reached_before = self._measured, self._reached
        n_labelled = episode.spent
        for row in self._pending:
            episode.label(row)
        self._pending = []
        self._measured = episode.measure(self._reward_part, self._metrics)
        quality = self._measured[self._headline]
        self._curve.append((episode.spent, quality))
        if self._target is not None and quality >= self._target:
            self._reached = True
        return float(
            self._reward.compute(
                Acquisition(
                    before=before,
                    after=self._measured,
                    n_acquired=n_acquired,
                    n_budget=episode.budget_total - episode.n_start,
                    n_start=episode.n_start,
                    n_labelled=n_labelled,
                    reached_before=reached_before,
                    baseline=baseline,
                )
            )
        )

    def _baseline_metrics(self, n: int) -> dict[str, float]:
        """Return the metrics of margin's choice from the slate offered, run on a fork."""
        fork = self._running().fork()
        margin = make_strategy("margin")
        utilities = margin.utilities(self._state, fork.streams["strategy"])
        for row in select_top(utilities, self._offered, fork.streams["ties"], n):
            fork.label(int(row))
        return fork.measure(self._reward_part, self._metrics)

    def _observation(self) -> Observation:
        return self._observer.observe(self._state, self._slate)

    def _info(self, *, queried: int, invalid: bool) -> dict[str, Any]:
        return {
            **self._measured,
            "pool_indices": self._slate.copy(),
            "action_mask": (self._slate >= 0).astype(np.int8),
            "n_labelled": self._running().spent + len(self._pending),
            "queried": queried,
            "invalid_action": invalid,
            "target_reached": self._reached,
            "task": self.task.name,
        }


def _check_kind(task: Task, kind: TaskKind) -> None:
    if task.kind != kind:
        ids = {CLASSIFICATION: "lal/Pool-v0"}
        raise UsageError(
            f"task {task.name!r} is a {task.kind} task and this environment is for {kind}; use "
            f"gymnasium.make({ids.get(task.kind, 'lal/PoolRegression-v0')!r}, ...)"
        )


def _check_options(
    slate_size: int, batch_size: int, label_noise: float, render_mode: str | None
) -> None:
    if batch_size > slate_size:
        raise UsageError(
            f"a batch of {batch_size} does not fit into a slate of {slate_size}; raise slate_size"
        )
    if not 0.0 <= label_noise <= 1.0:
        raise UsageError(f"label_noise must lie between 0 and 1, got {label_noise}")
    if render_mode not in (None, *PoolEnv.metadata["render_modes"]):
        raise UsageError(f"render_mode {render_mode!r} is unknown; expected 'rgb_array' or None")
