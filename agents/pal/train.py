"""Training of PAL; the learning itself is that of `agents.stream_dqn`."""

from pathlib import Path

from agents.pal.config import PALConfig
from agents.stream_dqn.train import learn, untrained
from envs.streams.sequence_env import SequenceEnv
from lal.errors import UsageError
from lal.streams.policy import StreamPolicy
from lal.streams.sequence_task import MadeUpLanguages

FEATURES = (
    "margin@1", "confidence@1", "entropy@1", "peak_entropy@1", "standing@1", "cost@1", "labels@1",
    "content@1",
)  # fmt: skip
"""The model's confidence and marginals in summary, the cost, and the sentence's content."""


def train(config: PALConfig, folder: Path, *, progress: bool = False) -> Path:
    """Train into `folder`; see `agents.registry.Agent.train`."""
    return learn(config, make_env(config), folder, agent="pal", progress=progress)


def export_untrained(config: PALConfig, n: int) -> list[StreamPolicy]:
    """Return `n` policies with random weights; see `agents.registry.Agent.export_untrained`."""
    return untrained(config, make_env(config), n)


def make_env(config: PALConfig) -> SequenceEnv:
    """Return the training environment."""
    if config.families != PALConfig.families:
        raise UsageError(f"PAL trains on {PALConfig.families}, got {config.families}")
    return SequenceEnv(
        MadeUpLanguages(config.n_items, config.n_scored),
        features=FEATURES,
        budget=config.share,
        price=config.price,
    )
