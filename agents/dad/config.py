"""DadConfig: everything that decides a run of deep adaptive design."""

from dataclasses import dataclass
from typing import Literal

from agents.registry import Agent, TrainConfig


@dataclass(frozen=True, kw_only=True)
class DadConfig(TrainConfig):
    """A design network trained through the likelihood (Foster et al. 2021).

    Of the settings of all agents only `seed` is used: tasks are draws from the model's prior.
    """

    model: str = "location_finding"
    """Name of the design model; see `envs.design.models`."""

    kind: Literal["adaptive", "static"] = "adaptive"
    """adaptive: designs depend on outcomes. static: one list of designs for all episodes, the
    baseline, exported as an adaptive policy that counts its steps."""

    n_steps: int = 5
    """T, experiments in an episode."""

    updates: int = 4000
    """Gradient steps."""

    n_segments: int = 8
    """Parts of the run, each with a checkpoint."""

    batch: int = 256
    """Episodes in a gradient step."""

    n_contrast: int = 256
    """L, contrastive draws, shared by the episodes of a step."""

    hidden: int = 64
    """Width of the encoder's hidden layer."""

    code: int = 16
    """Width of the pooled history."""

    squash: bool = False
    """Keep adaptive designs in the model's box by a tanh. Designs are cut to the box when they are
    played; without the tanh, a model whose box is narrow is trained outside of it."""

    learning_rate: float = 1e-3
    """Of Adam at the start; it falls to a tenth along a cosine."""


PRESETS = {
    "demo": DadConfig(updates=2500, n_segments=5),
    "published": DadConfig(),
    "static": DadConfig(kind="static", updates=600, n_segments=2, learning_rate=1e-2),
    "gp": DadConfig(model="gp_regression", squash=True, updates=480, batch=128, n_contrast=2048),
    "gp-static": DadConfig(
        model="gp_regression", kind="static", updates=600, n_segments=2, learning_rate=1e-2
    ),
    "smoke": DadConfig(updates=4, n_segments=2, batch=8, n_contrast=8, hidden=8, code=4),
}
"""published: Foster et al.'s network in small (one source, five steps). smoke: learns nothing."""

AGENT = Agent(
    name="dad",
    summary="DAD: a design network trained on the contrastive information bound",
    config_type=DadConfig,
    presets=PRESETS,
    train_path="agents.dad.train:train",
    untrained_path="agents.dad.train:export_untrained",
    controls=(),
)
