"""EvolutionConfig: everything that decides a fine-tuning run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agents.registry import Agent
from agents.training.config import check_above, check_at_least
from agents.training.prior_tasks import PriorPoolConfig
from lal.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class EvolutionConfig(PriorPoolConfig):
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
    """Generations; each is on disk once it has run."""

    generation_tasks: int = 24
    """Fresh tasks that all vectors of a generation run from the same first labels."""

    check_tasks: int = 96
    """Tasks of the final check, not seen before: start and result beside margin."""

    tail_weight: float = 0.25
    """Weight of the mean of the worst fifth of tasks beside the mean of all."""

    balanced_share: float = 0.75
    """Share of balanced accuracy in the area; the rest is accuracy."""

    slate_size: int = 150
    """Rows offered at every query, at random; 150 are whole pools."""

    budget: int = 40
    """Labels that an episode acquires after its initial labelled set."""

    max_pool: int = 150
    """Largest pool; larger ones are cut at random."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(
            self, dimensions=1, population=4, generations=1, generation_tasks=1, check_tasks=1,
            slate_size=2, tail_weight=0.0,
        )  # fmt: skip
        check_above(self, 0.0, "spread", "step")
        if self.population % 2:
            raise UsageError(f"population must be even, got {self.population}")
        if self.candidate_features or self.context_features:
            raise UsageError("the features are those of the start; leave both lists out")

    @property
    def training_size(self) -> Mapping[str, int]:
        """Tasks, each of which all vectors of a generation run."""
        return {"n_tasks": self.generations * self.generation_tasks}


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
    learner="agents.evolution.learner:EvolutionLearner",
)
