"""Wrappers: other rewards than were earned, and episodes that begin a step later."""

from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

from envs.observations import Observation
from lal.arrays import Bools
from lal.errors import UsageError


class ShuffleReward(gymnasium.Wrapper[Observation, np.int64, Observation, np.int64]):
    """Pays a reward drawn from the latest ones instead of the one earned.

    The distribution of rewards stays, what they depend on is lost: a control that a policy which
    learned something must beat.

    Args:
        env: The environment.
        memory: Rewards remembered.
        seed: Names the draws.
    """

    def __init__(
        self, env: gymnasium.Env[Observation, np.int64], *, memory: int = 1000, seed: int = 0
    ) -> None:
        super().__init__(env)
        if memory < 1:
            raise UsageError(f"memory must be at least 1 reward, got {memory}")
        self._memory = memory
        self._rewards: list[float] = []
        self._rng = np.random.default_rng(seed)

    def step(
        self, action: np.int64
    ) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        """Step and replace the reward; the one earned is in ``info["earned_reward"]``."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        earned = float(reward)
        self._rewards = [*self._rewards[-(self._memory - 1) :], earned][-self._memory :]
        paid = self._rewards[int(self._rng.integers(len(self._rewards)))]
        return observation, paid, terminated, truncated, {**info, "earned_reward": earned}


class NextStepAutoreset(VectorWrapper):
    """Ends episodes as RLlib expects it: the next one begins in the step after.

    Our vector environments begin the next episode in the same step (`AutoresetMode.SAME_STEP`).
    Here the step that ends an episode returns its last observation; in the next one its action is
    ignored, its reward 0, and its observation the first of a new episode.

    Args:
        env: A vector environment with ``final_obs`` that takes a ``reset_mask``.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        mode = env.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.SAME_STEP:
            raise UsageError(
                f"the environment must begin episodes in the same step, got {mode}; such are "
                "make_vec('lal/Pool-v0') and make_vec('lal/LalRl-v0')"
            )
        self.metadata = {**env.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}
        self.autoreset_mode = AutoresetMode.NEXT_STEP
        self._ended = np.zeros(env.num_envs, dtype=np.bool_)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin new episodes; with a ``reset_mask`` only those of the mask."""
        mask = (options or {}).get("reset_mask")
        self._ended = np.zeros_like(self._ended) if mask is None else self._ended & ~mask
        return self.env.reset(seed=seed, options=options)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step every environment, or begin a new episode where the last one just ended."""
        begin = self._ended
        if begin.any():  # any legal action will do: what it leads to is not used
            legal = self.env.unwrapped.action_masks().argmax(axis=1)  # type: ignore[attr-defined]
            actions = np.where(begin, legal, actions)
        found, rewards, terminated, truncated, infos = self.env.step(actions)
        self._ended = ended = (terminated | truncated) & ~begin
        final, last = infos.pop("final_obs", None), infos.pop("final_info", {})
        infos = {k: v for k, v in infos.items() if k not in ("_final_obs", "_final_info")}
        found = {key: values.copy() for key, values in found.items()}
        for e in np.flatnonzero(ended):
            for key, values in found.items():
                values[e] = final[e][key]
        infos = _replaced(infos, last, ended)
        if begin.any():
            fresh, first = self.env.reset(options={"reset_mask": begin})
            for key, values in found.items():
                values[begin] = fresh[key][begin]
            infos = _replaced(infos, first, begin)
        rewards = np.where(begin, np.zeros_like(rewards), rewards)
        return found, rewards, terminated & ~begin, truncated & ~begin, infos


def _replaced(infos: dict[str, Any], others: dict[str, Any], chosen: Bools) -> dict[str, Any]:
    """Return infos in which the chosen environments have those of others, marks included."""
    if not chosen.any():
        return infos
    found = dict(infos)
    for name, values in others.items():
        kept = np.zeros_like(values) if name not in infos else infos[name].copy()
        if kept.dtype != values.dtype:  # texts of the final infos are objects
            kept = kept.astype(object)
        kept[chosen] = values[chosen]
        found[name] = kept
    return found
