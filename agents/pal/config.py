"""PALConfig: everything that decides a run of PAL."""

from dataclasses import dataclass

from agents.registry import Agent
from agents.stream_dqn.config import StreamDQNConfig


@dataclass(frozen=True, kw_only=True)
class PALConfig(StreamDQNConfig):
    """PAL (Fang, Li and Cohn, EMNLP 2017) on made-up languages."""

    families: tuple[str, ...] = ("made-up languages",)
    """What is trained on; there is one family."""

    n_items: int = 60
    """Sentences of a training stream; every stream is in a new language."""

    n_scored: int = 60
    """Sentences that a training stream's rewards are measured on."""

    n_steps: int = 3_000
    """Environment steps of the whole run."""


AGENT = Agent(
    name="pal",
    summary="PAL: a stream DQN for sequence labelling, transferred to languages it has not seen",
    config_type=PALConfig,
    presets={
        "demo": PALConfig(),
        "smoke": PALConfig(n_steps=60, n_items=20, n_scored=10),
    },
    train_path="agents.pal.train:train",
    untrained_path="agents.pal.train:export_untrained",
)
