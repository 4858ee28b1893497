"""The shipped default sees the same in an environment, in the loop and in a bare query."""

from typing import Any

import numpy as np
import pytest

import lal
from envs.pool_env import PoolEnv
from lal.data.datasets import load_dataset
from lal.learners import make_learner
from lal.tasks.splits import make_task


@pytest.mark.parametrize("name", ["sklearn:wine", "sklearn:breast_cancer"])
@pytest.mark.parametrize("learner", ["logistic_regression", "gaussian_nb"])
def test_environment_loop_and_bare_query_give_equal_utilities(name, learner):
    policy = lal.load_policy("default")
    fitted: Any = make_learner(learner)
    task = make_task(
        load_dataset(name), fitted, seed=1, budget=6, reward_share=0.3, max_pool=80,
    )  # fmt: skip
    env = PoolEnv(
        task,
        candidate_features=policy.candidate_features,
        context_features=policy.context_features,
        slate_size=len(task.pool),
    )
    observation, info = env.reset(seed=3)
    for _ in range(5):
        rows = info["pool_indices"]
        offered = rows >= 0
        y = np.full(len(task.pool), np.nan)
        y[env.state.labelled] = env.state.labels
        _, table = policy.query(task.pool.X, y, fitted.estimator, return_utilities=True)
        asked, in_loop = table[0, rows[offered]], policy.utilities(env.state)[rows[offered]]
        in_env = policy.scorer.run(
            {
                "candidates": observation["candidates"][offered].astype(np.float64),
                "context": observation["context"].astype(np.float64),
            }
        )
        assert np.ptp(asked) > 0.1
        np.testing.assert_allclose(in_loop, asked, atol=1e-9)
        np.testing.assert_allclose(in_env, asked, atol=1e-4)  # observations are single precision
        best = int(np.flatnonzero(offered)[in_env.argmax()])
        observation, _, ended, cut, info = env.step(best)
        assert not ended
        assert not cut
