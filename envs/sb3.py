"""Compiled environments as stable-baselines3 `VecEnv`s, in the same process."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from envs.copies import IndependentCopies
from envs.observations import Observation
from envs.simulator.arguments import checked_indices
from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.registry import require

require("stable_baselines3", "train")
from stable_baselines3.common.vec_env import VecEnv  # noqa: E402


class CompiledVecEnv(IndependentCopies, VecEnv):
    """A vector environment of ours as stable-baselines3 wants it.

    Episodes that end begin anew in the same step; their infos hold ``terminal_observation``,
    ``TimeLimit.truncated``, ``episode`` (return and length, as `VecMonitor` writes them) and the
    last infos of the episode. The seed of `seed` names all episodes of the next reset.

    Args:
        env: A vector environment with ``action_masks()`` that resets in the same step.
    """

    render_mode = None

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        self.env = env
        self._actions: Any = None
        self._returns: Floats = np.zeros(env.num_envs)
        self._lengths: Ints = np.zeros(env.num_envs, dtype=np.int64)
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> Observation:
        """Begin new episodes, under the seed of `seed` if one was given."""
        observations, infos = self.env.reset(seed=self._seeds[0], options=self._options[0] or None)
        self._returns[:], self._lengths[:] = 0.0, 0
        self.reset_infos = [_entry(infos, e) for e in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        return _owned(observations)

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(
        self,
    ) -> tuple[Observation, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Take one step in every environment."""
        observations, rewards, terminated, truncated, vector = self.env.step(self._actions)
        self._returns += rewards
        self._lengths += 1
        infos: list[dict[str, Any]] = [
            {"invalid_action": invalid} for invalid in vector["invalid_action"].tolist()
        ]
        done: NDArray[np.bool_] = terminated | truncated
        for e in np.flatnonzero(done):
            infos[e] = {
                **_entry(vector["final_info"], e),
                "terminal_observation": vector["final_obs"][e],
                "TimeLimit.truncated": bool(truncated[e] and not terminated[e]),
                "episode": {"r": float(self._returns[e]), "l": int(self._lengths[e])},
            }
        self._returns[done], self._lengths[done] = 0.0, 0
        return _owned(observations), rewards.astype(np.float32), done, infos

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the vector environment, once for every environment asked for."""
        chosen = list(self._get_indices(indices))
        if attr_name == "action_masks":
            return [lambda e=e: self._mask(e) for e in chosen]
        if attr_name == "render_mode":
            return [None] * len(chosen)
        return [getattr(self.env, attr_name)] * len(chosen)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: the environments share one simulator."""
        raise UsageError("the episodes share one simulator; set options when it is made")

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call `action_masks`, the only method of the single environments."""
        if method_name != "action_masks":
            raise UsageError(f"the environments have no method {method_name!r}; action_masks only")
        return [self._mask(e) for e in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return False for every environment: nothing wraps them."""
        return [False] * len(list(self._get_indices(indices)))

    def _get_indices(self, indices: Any) -> list[int]:
        """Return the environments asked for, all of them for None."""
        return (
            list(range(self.num_envs))
            if indices is None
            else checked_indices(indices, self.num_envs)
        )

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Return no images."""
        return [None] * self.num_envs

    def _mask(self, e: int) -> NDArray[np.bool_]:
        mask: NDArray[np.bool_] = self.env.action_masks()[e]  # type: ignore[attr-defined]
        return mask.copy()


def _owned(observation: Observation) -> Observation:
    """Return arrays that later steps leave alone; stable-baselines3 stores them after the step."""
    return {k: v if v.flags.owndata else v.copy() for k, v in observation.items()}


def _entry(infos: dict[str, Any], e: Any) -> dict[str, Any]:
    """Return what a vector environment's infos say of one environment."""
    return {
        name: values[e].item() if isinstance(values[e], np.generic) else values[e]
        for name, values in infos.items()
        if not name.startswith("_") and infos[f"_{name}"][e]
    }
