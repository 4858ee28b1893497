"""ImitationConfig: the look-ahead imitation with everything that may be done otherwise."""

from dataclasses import dataclass
from typing import Any, Literal

from agents.lookahead.config import FULL, PRESETS, LookaheadConfig
from agents.registry import Agent


@dataclass(frozen=True, kw_only=True)
class ImitationConfig(LookaheadConfig):
    """A scorer that ranks candidates by what their labels would gain, in one of many ways."""

    states_from: str = ""
    """Folder of a look-ahead run whose blocks are read instead of playing; none: play."""

    held_out_blocks: int = 12
    """Last blocks, that nothing is fitted to and versions are judged on."""

    network: Literal["perceptron", "deep_set", "attention"] = "perceptron"
    """What a candidate is scored with. deep_set: the mean of what a perceptron makes of the
    reference set stands beside it. attention: what it attends to there does."""

    set_width: int = 16
    """Width of what is known of the reference set."""

    loss: Literal["regression", "listwise", "pairwise"] = "regression"
    """regression: squared error of centred gains. listwise: cross-entropy of the distributions
    over a candidate set. pairwise: logistic, weighted by the difference of gains."""

    temperature: float = 0.5
    """Of the target distribution of the listwise loss, in typical sizes of gains."""

    rounds: int = 1
    """Rounds of data aggregation: the policy of a round meets a part of the next round's states."""

    teacher_steps: int = 1
    """Labels after which a gain is measured: the candidate's, then random ones, the same for all
    candidates of a state."""

    distil: bool = False
    """Fit one more network to the mean of the members, and export that alone."""

    fallback: bool = False
    """Learn from the context where to follow margin instead; takes the place of margin_prior."""

    without: tuple[str, ...] = ()
    """Features that are hidden from the scorer: their inputs are always 0."""

    check_tasks: int = 0
    """Synthetic tasks played to the end beside margin and `rival`; 0: none."""

    check_budget: int = 60
    """Labels bought in those."""

    rival: str = "default"
    """Policy (shipped name or file) that the check is paired with."""


SMOKE: dict[str, Any] = {
    field: getattr(PRESETS["smoke"], field)
    for field in PRESETS["smoke"].__dataclass_fields__
    if field not in ("n_blocks",)
}

IMITATION_PRESETS = {
    "demo": ImitationConfig(n_blocks=10, held_out_blocks=2, n_members=2),
    "full": ImitationConfig(**{**FULL, "margin_prior": 0.0}, n_blocks=84),
    "smoke": ImitationConfig(**SMOKE, n_blocks=2, held_out_blocks=1, set_width=4),
}
"""smoke: seconds, learns nothing."""

AGENT = Agent(
    name="imitation",
    summary="variants of the look-ahead imitation: losses, teachers, rounds, sets, one member",
    config_type=ImitationConfig,
    presets=IMITATION_PRESETS,
    train_path="agents.imitation.train:train",
    untrained_path="agents.imitation.train:export_untrained",
)
