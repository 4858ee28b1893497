"""`lal/Pool-v0` on the compiled simulator, as a stable-baselines3 `VecEnv`."""

from typing import Any

from envs.pool_vector_env import PoolVectorEnv
from envs.sb3 import CompiledVecEnv


class PoolVecEnv(CompiledVecEnv):
    """E labelling episodes for stable-baselines3, over one simulator.

    Args:
        num_envs: Episodes at once, E.
        **options: Further arguments of `PoolVectorEnv`.
    """

    def __init__(self, num_envs: int = 64, **options: Any) -> None:
        super().__init__(PoolVectorEnv(num_envs, **options))
