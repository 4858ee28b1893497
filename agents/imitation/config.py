"""ImitationConfig: everything that decides a run of the imitation of look-ahead."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from agents.registry import Agent
from agents.training.config import check_above, check_at_least
from agents.training.prior_tasks import PriorPoolConfig
from lal.errors import UsageError
from lal.features import COVERAGE_CANDIDATE_FEATURES, DEFAULT_CANDIDATE_FEATURES

MOST_MEMBERS = 16
"""Registers that one operation of a policy's program joins."""


@dataclass(frozen=True, kw_only=True)
class ImitationConfig(PriorPoolConfig):
    """A small ensemble that ranks candidates by what their labels would gain."""

    budget: int = 100
    """Labels that an episode may acquire after its initial labelled set."""

    max_pool: int = 400
    """Largest pool; larger ones are cut at random."""

    n_dev_tasks: int = 8
    """Tasks of the final check that ranking whole pools is not worse than ranking slates; 0: none.
    """

    n_blocks: int = 96
    """Blocks of tasks; each is on disk when done."""

    block_tasks: int = 64
    """Tasks run side by side in a block."""

    states_from: str = ""
    """Folder of a run whose blocks are read instead of running; none: run."""

    held_out_blocks: int = 0
    """Last blocks, that nothing is fitted to and the policy's picks are evaluated on."""

    own_policy: str = ""
    """Policy (shipped name or file) that grows a quarter of the labelled sets: its successor learns
    on the states that such a policy meets (ALIL, DAgger). None: hand-written rules alone."""

    rounds: int = 1
    """Rounds of data aggregation: the policy of a round meets a part of the next round's states."""

    n_candidates: int = 32
    """Candidates tried in a state, half of them the most uncertain."""

    sizes: tuple[int, ...] = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 72)
    """Numbers of labels at which candidates are tried."""

    share_tried: float = 0.5
    """Chance that a state of a wanted size is used."""

    teacher_steps: int = 1
    """Labels after which a gain is measured: the candidate's, then random ones, the same for all
    candidates of a state."""

    balanced_share: float = 0.5
    """Share of balanced accuracy in the gain; the rest is accuracy."""

    margin_prior: float = 0.0
    """Weight of margin's z-score beside the score at 50 labels and more; rises from 5 labels."""

    fallback: bool = False
    """Learn from the context where to follow margin instead; takes the place of margin_prior."""

    beside: str = ""
    """Policy (shipped name or file) whose utility the score is added to; none: it ranks alone."""

    beside_weight: float = 0.5
    """Weight of the score beside that utility, in spreads of the score."""

    network: Literal["perceptron", "deep_set", "attention"] = "perceptron"
    """What a candidate is scored with. deep_set: the mean of what a perceptron makes of the
    reference set stands beside it. attention: what it attends to there does."""

    net_arch: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers of a member."""

    set_width: int = 16
    """Width of what is known of the reference set."""

    n_members: int = 3
    """Networks whose mean ranks."""

    distil: bool = False
    """Fit one more network to the mean of the members, and export that alone."""

    loss: Literal["regression", "listwise", "pairwise"] = "regression"
    """regression: squared error of centred gains. listwise: cross-entropy of the distributions
    over a candidate set. pairwise: logistic, weighted by the difference of gains."""

    temperature: float = 0.5
    """Of the target distribution of the listwise loss, in typical sizes of gains."""

    without: tuple[str, ...] = ()
    """Features that are hidden from the scorer: their inputs are always 0."""

    n_epochs: int = 15
    """Passes over all states."""

    batch_size: int = 64
    """States of a gradient step."""

    learning_rate: float = 2e-3
    """Learning rate of AdamW, falling to 0 along a cosine."""

    weight_decay: float = 1e-2
    """Weight decay of AdamW."""

    check_tasks: int = 0
    """Synthetic tasks run to the end beside margin and `baseline`; 0: none."""

    check_budget: int = 60
    """Labels acquired in those."""

    baseline: str = "default"
    """Policy (shipped name or file) that the check is paired with."""

    n_jobs: int = 2
    """Blocks that are run at once; changes nothing but the time."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(
            self, n_blocks=1, block_tasks=1, n_candidates=2, n_members=1, n_epochs=1, batch_size=1,
            budget=2, n_dev_tasks=0, held_out_blocks=0, set_width=1, rounds=1, teacher_steps=1,
            check_tasks=0, check_budget=1, n_jobs=1,
        )  # fmt: skip
        check_above(self, 0.0, "temperature", "learning_rate", "beside_weight")
        if not self.net_arch or min(self.net_arch) < 1:
            raise UsageError(f"net_arch must be widths of at least 1, got {self.net_arch}")
        if self.n_members > MOST_MEMBERS:
            raise UsageError(f"n_members must be at most {MOST_MEMBERS}, got {self.n_members}")
        if not self.sizes or min(self.sizes) < 2:
            raise UsageError(f"sizes must be numbers of labels from 2 up, got {self.sizes}")
        self._check_combinations()

    def _check_combinations(self) -> None:
        if self.rounds > self.n_blocks:
            raise UsageError(f"{self.rounds} rounds need as many blocks, got {self.n_blocks}")
        if self.rounds > 1 and (self.states_from or self.network != "perceptron"):
            raise UsageError(
                "rounds play blocks of their own, by perceptrons; leave states_from out"
            )
        if self.states_from and self.teacher_steps > 1:
            raise UsageError("gains of states_from are measured already; leave teacher_steps at 1")
        if self.fallback and self.margin_prior:
            raise UsageError("fallback takes the place of margin_prior; set that to 0")
        if self.beside and (self.fallback or self.margin_prior):
            raise UsageError(
                "beside adds the score to a policy that has its own margin prior; set margin_prior "
                "to 0 and leave fallback out"
            )


FULL: dict[str, Any] = {
    "own_policy": "lookahead-2026-11-22",
    "sizes": (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80),
    "share_tried": 0.7,
    "n_epochs": 12,
}
"""What the shipped default and its short run have in common."""

WIDE: dict[str, Any] = {
    **FULL,
    "own_policy": "lookahead-2026-11-22-b",
    "learners": (
        "logistic_regression",
        "logistic_regression",
        "random_forest",
        "random_forest",
        "gaussian_nb",
        "knn",
        "ridge",
    ),
    "rows": (8_000, 9_000),
    "columns": (2, 60),
    "rare": 0.3,
    "blurred": 0.3,
    "clean": 0.6,
    "warm": 0.3,
}
"""Rare classes, overlap, warm starts; gains measured on some 4 000 rows."""

COVERAGE: dict[str, Any] = {
    **FULL,
    "own_policy": "lookahead-2026-11-22-b",
    "candidate_features": (*DEFAULT_CANDIDATE_FEATURES, *COVERAGE_CANDIDATE_FEATURES),
    "rows": (4_000, 5_000),
    "rare": 0.1,
    "warm": 0.1,
}
"""What uncertainty herding ranks by among the features; gains measured on some 2 000 rows."""

SMOKE = ImitationConfig(
    learners=("gaussian_nb",), n_blocks=2, block_tasks=3, n_candidates=8, sizes=(2, 4),
    budget=6, max_pool=40, rows=(150, 200), columns=(2, 6), n_epochs=2, net_arch=(8, 8),
    n_members=2, batch_size=2, n_dev_tasks=1, n_jobs=1, share_tried=1.0,
)  # fmt: skip

LOOKAHEAD_PRESETS = {
    "demo": ImitationConfig(n_blocks=12, n_members=2, n_dev_tasks=4),
    "full": ImitationConfig(**FULL, margin_prior=0.7, n_blocks=96),
    "fiftieth": ImitationConfig(**FULL, margin_prior=0.7, n_blocks=2, n_dev_tasks=2),
    "wide": ImitationConfig(**WIDE, margin_prior=0.7, n_blocks=36, n_dev_tasks=4),
    "smoke": SMOKE,
}
"""full: `lookahead-2026-11-22-b`. wide: other states, fewer of them and measured better. fiftieth:
full at 1/50. smoke: seconds, learns nothing."""

IMITATION_PRESETS = {
    "demo": ImitationConfig(n_blocks=10, held_out_blocks=2, n_members=2, n_dev_tasks=0),
    "full": ImitationConfig(**FULL, n_blocks=84, held_out_blocks=12, n_dev_tasks=0),
    "coverage": ImitationConfig(**COVERAGE, n_blocks=72, held_out_blocks=12, n_dev_tasks=0),
    "smoke": replace(SMOKE, held_out_blocks=1, set_width=4, n_dev_tasks=0),
}
"""Variants of the same, evaluated by their picks on held-out blocks. coverage: more features."""

LOOKAHEAD = Agent(
    name="lookahead",
    summary="imitation of one-step look-ahead on the synthetic prior, compiled",
    config_type=ImitationConfig,
    presets=LOOKAHEAD_PRESETS,
    learner="agents.imitation.learner:LookaheadLearner",
)

IMITATION = Agent(
    name="imitation",
    summary="variants of the look-ahead imitation: losses, teachers, rounds, sets, one member",
    config_type=ImitationConfig,
    presets=IMITATION_PRESETS,
    learner="agents.imitation.learner:ImitationLearner",
)
