"""Rewards of batches: every label of a batch counts, the last, smaller batch too."""

import numpy as np
import pytest

pytest.importorskip("numba")

from envs.simulator.pool import PoolSimulator
from lal.data.datasets import load_dataset
from lal.learners import make_learner
from lal.tasks.splits import make_task

BATCHES = [3, 3, 1]
"""Labels of each refit with a budget of 7 and a batch of 3."""


def make_simulator(reward):
    task = make_task(
        load_dataset("sklearn:wine"), make_learner("gaussian_nb"), seed=1, budget=7,
        reward_share=0.5, test_share=0.0, max_pool=40,
    )  # fmt: skip
    simulator = PoolSimulator([task], 2, slate_size=40, reward=reward, batch_size=3)
    simulator.reset()
    return simulator


def step_all(simulator):
    """Return rewards (7, E) and accuracies (8, E)."""
    rewards, accuracy = [], [simulator.metrics[:, 0].copy()]
    for _ in range(7):
        _, steps = simulator.step((simulator.slates >= 0).argmax(axis=1))
        rewards.append(steps.rewards.copy())
        accuracy.append(steps.metrics[:, 0].copy())
    assert steps.done.all()
    return np.array(rewards), np.array(accuracy)


def test_step_cost_is_the_number_of_labels_of_the_batch():
    rewards, _ = step_all(make_simulator("step_cost"))
    assert rewards[[2, 5]].tolist() == [[-3.0, -3.0]] * 2
    assert not rewards[[0, 1, 3, 4]].any()
    assert set(rewards[6]) == {-1.0}


def test_area_rewards_sum_to_the_area_under_the_curve():
    rewards, accuracy = step_all(make_simulator("area"))
    ends = np.cumsum([0, *BATCHES])
    wanted = np.trapezoid(accuracy[ends], ends, axis=0) / 7
    assert rewards.sum(axis=0) == pytest.approx(wanted)
