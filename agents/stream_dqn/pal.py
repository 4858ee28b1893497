"""The learner of PAL: the stream DQN, on sentences of languages that are new in every stream."""

from collections.abc import Sequence

from agents.stream_dqn.learner import StreamLearner
from agents.stream_dqn.pal_config import PALConfig
from envs.streams.sequence_env import SequenceEnv
from lal.streams.sequence_task import MadeUpLanguages

FEATURES = (
    "margin@1", "confidence@1", "entropy@1", "peak_entropy@1", "standing@1", "cost@1", "labels@1",
    "content@1",
)  # fmt: skip
"""The model's confidence and marginals in summary, the cost, and the sentence's content."""


class PALLearner(StreamLearner[PALConfig]):
    """Asks for the labels of sentences."""

    name = "pal"
    score_name = "dev_f1"
    points = 10

    def make_worlds(self, n: int) -> MadeUpLanguages:
        """Return what hands out streams of n sentences."""
        return MadeUpLanguages(n, self.config.n_scored)

    def make_env(self) -> SequenceEnv:
        """Return the training environment."""
        config = self.config
        return SequenceEnv(
            self.make_worlds(config.n_items),
            features=FEATURES,
            budget=config.budget_fraction,
            price=config.price,
        )

    def trained_on(self) -> Sequence[str]:
        """Return the one family of streams."""
        return ["made-up languages"]
