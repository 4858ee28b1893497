"""The compiled backend of `lal/Pool-v0` is the reference backend, number for number."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")

from envs.agreement import compare_backends
from envs.pool_vector_env import PoolVectorEnv
from lal.data.prior import PriorConfig
from lal.errors import UsageError
from lal.tasks.rewards import REWARDS
from lal.tasks.sampler import TaskSampler
from lal.tasks.termination import TERMINATIONS

EXACT = ("logistic_regression", "gaussian_nb", "knn", "ridge")
SAME = 3e-4


def draw(number, learner, **fields):
    from envs.simulator.prior import CompiledPrior

    prior = CompiledPrior(7, PriorConfig(rows=(100, 200), columns=(2, 20)))
    sampler = TaskSampler(
        (), (learner,), budget=5, share_synthetic=1.0, synthetic=prior, max_pool=60
    )
    return replace(sampler(np.random.default_rng(number)), **fields)


def check(task, seed, **options):
    found = compare_backends(task, seed=seed, **options)
    assert found.probabilities <= SAME
    assert found.features <= SAME
    if task.learner.name in ("knn", "ridge"):  # few values are nearly equal
        assert found.ranked <= 0.05  # a place or two among sixty
    assert found.reward <= 1e-3
    assert found.metrics <= 1e-3
    assert found.same_masks
    assert found.same_end
    return found


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("learner", EXACT)
def test_random_tasks_go_the_same_way_in_both(learner, known):
    for number in range(4):
        task = draw(number, learner, classes_known=known, budget_known=not known)
        found = check(task, number)
        assert found.steps == task.budget


@pytest.mark.parametrize("termination", sorted(TERMINATIONS))
@pytest.mark.parametrize("reward", sorted(REWARDS))
def test_every_reward_and_termination_is_the_same_in_both(reward, termination):
    # Margins of logistic regression have no ties, which would be broken by other random numbers.
    task = draw(3, "logistic_regression")
    options = {"reward": reward, "termination": termination}
    if REWARDS[reward].needs_whole_budget and TERMINATIONS[termination].at_target:
        with pytest.raises(UsageError, match="only when the whole budget is spent"):
            compare_backends(task, seed=0, **options)
        return
    check(task, 5, **options)


@pytest.mark.parametrize("batch_size", [2, 3])
def test_batches_are_the_same_in_both(batch_size):
    for number in range(3):
        check(draw(number, "logistic_regression"), number, batch_size=batch_size)


def test_a_difference_would_be_seen():
    """Another learner in one of the two: every figure of an agreement moves."""
    task = draw(0, "gaussian_nb")

    def other(n, *, tasks, **options):
        return PoolVectorEnv(n, tasks=replace(tasks, learner=draw(0, "knn").learner), **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("envs.agreement.PoolVectorEnv", other)
        found = compare_backends(task, seed=0)
    assert found.probabilities > 0.01
    assert found.features > 0.01
    assert found.metrics > 0.01
