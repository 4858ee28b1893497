"""PoolRegressionEnv: lal/Pool-v0 where a label is a number."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from envs.pool_env import PoolEnv
from lal.arrays import Ints
from lal.errors import UsageError
from lal.registry import Registry
from lal.task import Task
from lal.task_kind import REGRESSION, TaskKind
from lal.tasks.regression_sampler import RegressionSampler
from lal.tasks.rewards import REGRESSION_REWARDS, Reward
from lal.tasks.sources import TaskSource

COLOURS = 8
"""Colours of a picture, from the smallest labels to the largest."""


class PoolRegressionEnv(PoolEnv):
    """One labelling episode of a regression; spaces, steps and information are `PoolEnv`'s.

    Rewards are gains of ``rmse_skill``, 1 minus the RMSE over the standard deviation of y on the
    reward part, so they mean the same in every unit of y.

    Args:
        tasks: As of `PoolEnv`; None for `lal.tasks.regression_sampler.RegressionSampler`, synthetic
            functions.
        candidate_features: Ids of the F candidate features; None for
            `lal.features.REGRESSION_CANDIDATE_FEATURES`.
        context_features: The same for the context.
        slate_size: Rows offered at once, K.
        slate_rule: ``"random"``; half_uncertain looks at class probabilities.
        reward: Name of `lal.tasks.rewards.REGRESSION_REWARDS`.
        termination: Name of `lal.tasks.termination.TERMINATIONS`.
        batch_size: Steps whose labels come together, B.
        label_noise: Standard deviation of noise on acquired labels, over that of the pool's labels;
            at most 1.
        strict: Raise on a masked action instead of replacing it.
        render_mode: ``"rgb_array"`` or None.
    """

    kind: ClassVar[TaskKind] = REGRESSION
    rewards: ClassVar[Registry[Reward]] = REGRESSION_REWARDS

    def __init__(
        self,
        tasks: TaskSource | Task | Sequence[Task] | None = None,
        *,
        candidate_features: Sequence[str] | None = None,
        context_features: Sequence[str] | None = None,
        slate_size: int = 100,
        slate_rule: str = "random",
        reward: str = "rmse_gain",
        termination: str = "budget",
        batch_size: int = 1,
        label_noise: float = 0.0,
        strict: bool = False,
        render_mode: str | None = None,
    ) -> None:
        if slate_rule != "random":
            raise UsageError(
                f"slate rule {slate_rule!r} looks at class probabilities, which a regression does "
                "not have; use 'random'"
            )
        super().__init__(
            tasks,
            candidate_features=candidate_features,
            context_features=context_features,
            slate_size=slate_size,
            slate_rule=slate_rule,
            reward=reward,
            termination=termination,
            batch_size=batch_size,
            label_noise=label_noise,
            strict=strict,
            render_mode=render_mode,
        )

    @staticmethod
    def _default_source() -> TaskSource:
        return RegressionSampler()

    def _colours(self) -> Ints:
        """Return the colour of every labelled row: the rank of its label."""
        labels = self._running().pool.labels
        rank = np.argsort(np.argsort(labels, kind="stable"), kind="stable")
        colours: Ints = rank * COLOURS // max(len(labels), 1)
        return colours
