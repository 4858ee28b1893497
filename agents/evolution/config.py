"""EvolutionConfig: everything that decides a fine-tuning run."""

from dataclasses import dataclass
from typing import Literal

from agents.lookahead.config import LookaheadConfig
from agents.registry import Agent, TrainConfig


@dataclass(frozen=True, kw_only=True)
class EvolutionConfig(TrainConfig):
    """A policy's weights, moved to where whole episodes of synthetic tasks go better."""

    start: str = "default"
    """Policy (shipped name or file) that is fine-tuned; its features are the run's."""

    method: Literal["cma", "openai_es"] = "cma"
    """Who searches. cma: CMA-ES of the package of that name. openai_es: a step along the mean of
    ranked mirrored perturbations."""

    space: Literal["features", "outputs", "subspace"] = "features"
    """What moves. features: the gain of every input and of margin's part. outputs: the weights into
    the single scores. subspace: random directions of all weights."""

    dimensions: int = 32
    """Directions of the subspace; the other spaces have their own number."""

    spread: float = 0.15
    """Standard deviation of the first perturbations: logarithms of gains, shares of weights."""

    diagonal: bool = False
    """Whether CMA-ES keeps to a diagonal covariance."""

    step: float = 0.5
    """Step length of openai_es, in perturbations."""

    population: int = 12
    """Weight vectors tried in a generation; even."""

    generations: int = 20
    """Generations; each is on disk when played."""

    generation_tasks: int = 24
    """Fresh tasks that all vectors of a generation play from the same first labels."""

    check_tasks: int = 96
    """Tasks of the final check, never met before: start and result beside margin."""

    tail_weight: float = 0.25
    """Weight of the mean of the worst fifth of tasks beside the mean of all."""

    balanced_share: float = 0.75
    """Share of balanced accuracy in the area; the rest is accuracy."""

    slate_size: int = 150
    """Rows offered at every query, at random; 150 are whole pools."""

    datasets: tuple[str, ...] = ()
    """Real data sets to train on; none: the synthetic prior alone."""

    hold_out: tuple[str, ...] = ()
    """Families that are never trained on, real or synthetic."""

    share_synthetic: float = 1.0
    """Probability that a task comes from the synthetic prior."""

    learners: tuple[str, ...] = LookaheadConfig.learners
    """Learners that the policy is tuned with, drawn uniformly."""

    budget: int = 40
    """Labels that an episode buys after its start."""

    max_pool: int = 150
    """Largest pool; larger ones are cut at random."""

    n_dev_tasks: int = 4
    """Unused: the final check has tasks of its own."""


PRESETS = {
    "demo": EvolutionConfig(generations=3, population=6, generation_tasks=8, check_tasks=12),
    "full": EvolutionConfig(generations=100, population=16, generation_tasks=48, check_tasks=400),
    "smoke": EvolutionConfig(
        learners=("gaussian_nb",), generations=2, population=4, generation_tasks=2,
        check_tasks=3, budget=4, max_pool=40, slate_size=40,
    ),
}  # fmt: skip
"""smoke: seconds, learns nothing."""

AGENT = Agent(
    name="evolution",
    summary="CMA-ES or an evolution strategy on area over margin, from a policy that exists",
    config_type=EvolutionConfig,
    presets=PRESETS,
    train_path="agents.evolution.train:train",
    untrained_path="agents.evolution.train:export_untrained",
)
