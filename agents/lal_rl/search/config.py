"""SearchConfig: everything that decides a run."""

from collections.abc import Mapping
from dataclasses import dataclass

from agents.lal_rl.config import FOLDER, OTHERS, GameConfig, named_files
from agents.registry import Agent
from agents.training.config import check_above, check_at_least

INPUTS = (
    "doubt", "log_odds_z", "cosine_open_z", "cosine_labelled_z", "cosine_nearest_z",
    "cosine_classes_z", "nearest_disagreement", "angle_z", "scarcity",
)  # fmt: skip
"""What is known of a candidate; see `agents.lal_rl.search.kernels.write_inputs`."""

TIMES_UNCERTAINTY = (
    "cosine_open_z",
    "cosine_nearest_z",
    "cosine_classes_z",
    "nearest_disagreement",
)
"""Inputs that also count times the uncertainty."""

N_TERMS = len(INPUTS) + len(TIMES_UNCERTAINTY)
"""Numbers that a score weighs."""

SIZE = 2 * N_TERMS
"""Weights: of every term, and of every term times the logarithm of the labels acquired."""


@dataclass(frozen=True, kw_only=True)
class SearchConfig(GameConfig):
    """Evolution strategy with mirrored, paired perturbations on the LAL-RL workload.

    The objective is the one of the evaluation: the mean over data sets of the logarithm of the mean
    number of labels to the target. Both members of a pair run the same episodes.
    """

    searches: int = 3
    """Searches from different streams; the policy is the mean of their weights."""

    generations: int = 40
    """Steps of a search."""

    pairs: int = 60
    """Mirrored perturbations of a step."""

    n_episodes: int = 36
    """Episodes that every vector of a step runs, the same for all of them."""

    spread: float = 0.3
    """Standard deviation of a perturbation."""

    step: float = 0.1
    """Length of a step in every weight, at first; it falls in a straight line to a fifth."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(self, searches=1, generations=1, pairs=1, n_episodes=1)
        check_above(self, 0.0, "spread", "step")

    @property
    def training_size(self) -> Mapping[str, int]:
        """Episodes of all vectors of all searches."""
        vectors = self.searches * self.generations * 2 * self.pairs
        return {"n_episodes": vectors * self.n_episodes}


FULL = SearchConfig(datasets=named_files(FOLDER), eval_datasets=named_files(FOLDER, OTHERS))

PRESETS = {
    "full": FULL,
    "demo": SearchConfig(searches=1, n_eval_episodes=0),
    "smoke": SearchConfig(searches=1, generations=2, pairs=2, n_episodes=4, n_eval_episodes=0),
}
"""full: the ten UCI sets, about two minutes. demo: on a bundled set. smoke: learns nothing."""

AGENT = Agent(
    name="lal_rl_search",
    summary="LAL-RL's game, a linear policy with class-aware inputs found by paired search",
    config_type=SearchConfig,
    presets=PRESETS,
    learner="agents.lal_rl.search.learner:SearchLearner",
    controls=("shuffled_reward", "uncertainty_only"),
)
