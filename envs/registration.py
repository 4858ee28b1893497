"""Ids of our environments; entry points are strings, so registering loads nothing heavy."""

import gymnasium

POOL_ID = "lal/Pool-v0"
"""The reference environment over any learner."""

NAMESPACE = "lal"


def register_envs() -> None:
    """Register the ids of this package; calling it again changes nothing."""
    if POOL_ID not in gymnasium.registry:
        gymnasium.register(id=POOL_ID, entry_point="envs.pool_env:PoolEnv")


def registered_ids() -> list[str]:
    """Return our ids, sorted."""
    return sorted(name for name in gymnasium.registry if name.startswith(f"{NAMESPACE}/"))
