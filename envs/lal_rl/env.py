"""The published LAL-RL workload as gymnasium environments over the compiled simulator.

The vector environment's observations are views of the simulator's buffers: the next step
overwrites them, so copy what you keep. The single environment returns copies. Both need numba (the
extra ``fast``) when they are made, not on import.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.copies import IndependentCopies
from envs.observations import Observation
from envs.simulator.arguments import checked_action, checked_actions
from envs.vector import (
    as_dict,
    check_open,
    checked_options,
    checked_seed,
    final_entries,
    marked,
)
from lal.arrays import Bools
from lal.errors import UsageError

DEFAULT_DATA = "sklearn:breast_cancer"
"""Bundled with scikit-learn, so that the bare id works."""

STATE_POINTS = 30


def lal_rl_spaces(pool_size: int) -> tuple[gymnasium.spaces.Dict, gymnasium.spaces.Discrete]:
    """Return the observation and action space of one LAL-RL episode.

    Candidates are [P(class 0), mean cosine distance to the unlabelled, to the labelled]; the
    context is the sorted P(class 0) of the state points.
    """
    observation = gymnasium.spaces.Dict(
        {
            "candidates": gymnasium.spaces.Box(0.0, 2.0, (pool_size, 3), np.float32),
            "context": gymnasium.spaces.Box(0.0, 1.0, (STATE_POINTS,), np.float32),
            "mask": gymnasium.spaces.MultiBinary(pool_size),
        }
    )
    return observation, gymnasium.spaces.Discrete(pool_size)


def make_lal_rl_simulator(data: Any, n_episodes: int, *, seed: int | None, **options: Any) -> Any:
    """Return a `LalRlSimulator` over whatever `binary_pairs` accepts.

    Its seed orders the data, so it must not be a fresh one: a reset's seed names all that follows.
    """
    from envs.simulator.lal_rl import LalRlSimulator
    from envs.simulator.lal_rl_data import binary_pairs

    return LalRlSimulator(binary_pairs(data), n_episodes, seed=seed or 0, **options)


def first_seed(seed: int | None, own: int | None) -> int | None:
    """Return the seed of the first reset: its own, that of the constructor, or a fresh one.

    None stands for that of the constructor, which the simulator knows already.
    """
    if seed is None and own is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return seed


class LalRlVectorEnv(IndependentCopies, VectorEnv[Any, Any, Any]):
    """E LAL-RL episodes, advanced by one compiled call; see `LalRlSimulator` for the task.

    An episode that ends begins anew in the same step: the observation returned is the first of
    the next episode, the last one of the old is in ``infos["final_obs"]``.

    Args:
        num_envs: Episodes, E.
        data: See `binary_pairs`.
        pool_size: Samples in the pool.
        max_episode_steps: Truncate after so many labels.
        seed: Seed of the first reset where that names none.
        render_mode: Only None.
        **options: Further options of `LalRlSimulator`.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "autoreset_mode": AutoresetMode.SAME_STEP,
        "render_modes": [],
    }
    autoreset_mode = AutoresetMode.SAME_STEP  # TorchRL looks here

    def __init__(
        self,
        num_envs: int = 1,
        *,
        data: Any = DEFAULT_DATA,
        pool_size: int = 100,
        max_episode_steps: int | None = None,
        seed: int | None = None,
        render_mode: None = None,
        **options: Any,
    ) -> None:
        self.render_mode, self._seed = render_mode, checked_seed(seed)
        self.simulator = make_lal_rl_simulator(
            data,
            num_envs,
            seed=seed,
            pool_size=pool_size,
            max_episode_steps=max_episode_steps,
            **options,
        )
        self.num_envs = self.simulator.n_episodes
        self.single_observation_space, self.single_action_space = lal_rl_spaces(pool_size)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._began = False

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin new episodes: numbered from 0 under a new seed, else the next of each.

        Args:
            seed: One integer, under which environments and episodes are numbered.
            options: ``reset_mask`` (E,) booleans: only these begin anew.
        """
        check_open(self)
        mask = checked_options(options, ("reset_mask",)).get("reset_mask")
        number = checked_seed(seed)
        if mask is not None and not self._began:
            raise UsageError("a reset_mask goes on with other episodes; reset all of them first")
        super().reset(seed=number)
        if not self._began:
            number = first_seed(number, self._seed)
        self.simulator.reset(number, mask=mask)
        self._began = True
        chosen = np.ones(self.num_envs, dtype=np.bool_) if mask is None else mask
        infos = {"accuracy": self.simulator.accuracy.copy()}
        return self._observation(), marked(infos, chosen)

    def step(
        self, actions: Any
    ) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Label one sample in every episode; `actions` are pool rows, shape (E,)."""
        check_open(self)
        sim = self.simulator
        if self._began:
            actions = checked_actions(actions, self.num_envs, sim.pool_size)
        sim.step(actions)
        infos = {"invalid_action": sim.invalid.copy(), "accuracy": sim.accuracy.copy()}
        infos = marked(infos, np.ones(self.num_envs, dtype=np.bool_))
        terminated, truncated = sim.terminated.copy(), sim.truncated.copy()
        ended = terminated | truncated
        if ended.any():
            final = {"accuracy": sim.final_accuracy, "length": sim.lengths}
            infos |= final_entries(sim.final_observations, final, ended)
        return self._observation(), np.full(self.num_envs, -1.0), terminated, truncated, infos

    def action_masks(self) -> Bools:
        """Return which samples may be asked, shape (E, N); what MaskablePPO asks for."""
        mask: Bools = self.simulator.observations.mask > 0
        return mask

    def _observation(self) -> Observation:
        return as_dict(self.simulator.observations)


class LalRlEnv(IndependentCopies, gymnasium.Env[Any, Any]):
    """One LAL-RL episode at a time over the compiled simulator.

    Args:
        data: See `binary_pairs`.
        pool_size: Samples in the pool.
        seed: Seed of the first reset where that names none.
        render_mode: Only None.
        **options: Further options of `LalRlSimulator`.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        *,
        data: Any = DEFAULT_DATA,
        pool_size: int = 100,
        seed: int | None = None,
        render_mode: None = None,
        **options: Any,
    ) -> None:
        self.render_mode, self._seed = render_mode, checked_seed(seed)
        self.simulator = make_lal_rl_simulator(data, 1, seed=seed, pool_size=pool_size, **options)
        self.observation_space, self.action_space = lal_rl_spaces(pool_size)
        self._began, self._over = False, False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode: number 0 under a new seed, else the next."""
        seed = checked_seed(seed)
        super().reset(seed=seed)
        self.simulator.reset(seed if self._began else first_seed(seed, self._seed))
        self._began, self._over = True, False
        return self._observation(), {"accuracy": float(self.simulator.accuracy[0])}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Label one sample."""
        if not self._began:
            raise UsageError("no episode yet; call reset first")
        if self._over:
            raise UsageError("the episode is over; call reset before the next step")
        sim = self.simulator
        sim.step(np.array([checked_action(action, sim.pool_size)]), False)
        terminated, truncated = bool(sim.terminated[0]), bool(sim.truncated[0])
        self._over = terminated or truncated
        info = {"accuracy": float(sim.accuracy[0]), "invalid_action": bool(sim.invalid[0])}
        return self._observation(), -1.0, terminated, truncated, info

    def action_masks(self) -> Bools:
        """Return which samples may be asked, shape (N,); what MaskablePPO asks for."""
        mask: Bools = self.simulator.observations.mask[0] > 0
        return mask

    def _observation(self) -> Observation:
        return {k: v[0].copy() for k, v in as_dict(self.simulator.observations).items()}
