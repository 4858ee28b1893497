"""Ids of our environments; entry points are strings, so registering loads nothing heavy.

Gymnasium 1.0 and later no longer load the entry points ``gymnasium.envs``. So that
``gymnasium.make("lal/Pool-v0")`` works without ``import envs``, and in the child processes of a
`SubprocVecEnv`, the wheel ships `autoload.pth`: Python runs it when it starts, and it calls
`register_envs` once `gymnasium.envs.registration` is imported. It imports nothing before, never
raises, and leaves another project's package called ``envs`` alone.
"""

from gymnasium.envs.registration import register, registry

POOL_ID = "lal/Pool-v0"
"""Active learning over any learner; its vector environment is the compiled simulator."""

REGRESSION_ID = "lal/PoolRegression-v0"
"""The same where labels are numbers; its vector environment steps copies of the reference."""

CROWD_ID = "lal/Crowd-v0"
"""Questions to annotators who are wrong in places; vectorised like PoolRegression-v0."""

REGIONS_ID = "lal/Regions-v0"
"""Regions of images, answered pixel by pixel; vectorised like PoolRegression-v0."""

LAL_RL_ID = "lal/LalRl-v0"
"""The published LAL-RL workload on the compiled simulator."""

STREAM_ID = "lal/Stream-v0"
"""Drifting streams of table rows: ask or skip."""

SEQUENCE_ID = "lal/SequenceLabelling-v0"
"""Streams of sentences labelled token by token: ask or skip."""

NAMESPACE = "lal"

SMALL = {
    "lal/Design-v0": "envs.design.env:DesignEnv",
    "lal/OneShot-v0": "envs.one_shot.env:OneShotEnv",
    "lal/FewShot-v0": "envs.few_shot.env:FewShotEnv",
    "lal/Search-v0": "envs.search.env:SearchEnv",
    "lal/Synthesis-v0": "envs.synthesis_env:SynthesisEnv",
    "lal/Explore-v0": "envs.explore_env:ExploreEnv",
}
"""Environments in which no pool is ranked."""


OUR_IDS = tuple(
    sorted(
        (POOL_ID, REGRESSION_ID, CROWD_ID, REGIONS_ID, LAL_RL_ID, STREAM_ID, SEQUENCE_ID, *SMALL)
    )
)
"""The ids that this package registers; others may add to the namespace."""


def register_envs() -> None:
    """Register the ids of this package; calling it again changes nothing."""
    if POOL_ID not in registry:
        register(
            id=POOL_ID,
            entry_point="envs.pool_env:PoolEnv",
            vector_entry_point="envs.pool_vector_env:PoolVectorEnv",
        )
    if REGRESSION_ID not in registry:
        register(id=REGRESSION_ID, entry_point="envs.pool_regression_env:PoolRegressionEnv")
    if CROWD_ID not in registry:
        register(id=CROWD_ID, entry_point="envs.crowd_env:CrowdEnv")
    if REGIONS_ID not in registry:
        register(id=REGIONS_ID, entry_point="envs.regions_env:RegionsEnv")
    if LAL_RL_ID not in registry:
        register(
            id=LAL_RL_ID,
            entry_point="envs.lal_rl.env:LalRlEnv",
            vector_entry_point="envs.lal_rl.env:LalRlVectorEnv",
        )
    if STREAM_ID not in registry:
        register(id=STREAM_ID, entry_point="envs.streams.stream_env:StreamEnv")
    if SEQUENCE_ID not in registry:
        register(id=SEQUENCE_ID, entry_point="envs.streams.sequence_env:SequenceEnv")
    for name, entry_point in SMALL.items():
        if name not in registry:
            register(id=name, entry_point=entry_point)


def registered_ids() -> list[str]:
    """Return the ids of the namespace, sorted: ours and those that others added."""
    return sorted(name for name in registry if name.startswith(f"{NAMESPACE}/"))
