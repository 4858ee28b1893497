"""PALConfig: everything that decides a run of PAL."""

from dataclasses import dataclass

from agents.registry import Agent
from agents.stream_dqn.config import StreamQConfig
from agents.training.config import check_at_least


@dataclass(frozen=True, kw_only=True)
class PALConfig(StreamQConfig):
    """PAL (Fang, Li and Cohn, EMNLP 2017) on synthetic languages."""

    n_items: int = 60
    """Sentences of a training stream; every stream is in a new language."""

    n_scored: int = 60
    """Sentences that a training stream's rewards are measured on."""

    total_timesteps: int = 3_000
    """Environment steps of the whole run."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(self, n_scored=1)


AGENT = Agent(
    name="pal",
    summary="PAL: a stream DQN for sequence labelling, transferred to languages it has not seen",
    config_type=PALConfig,
    presets={
        "demo": PALConfig(),
        "full": PALConfig(total_timesteps=4_000, n_segments=4, n_dev_streams=8),
        "smoke": PALConfig(total_timesteps=60, n_items=20, n_scored=10),
    },
    learner="agents.stream_dqn.pal:PALLearner",
)
