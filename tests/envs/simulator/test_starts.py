"""What an episode starts with: labels drawn until two classes are seen, or a fixed number."""

import numpy as np
import pytest

pytest.importorskip("numba")

from envs.simulator.pool import PoolSimulator
from lal.learners import make_learner
from lal.task import Part, Task


def task_with(y, *, start, budget=3):
    X = np.random.default_rng(0).normal(size=(len(y), 2))
    return Task(
        name="start",
        family="start",
        learner=make_learner("knn"),
        n_classes=3,
        pool=Part(X, y),
        test=None,
        reward=Part(X, y),
        budget=budget,
        start=start,
    )


def test_a_start_of_two_classes_ends_with_the_first_label_of_the_second():
    y = np.repeat([0, 1, 2], [20, 3, 2])
    simulator = PoolSimulator([task_with(y, start="two_classes")], 12, slate_size=4, seed=1)
    simulator.reset()
    lengths = set()
    for e in range(12):
        rows = simulator.labelled_rows(e)
        assert len(np.unique(rows)) == len(rows)
        assert len(set(y[rows])) == 2
        assert len(set(y[rows[:-1]])) == 1
        lengths.add(len(rows))
    assert len(lengths) > 1


@pytest.mark.parametrize("start", [1, 4])
def test_a_start_of_some_labels_has_so_many_whatever_their_classes(start):
    y = np.repeat([0, 1, 2], [20, 3, 2])
    simulator = PoolSimulator([task_with(y, start=start)], 8, slate_size=4, seed=1)
    simulator.reset()
    assert (simulator.n_labelled == start).all()
    alone = [e for e in range(8) if len(set(y[simulator.labelled_rows(e)])) == 1]
    assert alone
    for e in alone:  # one class: it is certain, whatever the point
        certain = np.zeros(3)
        certain[y[simulator.labelled_rows(e)[0]]] = 1.0
        np.testing.assert_array_equal(simulator.proba(e), np.tile(certain, (len(y) * 2, 1)))
