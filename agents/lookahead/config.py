"""LookaheadConfig: everything that decides a run of the look-ahead imitation."""

from dataclasses import dataclass
from typing import Any

from agents.registry import Agent, TrainConfig


@dataclass(frozen=True, kw_only=True)
class LookaheadConfig(TrainConfig):
    """A small ensemble of perceptrons that ranks candidates by what their labels would gain."""

    datasets: tuple[str, ...] = ()
    """Real data sets to train on; none: the synthetic prior alone, so every real set is unseen."""

    hold_out: tuple[str, ...] = ()
    """Families that are never trained or validated on, real or synthetic."""

    share_synthetic: float = 1.0
    """Probability that a training task comes from the synthetic prior."""

    learners: tuple[str, ...] = (
        "logistic_regression",
        "logistic_regression",
        "random_forest",
        "gaussian_nb",
        "knn",
        "ridge",
    )
    """Learners that the policy is trained with, drawn uniformly; one named twice counts twice."""

    budget: int = 100
    """Labels that an episode may buy after its start."""

    max_pool: int = 400
    """Largest pool; larger ones are cut at random."""

    n_dev_tasks: int = 8
    """Tasks of the final check that ranking whole pools is no worse than ranking slates."""

    rows: tuple[int, int] = (400, 1500)
    """Smallest and largest number of rows of a synthetic data set."""

    columns: tuple[int, int] = (2, 100)
    """Smallest and largest number of columns of a synthetic data set."""

    clean: float = 0.75
    """Chance that a synthetic data set has no wrong labels."""

    informative: tuple[float, float] = (0.2, 1.0)
    """Smallest and largest share of informative columns of a synthetic data set."""

    n_blocks: int = 96
    """Blocks of tasks; each is on disk when done."""

    block_tasks: int = 64
    """Tasks played side by side in a block."""

    own_policy: str = ""
    """Policy (shipped name or file) that grows a quarter of the labelled sets: its successor learns
    on the states that such a policy meets (ALIL, DAgger). None: hand-written rules alone."""

    n_candidates: int = 32
    """Candidates tried in a state, half of them the most uncertain."""

    sizes: tuple[int, ...] = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 72)
    """Numbers of labels at which candidates are tried."""

    share_tried: float = 0.5
    """Chance that a state of a wanted size is used."""

    balanced_share: float = 0.5
    """Share of balanced accuracy in the gain; the rest is accuracy."""

    margin_prior: float = 0.0
    """Weight of margin's z-score beside the score at 50 labels and more; rises from 5 labels."""

    hidden: int = 64
    """Width of both hidden layers of a member."""

    n_members: int = 3
    """Perceptrons whose mean ranks."""

    epochs: int = 15
    """Passes over all states."""

    batch_states: int = 64
    """States of a gradient step."""

    learning_rate: float = 2e-3
    """Of AdamW, falling to 0 along a cosine."""

    weight_decay: float = 1e-2
    """Of AdamW."""

    n_jobs: int = 2
    """Processes that play blocks; changes nothing but the time."""


FULL: dict[str, Any] = {
    "own_policy": "lookahead-2026-11-22",
    "sizes": (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80),
    "share_tried": 0.7,
    "margin_prior": 0.7,
    "epochs": 12,
}
"""What the shipped default and its short run have in common."""

PRESETS = {
    "demo": LookaheadConfig(n_blocks=12, n_members=2, n_dev_tasks=4),
    "full": LookaheadConfig(**FULL, n_blocks=96),
    "fiftieth": LookaheadConfig(**FULL, n_blocks=2, n_dev_tasks=2),
    "smoke": LookaheadConfig(
        learners=("gaussian_nb",), n_blocks=2, block_tasks=3, n_candidates=8, sizes=(2, 4),
        budget=6, max_pool=40, rows=(150, 200), columns=(2, 6), epochs=2, hidden=8, n_members=2,
        batch_states=2, n_dev_tasks=1, n_jobs=1, share_tried=1.0,
    ),
}  # fmt: skip
"""full: the shipped default. fiftieth: the same road at 1/50. smoke: seconds, learns nothing."""

AGENT = Agent(
    name="lookahead",
    summary="imitation of one-step look-ahead on the synthetic prior, compiled",
    config_type=LookaheadConfig,
    presets=PRESETS,
    train_path="agents.lookahead.train:train",
    untrained_path="agents.lookahead.train:export_untrained",
)
