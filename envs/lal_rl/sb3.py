"""The LAL-RL workload as a stable-baselines3 `VecEnv`."""

from typing import Any

from envs.lal_rl.env import LalRlVectorEnv
from envs.sb3 import CompiledVecEnv


class LalRlVecEnv(CompiledVecEnv):
    """E LAL-RL episodes for stable-baselines3, over one simulator.

    Args:
        num_envs: Episodes, E.
        seed: Names splits and first labels.
        **options: Further arguments of `LalRlVectorEnv`.
    """

    def __init__(self, num_envs: int, *, seed: int | None = 0, **options: Any) -> None:
        super().__init__(LalRlVectorEnv(num_envs, seed=seed, **options))
