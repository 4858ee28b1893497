"""GainConfig: everything that decides a run of the gain-regression agent."""

from dataclasses import dataclass

from agents.registry import Agent, TrainConfig


@dataclass(frozen=True, kw_only=True)
class GainConfig(TrainConfig):
    """Boosted trees fitted to the gain of every candidate of many states."""

    n_states: int = 480
    """States in which gains are measured."""

    n_candidates: int = 16
    """Candidates tried in a state, half of them the most uncertain."""

    metric: str = "accuracy"
    """What a label gains, on the reward part: accuracy, balanced_accuracy or log_likelihood."""

    n_segments: int = 12
    """Parts in which states are made; each is on disk when done."""

    n_jobs: int = 2
    """Processes that make states; changes nothing but the time."""

    n_trees: int = 150
    """Boosting rounds."""

    learning_rate: float = 0.05
    """Of boosting."""

    max_leaves: int = 15
    """Largest number of leaves of a tree."""

    min_leaf: int = 80
    """Smallest number of candidates in a leaf."""


PRESETS = {
    "demo": GainConfig(),
    "thorough": GainConfig(n_states=20_000, n_segments=100, n_candidates=20, n_trees=300),
    "smoke": GainConfig(
        n_states=6, n_segments=2, n_candidates=6, n_trees=3, min_leaf=3, n_dev_tasks=1, budget=4,
        max_pool=40, n_jobs=1,
    ),
}  # fmt: skip
"""demo: a minute or so on two cores. thorough: an hour or so. smoke: seconds, learns nothing."""

AGENT = Agent(
    name="gain_regression",
    summary="boosted trees that predict what one more label gains",
    config_type=GainConfig,
    presets=PRESETS,
    train_path="agents.gain_regression.train:train",
    untrained_path="agents.gain_regression.train:export_untrained",
    controls=("shuffled_reward", "uncertainty_only"),
)
