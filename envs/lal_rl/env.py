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

from lal.errors import UsageError

DEFAULT_DATA = "sklearn:breast_cancer"
"""Bundled with scikit-learn, so that the bare id works."""

STATE_POINTS = 30
Observation = dict[str, NDArray[Any]]


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


def make_lal_rl_engine(data: Any, num_envs: int, *, seed: int, **options: Any) -> Any:
    """Return a `LalRlEngine` over whatever `binary_pairs` accepts."""
    from envs.simulator.lal_rl import LalRlEngine
    from envs.simulator.lal_rl_data import binary_pairs

    return LalRlEngine(binary_pairs(data), num_envs, seed=seed, **options)


def _fresh_seed() -> int:
    return int(np.random.SeedSequence().generate_state(1)[0])


class LalRlVectorEnv(VectorEnv[Any, Any, Any]):
    """E LAL-RL episodes, advanced by one compiled call; see `LalRlEngine` for the task.

    An episode that ends begins anew in the same step: the observation returned is the first of
    the next episode, the last one of the old is in ``infos["final_obs"]``.

    Args:
        num_envs: Episodes, E.
        data: See `binary_pairs`.
        pool_size: Samples in the pool.
        max_episode_steps: Truncate after so many labels.
        seed: Seed of the first reset where that names none.
        render_mode: Only None.
        **options: Further options of `LalRlEngine`.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "autoreset_mode": AutoresetMode.SAME_STEP,
        "render_modes": [],
    }

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
        self.num_envs, self.render_mode = num_envs, render_mode
        self.engine = make_lal_rl_engine(
            data,
            num_envs,
            seed=_fresh_seed() if seed is None else seed,
            pool_size=pool_size,
            max_episode_steps=max_episode_steps,
            **options,
        )
        self.single_observation_space, self.single_action_space = lal_rl_spaces(pool_size)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._began = False
        self._all = np.ones(num_envs, dtype=np.bool_)
        self._rewards = np.full(num_envs, -1.0)
        engine = self.engine
        self._observation = _observation(engine.candidates, engine.context, engine.mask)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin new episodes: numbered from 0 under a new seed, else the next of each."""
        if isinstance(seed, list):
            raise UsageError("give one integer seed; environments are numbered under it")
        super().reset(seed=seed)
        if seed is None and self._began:
            self.engine.begin_next(self._all)
        else:
            self.engine.reset(seed)
        self._began = True
        return self._observation, {"quality": self.engine.quality.copy(), "_quality": self._all}

    def step(
        self, actions: Any
    ) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Label one sample in every episode."""
        engine = self.engine
        engine.step(np.ascontiguousarray(actions, dtype=np.int64))
        infos: dict[str, Any] = {
            "invalid_action": engine.invalid.copy(),
            "_invalid_action": self._all,
            "quality": engine.quality.copy(),
            "_quality": self._all,
        }
        terminated, truncated = engine.terminated.copy(), engine.truncated.copy()
        ended = terminated | truncated
        if ended.any():
            self._add_final(infos, ended)
        return self._observation, self._rewards.copy(), terminated, truncated, infos

    def _add_final(self, infos: dict[str, Any], ended: NDArray[np.bool_]) -> None:
        final = np.full(self.num_envs, None, dtype=object)
        for e in np.flatnonzero(ended):
            final[e] = _observation(*(part[e].copy() for part in self.engine.final))
        infos["final_obs"], infos["_final_obs"] = final, ended
        infos["final_info"] = {
            "quality": self.engine.final_quality.copy(),
            "_quality": ended,
            "length": self.engine.lengths.copy(),
            "_length": ended,
        }
        infos["_final_info"] = ended


class LalRlEnv(gymnasium.Env[Any, Any]):
    """One LAL-RL episode at a time over the compiled simulator.

    Args:
        data: See `binary_pairs`.
        pool_size: Samples in the pool.
        engine: Only ``"compiled"``; any learner and features: `lal/Pool-v0`.
        seed: Seed of the first reset where that names none.
        render_mode: Only None.
        **options: Further options of `LalRlEngine`.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        *,
        data: Any = DEFAULT_DATA,
        pool_size: int = 100,
        engine: str = "compiled",
        seed: int | None = None,
        render_mode: None = None,
        **options: Any,
    ) -> None:
        if engine != "compiled":
            raise UsageError(
                f"engine must be 'compiled' for lal/LalRl-v0, got {engine!r}; "
                "for other learners use lal/Pool-v0"
            )
        self.render_mode = render_mode
        self.engine = make_lal_rl_engine(
            data, 1, seed=_fresh_seed() if seed is None else seed, pool_size=pool_size, **options
        )
        self.observation_space, self.action_space = lal_rl_spaces(pool_size)
        self._action = np.zeros(1, dtype=np.int64)
        self._one = np.ones(1, dtype=np.bool_)
        self._began = False
        self._over = True

    def _observe(self) -> Observation:
        engine = self.engine
        return {
            "candidates": engine.candidates[0].copy(),
            "context": engine.context[0].copy(),
            "mask": engine.mask[0].copy(),
        }

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode: number 0 under a new seed, else the next."""
        super().reset(seed=seed)
        if seed is None and self._began:
            self.engine.begin_next(self._one)
        else:
            self.engine.reset(seed)
        self._began, self._over = True, False
        return self._observe(), {"quality": float(self.engine.quality[0])}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Label one sample."""
        if self._over:
            raise UsageError("the episode is over; call reset")
        engine = self.engine
        self._action[0] = action
        engine.step(self._action, False)
        terminated, truncated = bool(engine.terminated[0]), bool(engine.truncated[0])
        self._over = terminated or truncated
        info = {
            "quality": float(engine.quality[0]),
            "invalid_action": bool(engine.invalid[0]),
        }
        return self._observe(), -1.0, terminated, truncated, info

    def action_masks(self) -> NDArray[np.int8]:
        """Return 1 for every sample that may be asked."""
        mask: NDArray[np.int8] = self.engine.mask[0]
        return mask


def _observation(
    candidates: NDArray[Any], context: NDArray[Any], mask: NDArray[Any]
) -> Observation:
    return {"candidates": candidates, "context": context, "mask": mask}
