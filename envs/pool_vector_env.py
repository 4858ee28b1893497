"""PoolVectorEnv: `lal/Pool-v0` on the compiled simulator, E episodes a call."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.copies import IndependentCopies
from envs.observations import Observation, Observer
from envs.simulator.arguments import checked_actions, checked_count, checked_flag
from envs.simulator.pool import PoolSimulator, Steps
from envs.simulator.pool_rules import METRIC_NAMES
from envs.vector import (
    Infos,
    as_dict,
    check_open,
    checked_options,
    checked_seed,
    final_entries,
    marked,
)
from lal.arrays import Bools, Floats
from lal.errors import UsageError
from lal.task import Task
from lal.tasks.sources import TaskSource, blind_tasks

RESET_OPTIONS = ("reset_mask", "tasks", "starts")
"""What `PoolVectorEnv.reset` takes as options."""


class PoolVectorEnv(IndependentCopies, VectorEnv[Any, Any, Any]):
    """E labelling episodes, advanced by compiled code: the fast backend of `lal/Pool-v0`.

    Made by ``gymnasium.make_vec("lal/Pool-v0", num_envs=E)``. Observations, actions, rewards,
    masks, termination and infos are those of `envs.pool_env.PoolEnv`, whose arguments it takes; see
    docs/envs/pool.md for the few differences. An episode that ends begins anew in the same step
    (`AutoresetMode.SAME_STEP`): the observation is the first of the next episode, the last one of
    the old is in ``infos["final_obs"]``, its infos in ``infos["final_info"]``. All arrays returned
    are copies.

    Args:
        num_envs: Episodes at once, E.
        tasks: A task, several (every episode draws one), or a callable from a generator to a task;
            None for `lal.tasks.sampler.default_tasks`. Every task needs dense finite rows and a
            learner with a kernel.
        candidate_features: Ids of the F candidate features; None for `lal.features`' default.
        context_features: Ids of the G context features; None for `lal.features`' default.
        slate_size: Rows offered at once, K.
        slate_rule: Name of `lal.tasks.slates.SLATES`.
        reward: Name of `lal.tasks.rewards.REWARDS`.
        termination: Name of `lal.tasks.termination.TERMINATIONS`.
        batch_size: Steps whose labels come together, B.
        label_noise: Probability that an acquired label is replaced by a uniformly drawn class.
        strict: Raise on a masked action instead of replacing it.
        group_size: Environments with common random numbers, M; see `PoolSimulator`.
        n_tasks: Tasks drawn from a callable at a time.
        refresh: Episodes of an environment after which it takes the next `n_tasks`; None: so many
            that a task is run by 16 episodes.
        task_seed: Names the tasks that a callable is asked for.
        max_episode_steps: Truncate after so many steps; None never does.
        threads: Threads that share the episodes.
        text_infos: Whether infos name the tasks; TorchRL keeps infos as tensors and takes no text.
        seed: Seed of the first reset where that names none; None for a fresh one.
        render_mode: Only None.

    Raises:
        UsageError: Something has no kernel, or an argument makes no sense; the message says what
            to do instead.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium's form)
        "autoreset_mode": AutoresetMode.SAME_STEP,
        "render_modes": [],
    }
    autoreset_mode = AutoresetMode.SAME_STEP  # TorchRL looks here

    def __init__(
        self,
        num_envs: int = 1,
        *,
        tasks: TaskSource | Task | Sequence[Task] | None = None,
        candidate_features: Sequence[str] | None = None,
        context_features: Sequence[str] | None = None,
        slate_size: int = 100,
        slate_rule: str = "random",
        reward: str = "accuracy_gain",
        termination: str = "budget",
        batch_size: int = 1,
        label_noise: float = 0.0,
        strict: bool = False,
        group_size: int = 1,
        n_tasks: int = 128,
        refresh: int | None = None,
        task_seed: int = 0,
        max_episode_steps: int | None = None,
        threads: int = 1,
        text_infos: bool = True,
        seed: int | None = None,
        render_mode: None = None,
    ) -> None:
        if render_mode is not None:
            raise UsageError(
                f"the compiled backend draws no pictures, got render_mode {render_mode!r}; "
                "watch one episode with gymnasium.make(..., render_mode='rgb_array')"
            )
        self.num_envs = checked_count("num_envs", num_envs)
        self.strict, self.render_mode = checked_flag("strict", strict), render_mode
        self.text_infos = checked_flag("text_infos", text_infos)
        self._seed = checked_seed(seed)
        self.simulator = PoolSimulator(
            _without_test_rows(tasks),
            self.num_envs,
            candidate_features=candidate_features,
            context_features=context_features,
            slate_size=slate_size,
            slate_rule=slate_rule,
            reward=reward,
            termination=termination,
            batch_size=batch_size,
            label_noise=label_noise,
            max_episode_steps=max_episode_steps,
            group_size=group_size,
            n_tasks=n_tasks,
            refresh=refresh,
            task_seed=task_seed,
            threads=threads,
        )
        sim = self.simulator
        space = Observer(sim.candidate_features, sim.context_features, sim.slate_size).space
        self.single_observation_space = space
        self.single_action_space = Discrete(sim.slate_size)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._began = False

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks that episodes are drawn from now; ``options["tasks"]`` are positions in it."""
        return self.simulator.tasks

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Infos]:
        """Begin new episodes: numbered from 0 under a new seed, else the next of each.

        Args:
            seed: One integer, under which environments and episodes are numbered.
            options: ``reset_mask`` (E,) booleans: only these begin anew; ``tasks`` (E,): position
                of every environment's task; ``starts``: pool rows, one list an environment, that
                are labelled first.
        """
        check_open(self)
        options = checked_options(options, RESET_OPTIONS)
        number = checked_seed(seed)
        super().reset(seed=number)
        if number is None and not self._began:
            number = _fresh_seed() if self._seed is None else self._seed
        mask = options.get("reset_mask")
        if mask is not None and not self._began:
            raise UsageError("a reset_mask goes on with other episodes; reset all of them first")
        self.simulator.reset(
            seed=number, mask=mask, tasks=options.get("tasks"), starts=options.get("starts")
        )
        self._began = True
        chosen = np.ones(self.num_envs, dtype=np.bool_) if mask is None else mask
        return self._observation(), marked(self._info(chosen, None), chosen)

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[Observation, Floats, NDArray[np.bool_], NDArray[np.bool_], Infos]:
        """Acquire the label of the row in slot ``actions[e]`` of every environment, shape (E,)."""
        check_open(self)
        if self.strict and self._began:
            self._refuse_masked(actions)
        steps = self.simulator.step(actions)[1]
        done = steps.done
        infos = marked(self._info(done, steps), np.ones(self.num_envs, dtype=np.bool_))
        if done.any():
            final = self._final_info(steps)
            infos |= final_entries(self.simulator.final_observations, final, done)
        return self._observation(), steps.rewards, steps.terminated, steps.truncated, infos

    def action_masks(self) -> Bools:
        """Return which actions are legal, shape (E, K); what MaskablePPO asks for."""
        mask: Bools = self.simulator.slates >= 0
        return mask

    def _refuse_masked(self, actions: Any) -> None:
        slots = checked_actions(actions, self.num_envs, self.simulator.slate_size)
        masked = np.flatnonzero(~self.action_masks()[np.arange(self.num_envs), slots])
        if len(masked):
            e = int(masked[0])
            raise UsageError(
                f"action {slots[e]} of environment {e} is masked (see the observation's mask); "
                "choose a legal one, or make the environment with strict=False"
            )

    def _observation(self) -> Observation:
        return as_dict(self.simulator.observations.copy())

    def _info(self, fresh: Bools, steps: Steps | None) -> Infos:
        """Return the infos of the present states; `fresh` ones were just reset."""
        sim = self.simulator
        queried = np.full(self.num_envs, -1) if steps is None else steps.queried
        invalid = np.zeros(self.num_envs, dtype=np.bool_) if steps is None else steps.invalid
        n_labelled = sim.n_labelled.copy() if steps is None else steps.n_labelled
        return {
            **_metrics(sim.metrics),
            "pool_indices": sim.slates.copy(),
            "action_mask": sim.observations.mask.copy(),
            "n_labelled": np.where(fresh, sim.n_labelled, n_labelled),
            "queried": np.where(fresh, -1, queried),
            "invalid_action": invalid & ~fresh,
            "target_reached": sim.target_reached.copy(),
            **self._texts(sim.task_names),
            "episode_number": sim.episode_numbers,
        }

    def _texts(self, task_names: NDArray[Any]) -> Infos:
        return {"task": task_names} if self.text_infos else {}

    def _final_info(self, steps: Steps) -> Infos:
        sim = self.simulator
        return {
            **_metrics(steps.metrics),
            "pool_indices": sim.final_slates,
            "action_mask": sim.final_observations.mask,
            "n_labelled": steps.n_labelled,
            "queried": steps.queried,
            "invalid_action": steps.invalid,
            "target_reached": steps.target_reached,
            **self._texts(steps.task_names),
            "episode_number": sim.episode_numbers - 1,
        }


def _without_test_rows(
    tasks: TaskSource | Task | Sequence[Task] | None,
) -> TaskSource | tuple[Task, ...]:
    """Return what the simulator takes: a source, or tasks without their test parts."""
    if tasks is None:
        from lal.tasks.sampler import default_tasks  # data sets and learners: only needed here

        return default_tasks()
    return blind_tasks(tasks)


def _fresh_seed() -> int:
    return int(np.random.SeedSequence().generate_state(1)[0])


def _metrics(metrics: Floats) -> Infos:
    return {name: metrics[:, i].copy() for i, name in enumerate(METRIC_NAMES)}
