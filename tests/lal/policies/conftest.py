"""Policies and tasks small enough to check by hand."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_classification

from lal.features import DEFAULT_CANDIDATE_FEATURES, DEFAULT_CONTEXT_FEATURES, FEATURES
from lal.learners import make_learner
from lal.policies.pool_policy import PoolPolicy
from lal.task import Part, Task


def mlp_policy(seed: int = 0, **changes) -> PoolPolicy:
    """A random network over every default feature: nothing may depend on what it means."""
    rng = np.random.default_rng(seed)
    width = sum(FEATURES[i].dim for i in DEFAULT_CANDIDATE_FEATURES + DEFAULT_CONTEXT_FEATURES)
    ops = [
        {"op": "concat", "in": ["candidates", "context"], "out": ["x"]},
        {"op": "affine", "in": ["x"], "out": ["h"], "weight": "w1", "bias": "b1"},
        {"op": "tanh", "in": ["h"], "out": ["a"]},
        {"op": "affine", "in": ["a"], "out": ["u"], "weight": "w2"},
    ]
    values: dict[str, Any] = {
        "name": f"mlp {seed}",
        "candidate_features": DEFAULT_CANDIDATE_FEATURES,
        "context_features": DEFAULT_CONTEXT_FEATURES,
        "program": {"ops": ops, "output": "u"},
        "tensors": {
            "w1": rng.normal(size=(12, width)) / np.sqrt(width),
            "b1": rng.normal(size=12),
            "w2": rng.normal(size=(1, 12)),
        },
    }
    return PoolPolicy(**(values | changes))


def small_task(
    seed: int, learner: Any = "logistic_regression", n_classes: int = 2, **changes
) -> Task:
    X, y = make_classification(
        220,
        6,
        n_informative=5,
        n_redundant=0,
        n_classes=n_classes,
        n_clusters_per_class=1,
        flip_y=0.1,
        random_state=seed,
    )
    values: dict[str, Any] = {
        "name": f"small {seed}",
        "family": "small",
        "learner": make_learner(learner),
        "n_classes": n_classes,
        "pool": Part(X[:120], y[:120].astype(np.int64)),
        "test": Part(X[120:], y[120:].astype(np.int64)),
        "budget": 12,
    }
    return Task(**(values | changes))


@pytest.fixture
def policy() -> PoolPolicy:
    return mlp_policy()


@pytest.fixture
def make_policy():
    return mlp_policy


@pytest.fixture
def make_small_task():
    return small_task
