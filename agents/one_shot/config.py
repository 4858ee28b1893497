"""OneShotConfig: everything that decides a run of active one-shot learning."""

from dataclasses import dataclass
from typing import Literal

from agents.registry import Agent, TrainConfig


@dataclass(frozen=True, kw_only=True)
class OneShotConfig(TrainConfig):
    """An LSTM that learns values of answers and of asking (Woodward and Finn 2016).

    Of the settings of all agents only `seed` is used: episodes come from a class bank.
    """

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

    hidden: int = 128
    """Units of the LSTM."""

    embedding: int = 0
    """Width of a frozen embedding of the items; 0: the LSTM reads the items as they are."""

    embedding_updates: int = 300
    """Gradient steps of the embedding, by prototypical episodes of training classes."""

    updates: int = 4000
    """Gradient steps."""

    n_segments: int = 8
    """Parts of the run, each with a checkpoint."""

    batch: int = 50
    """Episodes in a gradient step."""

    learning_rate: float = 2e-3
    """Of Adam."""

    gamma: float = 0.5
    """Discount."""

    epsilon: float = 0.05
    """Share of steps that ask, answer rightly or answer wrongly by chance, a third each."""

    epsilon_at_first: float | None = None
    """The same at the start; it falls along a line until half of the run is done. With few answers
    forced, training can stay with asking for everything."""

    all_answers: bool = False
    """Train the values of all answers where one was given: what the others would have earned is
    known in training, and what follows is the same."""


PRESETS = {
    "vectors": OneShotConfig(),
    "demo": OneShotConfig(updates=1600, hidden=64),
    "vectors-published-loss": OneShotConfig(loss="published"),
    "digits": OneShotConfig(bank="digits"),
    "omniglot": OneShotConfig(
        bank="omniglot", embedding=32, updates=2400, epsilon_at_first=0.5, all_answers=True
    ),
    "omniglot-raw": OneShotConfig(bank="omniglot", updates=8000, hidden=200, learning_rate=1e-3),
    "smoke": OneShotConfig(updates=4, n_segments=2, batch=4, hidden=8, n_items=6),
}
"""vectors, omniglot: minutes on one core; omniglot-raw: a quarter of an hour; smoke: nothing."""

AGENT = Agent(
    name="active_one_shot",
    summary="Active one-shot learning: an LSTM that answers or asks",
    config_type=OneShotConfig,
    presets=PRESETS,
    train_path="agents.one_shot.train:train",
    untrained_path="agents.one_shot.train:export_untrained",
)
