"""The LAL-RL workload as a stable-baselines3 `VecEnv`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.lal_rl.env import DEFAULT_DATA, Observation, lal_rl_spaces, make_lal_rl_engine
from lal.errors import UsageError
from lal.registry import require

require("stable_baselines3", "train")
from stable_baselines3.common.vec_env import VecEnv  # noqa: E402


class LalRlVecEnv(VecEnv):
    """E LAL-RL episodes for stable-baselines3, over one engine.

    Episodes that end begin anew in the same step, with ``terminal_observation`` and
    ``TimeLimit.truncated`` in their infos. Observations are copies, because stable-baselines3
    stores the previous observation after the step.

    Args:
        num_envs: Episodes, E.
        data: See `envs.simulator.lal_rl_data.binary_pairs`.
        seed: Names splits and first labels.
        pool_size: Samples in the pool.
        **options: Further options of `LalRlEngine`.
    """

    render_mode = None

    def __init__(
        self,
        num_envs: int,
        *,
        data: Any = DEFAULT_DATA,
        seed: int = 0,
        pool_size: int = 100,
        **options: Any,
    ) -> None:
        self.engine = make_lal_rl_engine(data, num_envs, seed=seed, pool_size=pool_size, **options)
        self._chosen = np.zeros(num_envs, dtype=np.int64)
        self._began = False
        super().__init__(num_envs, *lal_rl_spaces(pool_size))

    def reset(self) -> Observation:
        """Begin new episodes, under the seed of `seed` if one was given."""
        seed = self._seeds[0]
        if self._began and seed is None:
            self.engine.begin_next(np.ones(self.num_envs, dtype=np.bool_))
        else:
            self.engine.reset(seed)
        self._began = True
        self._reset_seeds()
        self._reset_options()
        return self._observe()

    def _observe(self) -> Observation:
        engine = self.engine
        return {
            "candidates": engine.candidates.copy(),
            "context": engine.context.copy(),
            "mask": engine.mask.copy(),
        }

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions for `step_wait`."""
        self._chosen = np.ascontiguousarray(actions, dtype=np.int64)

    def step_wait(
        self,
    ) -> tuple[Observation, NDArray[Any], NDArray[np.bool_], list[dict[str, Any]]]:
        """Label one sample in every episode."""
        engine = self.engine
        engine.step(self._chosen)
        ended = engine.terminated | engine.truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for e in np.flatnonzero(engine.invalid):
            infos[e]["invalid_action"] = True
        for e in np.flatnonzero(ended):
            names = ("candidates", "context", "mask")
            last = {n: part[e].copy() for n, part in zip(names, engine.final, strict=True)}
            length = int(engine.lengths[e])
            infos[e].update(
                {
                    "terminal_observation": last,
                    "TimeLimit.truncated": bool(engine.truncated[e]),
                    "episode": {"r": -float(length), "l": length},
                    "quality": float(engine.final_quality[e]),
                }
            )
        rewards = np.full(self.num_envs, -1.0, dtype=np.float32)
        return self._observe(), rewards, ended, infos

    def close(self) -> None:
        """Nothing is held open."""

    def _count(self, indices: Any) -> int:
        return len(list(self._get_indices(indices)))

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute once for every environment asked for."""
        if attr_name == "action_masks":
            return [lambda e=e: self.engine.mask[e] for e in self._get_indices(indices)]
        return [getattr(self, attr_name)] * self._count(indices)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: the environments share one engine."""
        raise UsageError("the episodes share one engine; set options when it is made")

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call `action_masks`, the only method of the single environments."""
        if method_name != "action_masks":
            raise UsageError(f"the environments have no method {method_name!r}; action_masks only")
        return [self.engine.mask[e].copy() for e in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return False for every environment: nothing wraps them."""
        return [False] * self._count(indices)

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Return no images."""
        return [None] * self.num_envs
