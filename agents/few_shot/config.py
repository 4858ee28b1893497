"""FewShotConfig: everything that decides a run of a few-shot selection head."""

from dataclasses import dataclass, replace
from typing import Literal

from agents.registry import Agent
from agents.training.config import ClassEpisodeConfig, check_at_least
from lal.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class FewShotConfig(ClassEpisodeConfig):
    """A selection head trained by policy gradient over a frozen embedding."""

    head: Literal["one_step", "sequential", "batch", "graph"] = "sequential"
    """one_step: all items at once, no labels seen (Contardo et al. 2017). sequential: one by one
    with labels (Bachman et al. 2017). batch: quality and diversity (Ravi and Larochelle 2018).
    graph: one by one with labels, by graph convolutions (Yan et al. 2022)."""

    task: Literal["classes", "conditions"] = "classes"
    """classes: new classes to tell apart. conditions: a new condition that half of the items have,
    to detect (Smit et al. 2021); see `envs.few_shot.tasks`."""

    one_shot: bool = False
    """Whether the sequential head is shown no label, so that all items are chosen before the first
    one is acquired."""

    bank: str = "omniglot"
    """Where samples come from; see `envs.class_banks`."""

    n_classes: int = 5
    """C, classes of an episode."""

    n_pool: int = 30
    """N, items that may be labelled."""

    n_distractors: int = 0
    """Items of the pool that belong to no class of the episode."""

    n_other_classes: int = 5
    """Classes that distractors come from."""

    shots: int = 0
    """Labelled samples of every class at the start; the batch head needs one."""

    budget: int = 5
    """B, labels that are acquired."""

    embedding: int = 32
    """Width of the embedding."""

    embedding_gradient_steps: int = 300
    """Gradient steps of the embedding, by prototypical episodes of training classes."""

    embedding_seed: int = 0
    """Seed of the embedding, apart from `seed`, so that all heads share one."""

    hidden_size: int = 32
    """Width of the head's memories and hidden layers."""

    gradient_steps: int = 400
    """Gradient steps of the head."""

    n_segments: int = 8
    """Parts of the run, each with a validation and a checkpoint."""

    batch_size: int = 32
    """Episodes in a gradient step."""

    copies: int = 4
    """Samples of every episode; their mean reward is the baseline."""

    learning_rate: float = 1e-2
    """Learning rate of Adam."""

    n_query: int = 75
    """Samples that the reward is measured on; more than in evaluation, for less noise."""

    ent_coef: float = 0.005
    """Weight of the entropy bonus."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(
            self, hidden_size=1, n_classes=1, budget=1, embedding=1, n_query=1, ent_coef=0.0,
            embedding_gradient_steps=0,
        )  # fmt: skip
        if self.copies < 2:
            raise UsageError(f"copies must be at least 2 for a baseline, got {self.copies}")
        if self.one_shot and self.head != "sequential":
            raise UsageError(
                f"one_shot hides labels from the sequential head, got head {self.head!r}; "
                "one_step and batch see none anyway"
            )
        if self.head == "batch" and self.shots < 1:
            raise UsageError("the batch head needs shots of at least 1 for its prototypes")
        if self.budget >= self.n_pool:
            raise UsageError(f"budget must be less than n_pool {self.n_pool}, got {self.budget}")


RAVI = FewShotConfig(head="batch", shots=1, n_distractors=15, n_other_classes=15)

PRESETS = {
    "demo": FewShotConfig(bank="vectors", gradient_steps=200, n_segments=4),
    "one-step": FewShotConfig(head="one_step"),
    "sequential": FewShotConfig(),
    "graph": FewShotConfig(head="graph"),
    "batch": RAVI,
    "batch-few-others": replace(RAVI, n_other_classes=5),
    "medselect": FewShotConfig(
        task="conditions", one_shot=True, n_classes=2, n_pool=100, budget=20, n_query=100,
        batch_size=8, copies=8, gradient_steps=120, n_segments=6, n_dev_episodes=300,
    ),
    "smoke": FewShotConfig(
        bank="vectors", gradient_steps=2, n_segments=2,
        embedding_gradient_steps=2, batch_size=4, hidden_size=4,
        embedding=4, n_pool=8, budget=2, n_classes=2, n_dev_episodes=8,
    ),
    "smoke-batch": replace(
        RAVI, bank="vectors", gradient_steps=2, n_segments=2,
        embedding_gradient_steps=2, batch_size=4, hidden_size=4,
        embedding=4, n_pool=8, n_distractors=3, budget=2, n_classes=2, n_dev_episodes=8,
    ),
}  # fmt: skip
"""The heads on drawings take minutes each; smoke: learns nothing."""

AGENT = Agent(
    name="few_shot",
    summary="Few-shot selection: one-step subset, sequential, batch with diversity, graph",
    config_type=FewShotConfig,
    presets=PRESETS,
    learner="agents.few_shot.learner:FewShotLearner",
)
