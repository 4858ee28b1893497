"""StreamDQNConfig: everything that decides a run of the stream DQN."""

from collections.abc import Mapping
from dataclasses import dataclass

from agents.registry import Agent
from agents.training.config import StreamConfig, check_above, check_at_least, check_within


@dataclass(frozen=True, kw_only=True)
class StreamQConfig(StreamConfig):
    """stable-baselines3's DQN on any kind of stream."""

    total_timesteps: int = 8_000
    """Environment steps of the whole run."""

    net_arch: tuple[int, ...] = (32, 32)
    """Widths of the hidden layers."""

    learning_rate: float = 1e-3
    """Learning rate of Adam."""

    gamma: float = 0.3
    """Discount."""

    exploration_final_eps: float = 0.2
    """Share of random steps after the first half of the run."""

    n_segments: int = 1
    """Parts of the run; after each there is a checkpoint, and a validation if streams for it."""

    n_dev_streams: int = 0
    """Streams on which the best policy is chosen; 0: the last one is taken."""

    n_dev_items: int = 120
    """Items of each of those."""

    dev_budget_fraction: float = 0.15
    """Share of their cost that is spent there."""

    pace: str = "level"
    """How the exported policy keeps to its budget; see `lal.streams.policy.StreamPolicy`."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(self, total_timesteps=4, n_segments=1, n_dev_streams=0, n_dev_items=1)
        check_above(self, 0.0, "learning_rate")
        check_within(self, "gamma", 0.0, 1.0)
        check_within(self, "exploration_final_eps", 0.0, 1.0)
        check_above(self, 0.0, "dev_budget_fraction")
        check_within(self, "dev_budget_fraction", 0.0, 1.0)

    @property
    def training_size(self) -> Mapping[str, int]:
        """Streams, the last one perhaps in part."""
        return {"n_episodes": -(-self.total_timesteps // self.n_items)}


@dataclass(frozen=True, kw_only=True)
class StreamDQNConfig(StreamQConfig):
    """stable-baselines3's DQN on streams of table rows."""

    families: tuple[str, ...] = ("abrupt", "hyperplane", "moving_clusters")
    """Families of drifting streams to train on."""


AGENT = Agent(
    name="stream_dqn",
    summary="DQN that decides item by item on drifting streams of table rows",
    config_type=StreamDQNConfig,
    presets={
        "demo": StreamDQNConfig(),
        "smoke": StreamDQNConfig(total_timesteps=400, n_items=60),
    },
    learner="agents.stream_dqn.learner:StreamDQNLearner",
)
