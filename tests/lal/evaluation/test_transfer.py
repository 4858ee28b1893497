"""Handing a selected set to another learner."""

import numpy as np
import pytest

from lal.data.datasets import make_dataset
from lal.episode import run_episode
from lal.evaluation.analysis.metrics import label_efficiency
from lal.evaluation.transfer import transfer_curve
from lal.learners import make_learner
from lal.strategies.base import make_strategy
from lal.tasks.splits import make_task


@pytest.mark.parametrize("conditions", [(), ("unknown_classes",)])
def test_the_own_learner_gives_the_curve_itself_and_another_one_differs(conditions):
    y = np.arange(80) % 4
    X = np.random.default_rng(0).normal(size=(80, 4)) + 1.5 * np.eye(4)[y]
    data = make_dataset("blobs", X, y, source="test")
    learner = make_learner("random_forest", n_estimators=5)
    task = make_task(data, learner, seed=0, budget=12, start=8, conditions=conditions)
    curve = run_episode(make_strategy("margin"), task, seed=3, batch_size=4)
    again = transfer_curve(curve, task, task.learner, seed=3)
    for name, values in curve.metrics.items():
        np.testing.assert_array_equal(again.metrics[name], values)
    other = transfer_curve(curve, task, make_learner("gaussian_nb"), seed=3)
    np.testing.assert_array_equal(other.queried, curve.queried)
    np.testing.assert_array_equal(other.n_labels, curve.n_labels)
    assert not np.array_equal(other.metrics["accuracy"], curve.metrics["accuracy"])


def test_label_efficiency_by_hand():
    n = np.array([10, 20, 30, 40])
    ours, theirs = np.array([0.5, 0.7, 0.8, 0.9]), np.array([0.5, 0.6, 0.65, 0.7])
    assert label_efficiency(n, ours, theirs, 0.7) == 2.0
    assert label_efficiency(n, theirs, ours, 0.7) == 0.5
    assert label_efficiency(n, ours, theirs, 0.5) == 1.0
    assert label_efficiency(n, ours, theirs, 0.8) is None
