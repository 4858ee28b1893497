"""CrowdEnv: lal/Pool-v0 where a row is a question to one of several annotators."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from envs.pool_env import PoolEnv
from lal.episode import Episode
from lal.errors import UsageError
from lal.features import DEFAULT_CANDIDATE_FEATURES
from lal.learners.crowd import CrowdLearner
from lal.task import Task
from lal.tasks.crowds import CrowdSampler
from lal.tasks.sources import TaskSource

CROWD_CANDIDATE_FEATURES = (*DEFAULT_CANDIDATE_FEATURES, "variance@1")
"""The default features of a pool, and how unsure the answer of the annotator is."""


class CrowdEnv(PoolEnv):
    """One episode of questions to annotators; spaces, steps and information are `PoolEnv`'s.

    Reward rows are answered by the truth, which no annotator knows.

    Args:
        tasks: As of `PoolEnv`, made by `lal.tasks.crowds`; None for its `CrowdSampler`.
        costs: What an answer of each annotator costs; 1 each when empty.
        price: What a cost of 1 takes off the reward.
        candidate_features: Ids of features; None for `CROWD_CANDIDATE_FEATURES`.
        **options: Those of `PoolEnv`.
    """

    def __init__(
        self,
        tasks: TaskSource | Task | Sequence[Task] | None = None,
        *,
        costs: Sequence[float] = (),
        price: float = 0.0,
        candidate_features: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        if price < 0 or any(cost < 0 for cost in costs):
            raise UsageError(f"price and costs must not be negative, got {price} and {costs}")
        features = CROWD_CANDIDATE_FEATURES if candidate_features is None else candidate_features
        super().__init__(tasks, candidate_features=features, **options)
        self.costs, self.price = tuple(costs), price

    @staticmethod
    def _default_source() -> TaskSource:
        return CrowdSampler()

    def _acquire(self, episode: Episode) -> float:
        """Acquire the pending answers and return the reward less what they cost."""
        cost = self._cost(episode) if self.price else 0.0
        return super()._acquire(episode) - self.price * cost

    def _cost(self, episode: Episode) -> float:
        learner = episode.learner
        if not isinstance(learner, CrowdLearner):
            raise UsageError(
                f"task {episode.task.name!r} has no annotators; make it with lal.tasks.crowds"
            )
        who = learner.columns.split(episode.task.pool.X[self._pending]).annotator
        costs = self.costs or (1.0,) * learner.columns.n_annotators
        if len(costs) != learner.columns.n_annotators:
            raise UsageError(
                f"{len(costs)} costs were given for {learner.columns.n_annotators} annotators"
            )
        return float(np.asarray(costs)[who].sum())
