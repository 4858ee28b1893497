"""DQNConfig: everything that decides a run of the DQN agent."""

from dataclasses import dataclass

from agents.registry import Agent
from agents.training.config import SYNTHETIC_TASKS, PoolEnvConfig, check_at_least, check_within
from lal.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class DQNConfig(PoolEnvConfig):
    """Double DQN with prioritised replay over slates of candidates."""

    learning_rate: float = 5e-4
    """Learning rate of Adam."""

    train_freq: int = 1
    """Steps of all environments between two rounds of gradient steps."""

    gradient_steps: int = 2
    """Gradient steps of a round."""

    n_steps: int = 1
    """Rewards that are summed before a value is looked up."""

    learning_starts: int = 800
    """Environment steps taken at random before learning."""

    buffer_size: int = 20_000
    """Transitions kept for replay."""

    target_update_interval: int = 400
    """Environment steps between copies of the online network into the target network."""

    exploration_fraction: float = 0.6
    """Share of the run over which exploration falls."""

    exploration_final_eps: float = 0.1
    """Share of random steps after that."""

    priority_alpha: float = 0.4
    """Strength of prioritised replay; 0 samples uniformly."""

    offline: str = ""
    """Minari data set of recorded episodes (`envs.recorded`) that is learned from in place of
    acting; `total_timesteps` then counts the gradient steps as if it had acted."""

    priority_beta: float = 0.6
    """How far importance weights correct for it; 1 in full."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(
            self, train_freq=1, gradient_steps=1, n_steps=1, learning_starts=0, buffer_size=1,
            target_update_interval=1, priority_alpha=0.0,
        )  # fmt: skip
        for name in ("exploration_fraction", "exploration_final_eps", "priority_beta"):
            check_within(self, name, 0.0, 1.0)
        if self.offline and self.n_steps > 1:
            raise UsageError(
                "recorded episodes are replayed step by step: n_steps must be 1, got "
                f"{self.n_steps}"
            )
        least = self.n_segments * self.n_envs
        if self.total_timesteps < least:
            raise UsageError(
                f"total_timesteps must be at least {least} for {self.n_segments} segments of "
                f"{self.n_envs} environments, got {self.total_timesteps}"
            )


PRESETS = {
    "demo": DQNConfig(),
    "thorough": DQNConfig(
        total_timesteps=100_000, n_segments=40, buffer_size=50_000, n_dev_tasks=40
    ),
    "full": DQNConfig(
        **{**SYNTHETIC_TASKS, "n_envs": 256}, total_timesteps=1_024_000, n_segments=8, gamma=0.5,
        learning_rate=1e-3, batch_size=512, gradient_steps=1, learning_starts=12_800,
        buffer_size=200_000, target_update_interval=5_120,
    ),
    "smoke": DQNConfig(
        total_timesteps=64, n_segments=2, n_envs=2, learning_starts=16, n_dev_tasks=1, budget=4,
        slate_size=8, max_pool=40, net_arch=(8,), batch_size=8,
    ),
}  # fmt: skip
"""demo: a minute or so on two cores. thorough: an hour or two. full: a million steps on synthetic
tasks alone, three minutes. smoke: seconds, learns nothing."""

AGENT = Agent(
    name="dqn",
    summary="double DQN with shared candidate weights and prioritised replay",
    config_type=DQNConfig,
    presets=PRESETS,
    learner="agents.dqn.learner:DQNLearner",
    controls=("shuffled_reward", "uncertainty_only"),
)
