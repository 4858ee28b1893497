"""DQNConfig: everything that decides a run of the DQN agent."""

from dataclasses import dataclass

from agents.registry import Agent, TrainConfig


@dataclass(frozen=True, kw_only=True)
class DQNConfig(TrainConfig):
    """Double DQN with prioritised replay over slates of candidates."""

    reward: str = "accuracy_gain"
    """Name of the environment's reward."""

    slate_size: int = 30
    """Rows offered in a training step; the trained policy ranks whole pools."""

    slate_rule: str = "half_uncertain"
    """How the offered rows are drawn: random or half_uncertain."""

    n_steps: int = 4000
    """Environment steps of the whole run."""

    n_segments: int = 4
    """Parts of the run; after each there is a validation and a checkpoint to resume from."""

    n_envs: int = 8
    """Environments that are stepped together."""

    net_arch: tuple[int, ...] = (32, 32)
    """Widths of the hidden layers."""

    learning_rate: float = 5e-4
    """Of Adam."""

    gamma: float = 0.5
    """Discount; 0 only looks at the next label."""

    batch_size: int = 64
    """Transitions of a gradient step."""

    gradient_steps: int = 2
    """Gradient steps after every step of all environments."""

    learning_starts: int = 800
    """Environment steps taken at random before learning."""

    buffer_size: int = 20_000
    """Transitions kept for replay."""

    target_interval: int = 400
    """Environment steps between copies of the online network into the target network."""

    exploration_fraction: float = 0.6
    """Share of the run over which exploration falls."""

    exploration_final: float = 0.1
    """Share of random steps after that."""

    priority_alpha: float = 0.4
    """Strength of prioritised replay; 0 samples uniformly."""

    priority_beta: float = 0.6
    """How far importance weights correct for it; 1 in full."""

    reward_scale: float = 20.0
    """Rewards are multiplied by it before learning; gains of accuracy are small numbers."""


PRESETS = {
    "demo": DQNConfig(),
    "thorough": DQNConfig(n_steps=100_000, n_segments=40, buffer_size=50_000, n_dev_tasks=40),
    "smoke": DQNConfig(
        n_steps=64, n_segments=2, n_envs=2, learning_starts=16, n_dev_tasks=1, budget=4,
        slate_size=8, max_pool=40, net_arch=(8,), batch_size=8,
    ),
}  # fmt: skip
"""demo: a minute or so on two cores. thorough: an hour or two. smoke: seconds, learns nothing."""

AGENT = Agent(
    name="dqn",
    summary="double DQN with shared candidate weights and prioritised replay",
    config_type=DQNConfig,
    presets=PRESETS,
    train_path="agents.dqn.train:train",
    untrained_path="agents.dqn.train:export_untrained",
    controls=("shuffled_reward", "uncertainty_only"),
)
