"""Fits that single precision cannot finish: the labels all but separable, the penalty weak."""

import numpy as np
import pytest

pytest.importorskip("numba")
from sklearn.linear_model import LogisticRegression

from envs.simulator.kernels.layout import LOGISTIC
from envs.simulator.kernels.learners.updates import FINISHES
from envs.simulator.kernels.logistic.update import MOST_UNKNOWNS
from envs.simulator.pool import PoolSimulator
from lal.learners import make_learner
from lal.task import Part, Task

# scikit-learn's line search warns when rounding stops it, at the optimum as far as float64 goes.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def play(monkeypatch, *, classes, columns, scale, C, steps):
    """Return the largest differences of pool probabilities from the optimum, and the finishes."""
    finished = []
    finish = FINISHES[LOGISTIC]

    def count(updates):
        finished.append(len(updates.ids))
        finish(updates)

    monkeypatch.setitem(FINISHES, LOGISTIC, count)
    rng = np.random.default_rng(0)
    y = np.arange(20 * classes) % classes
    X = scale * (rng.normal(size=(len(y), columns)) + 0.5 * rng.normal(size=(classes, columns))[y])
    half = len(y) // 2
    task = Task(
        name="weak",
        family="weak",
        learner=make_learner("logistic_regression", C=C),
        n_classes=classes,
        pool=Part(X[:half], y[:half]),
        test=None,
        reward=Part(X[half:], y[half:]),
        budget=steps + 1,
    )
    simulator = PoolSimulator([task], 1, slate_size=6, seed=0)
    simulator.reset()
    differences = []
    for _ in range(steps):
        simulator.step(simulator.observations.mask.argmax(axis=1))
        episodes = simulator._episodes
        L = episodes.n_labelled[0]
        rows, labels = episodes.rows[0, :L], episodes.labels[0, :L]
        exact = LogisticRegression(C=C, tol=1e-10, max_iter=10000, solver="newton-cholesky")
        exact.fit(X[rows], labels)
        optimum = np.zeros((half, classes))
        optimum[:, exact.classes_] = exact.predict_proba(X[:half])
        differences.append(np.abs(simulator.proba(0)[:half] - optimum).max())
    return differences, finished


@pytest.mark.parametrize(("scale", "C"), [(10.0, 1e4), (30.0, 100.0)])
@pytest.mark.parametrize("classes", [2, 4])
def test_weak_penalties_end_at_the_optimum(monkeypatch, classes, scale, C):
    differences, finished = play(
        monkeypatch, classes=classes, columns=6, scale=scale, C=C, steps=12
    )
    assert max(differences) <= 3e-4
    # Two classes are finished inside their own kernel.
    assert (len(finished) > 0) == (classes > 2)


@pytest.mark.parametrize(("scale", "C"), [(1.0, 1e4), (30.0, 1.0)])
def test_many_weights_are_finished_with_little_memory(monkeypatch, scale, C):
    assert MOST_UNKNOWNS < 12 * 31
    differences, finished = play(
        monkeypatch, classes=12, columns=30, scale=scale, C=C, steps=15
    )  # fmt: skip
    assert max(differences) <= 3e-4
    assert finished


def test_ordinary_fits_need_no_finish(monkeypatch):
    differences, finished = play(monkeypatch, classes=4, columns=6, scale=1.0, C=1.0, steps=12)
    assert max(differences) <= 3e-4
    assert not finished
