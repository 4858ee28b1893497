"""Separable, duplicate, constant, one-member-class and huge but finite data never diverge."""

import numpy as np
import pytest

pytest.importorskip("numba")
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.simulator.pool import PoolSimulator
from lal.learners import make_learner
from lal.task import Part, Task

SCALES = (1e-8, 1.0, 1e3)


def rows_of(shape, scale, seed):
    """24 rows of 3 columns and codes of two or three classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(24) % 3 if shape == "three" else np.arange(24) % 2
    X = rng.normal(size=(24, 3))
    if shape in ("separable", "three"):
        X += 50.0 * y[:, None]
    elif shape == "duplicate":
        X = np.repeat(X[:2], 12, axis=0)[rng.permutation(24)]
    elif shape == "constant":
        X[:] = 1.0
    elif shape == "one_member":
        y = np.zeros(24, dtype=np.int64)
        y[rng.integers(12)] = 1
        y[20] = 1
    else:
        X[rng.integers(24), rng.integers(3)] = 1e6
    return X * scale, y


@pytest.mark.slow
@pytest.mark.parametrize(
    "learner", ["logistic_regression", "gaussian_nb", "knn", "ridge", "random_forest"]
)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    shape=st.sampled_from(["separable", "three", "duplicate", "constant", "one_member", "outlier"]),
    scale=st.sampled_from(SCALES),
    seed=st.integers(0, 1000),
)
def test_no_data_makes_a_learner_diverge(learner, shape, scale, seed):
    X, y = rows_of(shape, scale, seed)
    task = Task(
        name=shape,
        family="extreme",
        learner=make_learner(learner),
        n_classes=int(y.max()) + 1,
        pool=Part(X[:12], y[:12]),
        test=None,
        reward=Part(X[12:], y[12:]),
        budget=4,
    )
    simulator = PoolSimulator([task], 2, slate_size=6, seed=seed)
    simulator.reset()
    for _ in range(4):
        mask = simulator.observations.mask
        seen, steps = simulator.step(mask.argmax(axis=1))
        proba = simulator.proba(0)
        assert np.isfinite(proba).all()
        assert (proba >= 0).all()
        np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-5)
        assert np.isfinite(seen.candidates).all()
        assert np.isfinite(seen.context).all()
        assert np.isfinite(steps.rewards).all()
