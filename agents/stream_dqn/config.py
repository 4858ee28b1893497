"""StreamDQNConfig: everything that decides a run of the stream DQN."""

from dataclasses import dataclass

from agents.registry import Agent, TrainConfig


@dataclass(frozen=True, kw_only=True)
class StreamDQNConfig(TrainConfig):
    """stable-baselines3's DQN on streams of table rows.

    `datasets`, `hold_out`, `share_synthetic`, `max_pool` and the pool features have no meaning on
    streams and must stay as they are.
    """

    families: tuple[str, ...] = ("abrupt", "hyperplane", "moving_clusters")
    """Families of drifting streams to train on."""

    n_items: int = 300
    """Items of a training stream."""

    share: float = 0.5
    """Share of a training stream's cost that may be spent; large, so that exploring is not cut."""

    price: float = 0.0
    """What a label costs, in units of the reward."""

    n_steps: int = 8_000
    """Environment steps of the whole run."""

    net_arch: tuple[int, ...] = (32, 32)
    """Widths of the hidden layers."""

    learning_rate: float = 1e-3
    """Of Adam."""

    gamma: float = 0.3
    """Discount."""

    exploration_final: float = 0.2
    """Share of random steps after the first half of the run."""

    pace: str = "level"
    """How the exported policy keeps to its budget; see `lal.streams.policy.StreamPolicy`."""


AGENT = Agent(
    name="stream_dqn",
    summary="DQN that decides item by item on drifting streams of table rows",
    config_type=StreamDQNConfig,
    presets={
        "demo": StreamDQNConfig(),
        "smoke": StreamDQNConfig(n_steps=400, n_items=60),
    },
    train_path="agents.stream_dqn.train:train",
    untrained_path="agents.stream_dqn.train:export_untrained",
)
