"""OneShotConfig: everything that decides a run of active one-shot learning."""

from dataclasses import dataclass
from typing import Literal

from agents.registry import Agent
from agents.training.config import ClassEpisodeConfig, check_at_least, check_within


@dataclass(frozen=True, kw_only=True)
class OneShotConfig(ClassEpisodeConfig):
    """An LSTM that learns values of answers and of asking (Woodward and Finn 2016)."""

    bank: str = "vectors"
    """Where samples come from; see `envs.class_banks`."""

    loss: Literal["stop_gradient", "published"] = "stop_gradient"
    """stop_gradient: targets are constants and the last step has one (its reward). published:
    the gradient also flows through the targets and the last step has no loss."""

    n_classes: int = 3
    """C, classes of an episode."""

    n_items: int = 30
    """T, items of an episode."""

    wrong: float = -1.0
    """Reward of a wrong answer; a right one is worth 1."""

    wrong_at_first: float | None = None
    """Reward of a wrong answer in the first half of the run; it then moves along a line to `wrong`
    until three quarters are done. From scratch, -5 ends in asking for everything."""

    ask: float = -0.05
    """Reward of asking."""

    lstm_hidden_size: int = 128
    """Units of the LSTM."""

    embedding: int = 0
    """Width of a frozen embedding of the items; 0: the LSTM reads the items as they are."""

    embedding_gradient_steps: int = 300
    """Gradient steps of the embedding, by prototypical episodes of training classes."""

    learning_rate: float = 2e-3
    """Learning rate of Adam."""

    gamma: float = 0.5
    """Discount."""

    exploration_final_eps: float = 0.05
    """Share of steps that ask, answer rightly or answer wrongly by chance, a third each."""

    exploration_initial_eps: float | None = None
    """The same at the start; it falls along a line until half of the run is done. With few answers
    forced, training can stay with asking for everything."""

    all_answers: bool = False
    """Train the values of all answers where one was given: what the others would have earned is
    known in training, and what follows is the same."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(
            self, lstm_hidden_size=1, n_classes=1, n_items=1, embedding=0,
            embedding_gradient_steps=0,
        )  # fmt: skip
        check_within(self, "gamma", 0.0, 1.0)
        check_within(self, "exploration_final_eps", 0.0, 1.0)


PRESETS = {
    "vectors": OneShotConfig(gradient_steps=5000, n_segments=10),
    "demo": OneShotConfig(gradient_steps=1600, lstm_hidden_size=64),
    "vectors-published-loss": OneShotConfig(loss="published"),
    "digits": OneShotConfig(bank="digits"),
    "omniglot": OneShotConfig(
        bank="omniglot",
        embedding=32,
        gradient_steps=4000,
        exploration_initial_eps=0.5,
        all_answers=True,
    ),
    "omniglot-raw": OneShotConfig(
        bank="omniglot", gradient_steps=8000, lstm_hidden_size=200, learning_rate=1e-3
    ),
    "smoke": OneShotConfig(
        gradient_steps=4,
        n_segments=2,
        batch_size=4,
        lstm_hidden_size=8,
        n_items=6,
        n_dev_episodes=8,
    ),
}
"""vectors, omniglot, omniglot-raw: minutes on one core; smoke: learns nothing."""

AGENT = Agent(
    name="active_one_shot",
    summary="Active one-shot learning: an LSTM that answers or asks",
    config_type=OneShotConfig,
    presets=PRESETS,
    learner="agents.one_shot.learner:OneShotLearner",
)
