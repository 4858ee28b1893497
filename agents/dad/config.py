"""DadConfig: everything that decides a run of deep adaptive design."""

from dataclasses import dataclass
from typing import Literal

from agents.registry import Agent
from agents.training.config import EpisodeConfig, check_at_least


@dataclass(frozen=True, kw_only=True)
class DadConfig(EpisodeConfig):
    """A design network trained through the likelihood (Foster et al. 2021)."""

    model: str = "location_finding"
    """Name of the design model; see `envs.design.models`."""

    kind: Literal["adaptive", "static"] = "adaptive"
    """adaptive: designs depend on outcomes. static: one list of designs for all episodes, the
    baseline, exported as an adaptive policy that counts its steps."""

    n_experiments: int = 5
    """T, experiments in an episode."""

    batch_size: int = 256
    """Episodes in a gradient step."""

    n_contrast: int = 256
    """L, contrastive draws, shared by the episodes of a step."""

    hidden_size: int = 64
    """Width of the encoder's hidden layer."""

    code_size: int = 16
    """Width of the pooled history."""

    squash: bool = False
    """Keep adaptive designs in the model's box by a tanh. Designs are cut to the box when they are
    run; without the tanh, a model whose box is narrow is trained outside of it."""

    learning_rate: float = 1e-3
    """Learning rate of Adam at the start; it falls to a tenth along a cosine."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(self, n_experiments=1, n_contrast=1, hidden_size=1, code_size=1)


PRESETS = {
    "demo": DadConfig(gradient_steps=2500, n_segments=5),
    "published": DadConfig(),
    "static": DadConfig(kind="static", gradient_steps=600, n_segments=2, learning_rate=1e-2),
    "gp": DadConfig(
        model="gp_regression", squash=True, gradient_steps=480, batch_size=128, n_contrast=2048
    ),
    "gp-static": DadConfig(
        model="gp_regression", kind="static", gradient_steps=600, n_segments=2, learning_rate=1e-2
    ),
    "smoke": DadConfig(
        gradient_steps=4, n_segments=2, batch_size=8, n_contrast=8, hidden_size=8, code_size=4
    ),
}
"""published: Foster et al.'s network in small (one source, five steps). smoke: learns nothing."""

AGENT = Agent(
    name="dad",
    summary="DAD: a design network trained on the contrastive information bound",
    config_type=DadConfig,
    presets=PRESETS,
    learner="agents.dad.learner:DadLearner",
    controls=(),
)
