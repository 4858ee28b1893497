"""lal/Crowd-v0: the contracts of lal/Pool-v0 over questions to annotators."""

import gymnasium
import numpy as np
import pytest

import envs  # noqa: F401  (registers the ids)
from envs.checks import check_pool_env
from envs.crowd_env import CrowdEnv
from lal.errors import UsageError
from lal.tasks.crowds import Crowd, CrowdSampler
from lal.tasks.sampler import TaskSampler, default_tasks

ITEMS = TaskSampler(datasets=("sklearn:wine",), share_synthetic=0.0, max_pool=12)
TASKS = CrowdSampler(ITEMS, (Crowd(3, abstain=0.1),), budget=5)


def test_all_contracts_and_both_checkers():
    check_pool_env(CrowdEnv(TASKS, slate_size=8))


def test_many_episodes_side_by_side():
    env = gymnasium.make_vec("lal/Crowd-v0", num_envs=2, tasks=TASKS, slate_size=8)
    observations, _ = env.reset(seed=0)
    observations, rewards, *_ = env.step(observations["mask"].argmax(axis=1))
    assert observations["candidates"].shape == (2, 8, 26)
    assert np.isfinite(rewards).all()


def test_an_answer_costs_what_its_annotator_takes():
    free = CrowdEnv(TASKS, slate_size=8)
    paid = CrowdEnv(TASKS, slate_size=8, costs=(1.0, 2.0, 4.0), price=0.1)
    for env in (free, paid):
        env.reset(seed=1)
    for action in (3, 0):
        row = int(paid._slate[action])
        who = int(free.task.pool.X[row, -3:].argmax())
        gain, net = (env.step(action)[1] for env in (free, paid))
        assert net == pytest.approx(gain - 0.1 * (1.0, 2.0, 4.0)[who])


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="price and costs must not be negative"):
        CrowdEnv(price=-1.0)
    env = CrowdEnv(TASKS, slate_size=8, costs=(1.0,), price=1.0)
    env.reset(seed=0)
    with pytest.raises(UsageError, match="1 costs were given for 3 annotators"):
        env.step(0)
    plain = CrowdEnv(default_tasks(), slate_size=8, price=1.0)
    plain.reset(seed=0)
    with pytest.raises(UsageError, match=r"has no annotators; make it with lal\.tasks\.crowds"):
        plain.step(0)
